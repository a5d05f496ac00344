//! One stack on virtual time with a trunk of two addresses, and a script for what the far side says.

use std::time::{Duration, Instant};

use super::{Output, Stack};
use crate::{
    config::{SignalingLimits, SipTimers, Transport},
    dialog::{Local, Peer},
    entropy::Entropy,
    event::{CallKey, CallRequest, FailureCause, SignalingEvent, TransferStep},
    message::parse_datagram,
    trunk::{Located, TrunkConfig},
};

pub(super) struct Bench {
    pub(super) now: Instant,
    pub(super) stack: Stack,
    /// What left: milliseconds since the start, last byte of the address, text.
    pub(super) sent: Vec<(u128, u8, String)>,
    pub(super) failed: Vec<(Option<u16>, FailureCause)>,
    pub(super) transfers: Vec<(u128, TransferStep)>,
    start: Instant,
    calls: u128,
}

fn peer(last: u8) -> Peer {
    Peer { transport: Transport::Udp, address: ([192, 0, 2, last], 5060).into() }
}

impl Bench {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let local = |_: Peer| Local::new("192.0.2.100", 5060);
        let (limits, timers) = (SignalingLimits::default(), SipTimers::default());
        let mut stack = Stack::new("test".into(), limits, timers, Entropy::Seeded(7), Box::new(local));
        stack.set_trunks(now, vec![TrunkConfig::new("t", Transport::Udp, "carrier.example", 5060)]);
        let located = |last, priority| Located { address: peer(last).address, priority, weight: 0 };
        stack.resolved(now, "t", Ok(vec![located(1, 10), located(2, 20)]));
        let mut bench =
            Self { now, stack, sent: Vec::new(), failed: Vec::new(), transfers: Vec::new(), start: now, calls: 0 };
        bench.drain();
        bench
    }

    pub(super) fn call(&mut self) {
        self.calls += 1;
        self.place("t", &format!("b{}", self.calls));
    }

    pub(super) fn place(&mut self, trunk: &str, branch: &str) {
        let request = CallRequest {
            key: CallKey(self.calls),
            trunk: trunk.into(),
            to_user: "+19165550100".into(),
            caller_id: None,
            display_name: None,
            sdp: "v=0\r\n".into(),
            ring_timeout: Duration::from_secs(60),
            call_id: format!("call{}", self.calls),
            from_tag: "near".into(),
            branch: branch.into(),
            extra_headers: Vec::new(),
        };
        self.stack.place_call(self.now, &request);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.stack.poll_output() {
            match output {
                Output::Send { peer, bytes, .. } => {
                    let last = peer.address.ip().to_string().rsplit('.').next().and_then(|n| n.parse().ok());
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.sent.push(((self.now - self.start).as_millis(), last.unwrap_or(0), text));
                }
                Output::Event(event) => match *event {
                    SignalingEvent::Failed { status, cause, .. } => self.failed.push((status, cause)),
                    SignalingEvent::Transfer { step, .. } => {
                        self.transfers.push(((self.now - self.start).as_millis(), step));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Lets time pass; returns how often the stack wanted to be woken meanwhile.
    pub(super) fn run(&mut self, time: Duration) -> u32 {
        let (until, mut woken) = (self.now + time, 0);
        while let Some(due) = self.stack.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.stack.on_timeout(self.now);
            self.drain();
            woken += 1;
        }
        self.now = until;
        woken
    }

    /// Answers the last request of a kind that went to an address.
    pub(super) fn answer(&mut self, last: u8, method: &str, status: &str, extra: &str) {
        self.answer_with(last, method, status, extra, "");
    }

    pub(super) fn answer_with(&mut self, last: u8, method: &str, status: &str, extra: &str, body: &str) {
        let found = self.sent.iter().rev().find(|(_, to, text)| *to == last && text.starts_with(method));
        let request = &found.unwrap_or_else(|| panic!("no {method} to .{last}")).2;
        let line = |name: &str| request.lines().find(|l| l.starts_with(name)).unwrap_or_default().to_owned();
        let to = if status.starts_with("100") || line("To:").contains("tag=") {
            line("To:")
        } else {
            format!("{};tag=far{last}", line("To:"))
        };
        let text = format!(
            "SIP/2.0 {status}\r\n{}\r\n{}\r\n{to}\r\n{}\r\n{}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            line("Via:"),
            line("From:"),
            line("Call-ID:"),
            line("CSeq:"),
            body.len()
        );
        let parsed = parse_datagram(text.as_bytes(), 64).expect("can be read");
        self.stack.receive(self.now, peer(last), parsed);
        self.drain();
    }

    /// When and where messages of a kind went.
    pub(super) fn times(&self, method: &str) -> Vec<(u128, u8)> {
        self.sent.iter().filter(|(.., text)| text.starts_with(method)).map(|(at, to, _)| (*at, *to)).collect()
    }
}
