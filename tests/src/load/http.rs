//! Just enough HTTP for the server's own JSON API on loopback: one request a connection.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Failure;

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The session cookie, `name=value`, if one was set.
    pub(crate) cookie: Option<String>,
    pub(crate) json: Value,
}

/// POSTs JSON, as a page of the server itself would.
pub(crate) async fn post(port: u16, path: &str, cookie: Option<&str>, body: &Value) -> Result<Answer, Failure> {
    let body = body.to_string();
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    exchange(
        port,
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nContent-Type: application/json\r\n\
             {cookie}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    )
    .await
}

pub(crate) async fn get(port: u16, path: &str) -> Result<Answer, Failure> {
    exchange(port, format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n")).await
}

async fn exchange(port: u16, request: String) -> Result<Answer, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("an answer without a head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("an answer without a status")?;
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default().to_owned())
    });
    Ok(Answer { status, cookie, json: serde_json::from_str(body).unwrap_or(Value::Null) })
}
