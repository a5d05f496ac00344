//! HTTP, WebSocket, pages, configuration and the `ringback` binary.
//!
//! [`http::routes`] is the table of every address and who may call it; [`ws`] is the agent's socket; [`config`] reads
//! `ringback.toml`; [`run`] is the server's life from start to drain. Calls and recordings are reached through the engine.

pub mod assets;
pub mod cli;
pub mod config;
pub mod demo;
pub mod html;
pub mod http;
pub mod idle;
pub mod password;
pub mod phone;
pub mod portal;
pub mod prompts;
pub mod rate;
mod reception;
pub mod run;
pub mod server;
pub mod start;
pub mod state;
mod telephony;
pub mod tls;
pub mod token;
pub mod users;
pub mod words;
pub mod ws;
