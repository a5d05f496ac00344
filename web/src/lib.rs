//! HTTP, WebSocket, pages, configuration and the `ringback` binary.
//!
//! [`http::routes`] is the table of every address and who may call it; [`ws`] is the agent's socket; [`config`] reads
//! `ringback.toml`; [`run`] is the server's life from start to drain. Calls and recordings are reached through the engine.

pub mod assets;
pub mod carriers;
pub mod cli;
pub mod config;
pub mod counties;
pub mod demo;
pub mod evidence;
pub mod fetch;
pub mod gate;
pub mod html;
pub mod http;
pub mod idle;
pub mod jws;
pub mod key_sets;
pub mod lockout;
pub mod oidc;
pub mod password;
pub mod phone;
pub mod picture;
pub mod portal;
pub mod prompts;
pub mod qr;
pub mod rate;
mod reception;
pub mod retention;
pub mod run;
pub mod seal;
pub mod server;
pub mod settings;
pub mod start;
pub mod state;
mod telephony;
pub mod tls;
pub mod token;
pub mod totp;
pub mod users;
pub mod webhooks;
pub mod words;
pub mod ws;
mod zip;
