//! HTTP: one file per resource; [`routes`] says who may call what, [`guard`] sees to it, [`edge`] does what every
//! response needs.

pub mod audit;
pub mod availability;
pub mod board;
pub mod body;
pub mod callbacks;
pub mod callme;
pub mod cases;
pub mod chat;
pub mod closure;
pub mod colleagues;
pub mod contacts;
pub mod counties;
pub mod customers;
pub mod edge;
pub mod error;
pub mod factor;
pub mod gate;
pub mod guard;
pub mod history;
pub mod holds;
pub mod keys;
pub mod ladder;
pub mod lines;
pub mod login;
pub mod numbers;
pub mod openapi;
pub mod operations;
pub mod pages;
pub mod people;
pub mod playback;
pub mod privacy;
pub mod quality;
pub mod recordings;
pub mod routes;
pub mod schema;
pub mod settings;
pub mod sounds;
pub mod sso;
pub mod status;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod transcripts;
pub mod webhooks;
