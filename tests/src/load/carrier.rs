//! The carrier: answers every call at once and hands its sound to the media loop. Plain SIP over UDP, as little as a
//! user agent server may say (RFC 3261 §8.2, §13.3).

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use ringback_media::{Codec, testing::RtpPeer};

use super::{Failure, sound::Sound};

pub(super) struct Carrier {
    socket: UdpSocket,
}

impl Carrier {
    pub(super) fn bind() -> Result<Self, Failure> {
        Ok(Self { socket: UdpSocket::bind("127.0.0.1:0")? })
    }

    pub(super) fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// Serves from a thread of its own until the process ends.
    pub(super) fn serve(self, sound: Arc<Sound>) {
        std::thread::spawn(move || {
            // Call-ID → the answer given, for repeats of the INVITE, and the peer's number in the media loop.
            let mut calls: HashMap<String, (String, usize)> = HashMap::new();
            let mut buffer = vec![0u8; 65_536];
            while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                for answer in answers(&request, &mut calls, &sound) {
                    self.send(&answer, from);
                }
            }
        });
    }

    fn send(&self, message: &str, to: SocketAddr) {
        // A lost answer is repeated by the other side's timers.
        let _ = self.socket.send_to(message.as_bytes(), to);
    }
}

fn answers(request: &str, calls: &mut HashMap<String, (String, usize)>, sound: &Sound) -> Vec<String> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or((request, ""));
    let id = header(head, "Call-ID").unwrap_or_default().to_owned();
    match head.split(' ').next() {
        Some("INVITE") => {
            if let Some((answer, _)) = calls.get(&id) {
                return vec![answer.clone()];
            }
            let Ok(mut peer) = RtpPeer::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), Codec::Pcmu) else {
                return vec![reply(head, "500 No Port", None)];
            };
            let description = peer.answer(body);
            let answer = reply(head, "200 OK", Some(&description));
            let ringing = reply(head, "180 Ringing", None);
            let number = sound.add_phone(peer);
            calls.insert(id, (answer.clone(), number));
            vec![ringing, answer]
        }
        Some("BYE") => {
            if let Some((_, number)) = calls.remove(&id) {
                sound.remove_phone(number);
            }
            vec![reply(head, "200 OK", None)]
        }
        Some("OPTIONS" | "CANCEL") => vec![reply(head, "200 OK", None)],
        _ => Vec::new(),
    }
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

pub(crate) fn reply(head: &str, status: &str, description: Option<&str>) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in head.lines().filter(|line| line.len() > 4 && line[..4].eq_ignore_ascii_case("via:")) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    let to = header(head, "To").unwrap_or_default();
    let tag = if to.contains("tag=") { "" } else { ";tag=load" };
    text.push_str(&format!(
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:load@127.0.0.1:{}>\r\n",
        header(head, "From").unwrap_or_default(),
        header(head, "Call-ID").unwrap_or_default(),
        header(head, "CSeq").unwrap_or_default(),
        request_port(head),
    ));
    match description {
        Some(sdp) => {
            text.push_str(&format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()))
        }
        None => text.push_str("Content-Length: 0\r\n\r\n"),
    }
    text
}

/// The port the request was sent to, from its own first line: ours.
fn request_port(head: &str) -> &str {
    let uri = head.split(' ').nth(1).unwrap_or_default();
    let digits = uri.rsplit(':').next().unwrap_or_default();
    digits.split([';', '>', '?']).next().unwrap_or_default()
}
