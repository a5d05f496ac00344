//! HTTP, WebSocket, pages, configuration and the `ringback` binary.

pub mod config;
pub mod password;
pub mod phone;
pub mod portal;
pub mod rate;
pub mod token;
