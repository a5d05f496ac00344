//! A carrier that answers no call and writes down every INVITE it gets.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

/// How it turns calls down.
#[derive(Clone, Copy)]
pub(in crate::http::tests) enum Manner {
    Busy,
    /// Rings, and says after that that nobody answered.
    RingsUnanswered,
}

#[derive(Clone, Debug)]
pub(in crate::http::tests) struct Invited {
    /// The user part of the request line, as it came.
    pub(in crate::http::tests) number: String,
    /// Header lines that a call of ours does not have.
    pub(in crate::http::tests) strange_headers: Vec<String>,
}

pub(in crate::http::tests) struct CountingTrunk {
    pub(in crate::http::tests) address: SocketAddr,
    calls: Arc<Mutex<BTreeMap<String, Invited>>>,
}

const OURS: [&str; 16] = [
    "via",
    "max-forwards",
    "from",
    "to",
    "call-id",
    "cseq",
    "contact",
    "allow",
    "supported",
    "user-agent",
    "content-type",
    "content-length",
    "accept",
    "session-expires",
    "min-se",
    "p-asserted-identity",
];

impl CountingTrunk {
    pub(in crate::http::tests) async fn start(manner: Manner) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, calls) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(BTreeMap::new())));
        tokio::spawn(serve(socket, manner, calls.clone()));
        Self { address, calls }
    }

    /// Every call once, however often its INVITE was repeated.
    pub(in crate::http::tests) fn invited(&self) -> Vec<Invited> {
        self.calls.lock().unwrap().values().cloned().collect()
    }
}

async fn serve(socket: UdpSocket, manner: Manner, calls: Arc<Mutex<BTreeMap<String, Invited>>>) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let method = text.split(' ').next().unwrap_or_default().to_owned();
        if method == "INVITE" {
            let call = header(&text, "call-id").unwrap_or_default();
            calls.lock().unwrap().insert(call, invited(&text));
        }
        let answers: &[&str] = match (method.as_str(), manner) {
            ("INVITE", Manner::Busy) => &["486 Busy Here"],
            ("INVITE", Manner::RingsUnanswered) => &["180 Ringing", "480 Temporarily Unavailable"],
            ("ACK", _) => &[],
            _ => &["200 OK"],
        };
        for answer in answers {
            let _ = socket.send_to(response(&text, answer).as_bytes(), from).await;
        }
    }
}

fn invited(text: &str) -> Invited {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let line = head.split("\r\n").next().unwrap_or_default();
    let number = line.strip_prefix("INVITE sip:").and_then(|rest| rest.split('@').next()).unwrap_or(line).to_owned();
    let known: BTreeSet<&str> = OURS.into();
    let strange = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim().to_lowercase();
        !known.contains(name.as_str())
    };
    Invited { number, strange_headers: head.split("\r\n").skip(1).filter(strange).map(str::to_owned).collect() }
}

fn header(text: &str, name: &str) -> Option<String> {
    text.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn response(request: &str, status: &str) -> String {
    let mut lines = vec![format!("SIP/2.0 {status}")];
    for line in request.split("\r\n").take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        match name.as_str() {
            "via" | "from" | "call-id" | "cseq" => lines.push(line.to_owned()),
            "to" => lines.push(format!("{line};tag=counted")),
            _ => {}
        }
    }
    lines.push("Content-Length: 0".to_owned());
    lines.join("\r\n") + "\r\n\r\n"
}
