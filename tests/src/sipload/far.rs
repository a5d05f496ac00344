//! The carrier of `sipload`, in a process of its own: asks every call for a digest, rings, answers, and is hung up on.

use std::{
    collections::HashSet,
    io::Write,
    net::{SocketAddr, UdpSocket},
};

use crate::load::Failure;

const SDP: &str =
    "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

/// Binds a port, prints it, and serves until the process is killed.
#[allow(clippy::print_stdout, reason = "how the port is told")]
pub fn serve() -> Result<(), Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    println!("{}", socket.local_addr()?.port());
    std::io::stdout().flush()?;
    let port = socket.local_addr()?.port();
    let mut far = Far { socket, port, answered: HashSet::new() };
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = far.socket.recv_from(&mut buffer)?;
        if let Ok(text) = std::str::from_utf8(&buffer[..length]) {
            far.handle(text, from);
        }
    }
}

struct Far {
    socket: UdpSocket,
    port: u16,
    /// Calls that have been answered, by Call-ID and CSeq: a repeated INVITE gets the answer alone.
    answered: HashSet<String>,
}

impl Far {
    fn handle(&mut self, request: &str, from: SocketAddr) {
        match request.split(' ').next() {
            Some("INVITE") if header(request, "Proxy-Authorization").is_none() => {
                let challenge = "Proxy-Authenticate: Digest realm=\"load\", nonce=\"5e9d1c77ab\", qop=\"auth\"\r\n";
                self.reply(request, "407 Proxy Authentication Required", challenge, "", from);
            }
            Some("INVITE") => {
                let id = header(request, "Call-ID").unwrap_or_default().to_owned();
                if self.answered.insert(id) {
                    self.reply(request, "100 Trying", "", "", from);
                    self.reply(request, "180 Ringing", "", "", from);
                }
                self.reply(request, "200 OK", "", SDP, from);
            }
            Some("BYE") => {
                if let Some(id) = header(request, "Call-ID") {
                    self.answered.remove(id);
                }
                self.reply(request, "200 OK", "", "", from);
            }
            Some("OPTIONS") => self.reply(request, "200 OK", "", "", from),
            _ => {}
        }
    }

    fn reply(&self, request: &str, status: &str, extra: &str, sdp: &str, to: SocketAddr) {
        let get = |name: &str| header(request, name).unwrap_or_default();
        let tag = if get("To").contains("tag=") || status.starts_with("100") { "" } else { ";tag=far" };
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:far@127.0.0.1:{}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{sdp}",
            get("Via"),
            get("From"),
            get("To"),
            get("Call-ID"),
            get("CSeq"),
            self.port,
            sdp.len()
        );
        // What is lost is asked for again.
        let _ = self.socket.send_to(text.as_bytes(), to);
    }
}

fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
