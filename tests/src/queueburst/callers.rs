//! The callers: as little SIP as a user agent client may speak (RFC 3261 §8.1, §13.2), over one socket. Loopback loses
//! nothing, so nothing is repeated; what is lost all the same counts as not served.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ringback_media::{Codec, testing::RtpPeer};

use super::CALLED;
use crate::load::{
    Failure,
    carrier::{header, reply},
    sound::Sound,
};

/// How long the thread listens before it looks whether the next call is due.
const LISTEN: Duration = Duration::from_millis(1);

pub(super) struct Line {
    socket: UdpSocket,
    port: u16,
}

/// What has become of the calls so far.
#[derive(Debug, Default)]
struct Outcome {
    begun: Option<Instant>,
    ended: Option<Instant>,
    served: usize,
    refused: usize,
}

pub(super) struct Callers {
    callers: usize,
    outcome: Arc<Mutex<Outcome>>,
}

impl Callers {
    pub(super) fn left(&self) -> usize {
        let outcome = locked(&self.outcome);
        self.callers.saturating_sub(outcome.served + outcome.refused)
    }

    pub(super) fn served(&self) -> usize {
        locked(&self.outcome).served
    }

    /// From the first INVITE to the last BYE.
    pub(super) fn makespan(&self) -> Duration {
        let outcome = locked(&self.outcome);
        outcome.begun.zip(outcome.ended).map_or(Duration::ZERO, |(begun, ended)| ended - begun)
    }
}

fn locked(outcome: &Mutex<Outcome>) -> MutexGuard<'_, Outcome> {
    outcome.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Call {
    Asked(Box<RtpPeer>),
    /// Its number in the media loop.
    Answered(usize),
}

impl Line {
    pub(super) fn bind() -> Result<Self, Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LISTEN))?;
        let port = socket.local_addr()?.port();
        Ok(Self { socket, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Calls from a thread of its own, which ends with the process.
    pub(super) fn call(self, server: u16, callers: usize, per_second: u32, sound: Arc<Sound>) -> Callers {
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        let mut burst = Burst { line: self, server, calls: HashMap::new(), sound, outcome: Arc::clone(&outcome) };
        std::thread::spawn(move || burst.run(callers, Duration::from_secs(1) / per_second.max(1)));
        Callers { callers, outcome }
    }
}

struct Burst {
    line: Line,
    server: SocketAddr,
    calls: HashMap<String, Call>,
    sound: Arc<Sound>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Burst {
    fn run(&mut self, callers: usize, pace: Duration) {
        let begun = Instant::now();
        locked(&self.outcome).begun = Some(begun);
        let (mut called, mut buffer) = (0, vec![0u8; 65_536]);
        loop {
            while called < callers && begun.elapsed() >= pace * called as u32 {
                self.invite(called);
                called += 1;
            }
            let Ok((length, from)) = self.line.socket.recv_from(&mut buffer) else { continue };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (head, body) = message.split_once("\r\n\r\n").unwrap_or((&message, ""));
            match head.split(' ').next() {
                Some("SIP/2.0") => self.response(head, body),
                Some("BYE") => {
                    self.send(&reply(head, "200 OK", None), from);
                    self.hung_up(header(head, "Call-ID").unwrap_or_default());
                }
                Some("OPTIONS") => self.send(&reply(head, "200 OK", None), from),
                _ => {}
            }
        }
    }

    fn send(&self, message: &str, to: SocketAddr) {
        // A message that cannot be sent shows as a caller who is not served.
        let _ = self.line.socket.send_to(message.as_bytes(), to);
    }

    fn invite(&mut self, number: usize) {
        let Ok(peer) = RtpPeer::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), Codec::Pcmu) else {
            locked(&self.outcome).refused += 1;
            return;
        };
        let (id, port, server, description) =
            (format!("burst-{number}"), self.line.port, self.server, peer.description());
        let request = format!(
            "INVITE sip:{CALLED}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK-{id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+1916{:07}@127.0.0.1:{port}>;tag={id}\r\nTo: <sip:{CALLED}@{server}>\r\n\
             Call-ID: {id}\r\nCSeq: 1 INVITE\r\nContact: <sip:burst@127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{description}",
            2_000_000 + number,
            description.len(),
        );
        self.calls.insert(id, Call::Asked(Box::new(peer)));
        self.send(&request, self.server);
    }

    fn response(&mut self, head: &str, body: &str) {
        let status: u16 = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let id = header(head, "Call-ID").unwrap_or_default().to_owned();
        if status < 200 || !header(head, "CSeq").unwrap_or_default().ends_with("INVITE") {
            return;
        }
        let good = status < 300;
        self.acknowledge(head, &id, good);
        match self.calls.remove(&id) {
            Some(Call::Asked(mut peer)) if good => {
                peer.set_remote(body);
                let seat = self.sound.add_phone(*peer);
                self.calls.insert(id, Call::Answered(seat));
            }
            Some(Call::Asked(_)) => locked(&self.outcome).refused += 1,
            Some(answered) => {
                self.calls.insert(id, answered);
            }
            None => {}
        }
    }

    /// RFC 3261 §13.2.2.4 for a 2xx, §17.1.1.3 for what else is final.
    fn acknowledge(&self, head: &str, id: &str, good: bool) {
        let contact = header(head, "Contact").and_then(|contact| contact.split(['<', '>']).nth(1));
        let fallback = format!("sip:{CALLED}@{}", self.server);
        let target = contact.filter(|_| good).unwrap_or(&fallback);
        let branch = if good { format!("{id}-ack") } else { id.to_owned() };
        let text = format!(
            "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK-{branch};rport\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
            self.line.port,
            header(head, "From").unwrap_or_default(),
            header(head, "To").unwrap_or_default(),
        );
        self.send(&text, self.server);
    }

    fn hung_up(&mut self, id: &str) {
        if let Some(Call::Answered(seat)) = self.calls.remove(id) {
            self.sound.remove_phone(seat);
            let mut outcome = locked(&self.outcome);
            outcome.served += 1;
            outcome.ended = Some(Instant::now());
        }
    }
}
