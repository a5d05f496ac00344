//! A WebSocket to the server, and messages not acknowledged yet.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::load::Failure;

/// Between two tries to connect.
const AGAIN: Duration = Duration::from_millis(300);

pub(super) type Socket = WebSocketStream<TcpStream>;

pub(super) async fn connect(port: u16, path: &str, protocol: &str, cookie: Option<&str>) -> Result<Socket, Failure> {
    let mut request = format!("ws://localhost:{port}{path}").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("origin", HeaderValue::from_str(&format!("http://localhost:{port}"))?);
    headers.insert("sec-websocket-protocol", HeaderValue::from_str(protocol)?);
    if let Some(cookie) = cookie {
        headers.insert("cookie", HeaderValue::from_str(cookie)?);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    Ok(client_async(request, stream).await?.0)
}

pub(super) async fn pause() {
    tokio::time::sleep(AGAIN).await;
}

pub(super) async fn send(socket: &mut Socket, message: &Value) -> Result<(), Failure> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

pub(super) async fn hear(socket: &mut Socket) -> Result<Value, Failure> {
    loop {
        match socket.next().await.ok_or("the socket closed")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(why) => return Err(format!("the socket closed: {why:?}").into()),
            _ => {}
        }
    }
}

/// Messages of one end of one chat: sent again after a lost connection, until they are acknowledged.
pub(super) struct Outbox {
    prefix: String,
    next: usize,
    waiting: VecDeque<(String, Instant)>,
}

impl Outbox {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, next: 0, waiting: VecDeque::new() }
    }

    /// A new message's id.
    pub(super) fn push(&mut self) -> String {
        self.next += 1;
        let id = format!("{}-{}", self.prefix, self.next);
        self.waiting.push_back((id.clone(), Instant::now()));
        id
    }

    /// How long the acknowledgement took, if the message was waiting for it.
    pub(super) fn acknowledged(&mut self, id: &str) -> Option<Duration> {
        let at = self.waiting.iter().position(|(waiting, _)| waiting == id)?;
        self.waiting.remove(at).map(|(_, since)| since.elapsed())
    }

    /// Everything not acknowledged, in order.
    pub(super) fn waiting(&self) -> Vec<String> {
        self.waiting.iter().map(|(id, _)| id.clone()).collect()
    }
}
