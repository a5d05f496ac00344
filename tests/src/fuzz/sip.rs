//! SIP from the wire up: every reader of a message, the framing of a stream, and the whole stack with a call on it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ringback_signaling::{
    CallKey, CallRequest, Secret, SignalingEvent, SignalingLimits, SipTimers, Transport, TrunkConfig,
    dialog::{Local, Peer},
    entropy::Entropy,
    framing::{Frame, Framer},
    header::{CSeq, Essentials, NameAddr, Via, list, lists_option, sdp_of},
    message::{Message, Parsed, parse_datagram},
    stack::{Output, Stack},
    uri::{Uri, host_port, params_of},
};

use super::{corpus, kind_of, mutate::Dice};

/// Inputs one stack lives through; then a fresh one, so that not every input meets a stack that is full.
const STACK_LIFE: u32 = 400;

/// Reads a datagram by every reader there is. What is written again must be read as the same message.
pub fn message(input: &[u8]) -> u64 {
    let limits = SignalingLimits::default();
    let parsed = match parse_datagram(input, limits.max_headers) {
        Ok(parsed) => parsed,
        Err(error) => return kind_of(format!("{error:?}")),
    };
    let (essentials, bytes) = match &parsed.message {
        Message::Request(request) => (Essentials::of_request(request), request.encode()),
        Message::Response(response) => (Essentials::of_response(response), response.encode()),
    };
    let headers = parsed.message.headers();
    let mut count = 0;
    for (name, value) in headers.iter() {
        count += 1;
        let _ = (NameAddr::parse(value), Via::parse(value), CSeq::parse(value), Uri::parse(value), host_port(value));
        let _ = (params_of(value), list(headers, name).count(), lists_option(headers, name, "100rel"));
    }
    if let Some(address) = headers.get("Contact").and_then(NameAddr::parse) {
        let uri = Uri::parse(&format!("{address:?}"));
        let _ = uri.map(|uri| (uri.address(), uri.decoded_user()));
    }
    let body = match &parsed.message {
        Message::Request(request) => &request.body,
        Message::Response(response) => &response.body,
    };
    let sdp = sdp_of(headers, body).is_some();
    if parsed.flaw.is_none() {
        // The first writing adds what was missing and puts odd bytes in order; after that nothing changes any more.
        let once = written(&bytes);
        assert_eq!(written(&once), once, "written, read and written again it is the same");
    }
    let flaw = parsed.flaw.map(|flaw| format!("{flaw:?}"));
    kind_of((essentials.map(|_| ()).map_err(|flaw| flaw.0), flaw, sdp, count.min(20)))
}

/// Reads what was written, and writes it again.
fn written(bytes: &[u8]) -> Vec<u8> {
    let again = parse_datagram(bytes, SignalingLimits::default().max_headers + 1).expect("what we write we can read");
    assert_eq!(again.flaw, None, "what we write is without flaw");
    match &again.message {
        Message::Request(request) => request.encode().to_vec(),
        Message::Response(response) => response.encode().to_vec(),
    }
}

/// A stream, cut into pieces by chance: the pieces change nothing, and nothing is kept without bound.
pub fn stream(input: &[u8], dice: &mut Dice) -> u64 {
    let limits = SignalingLimits::default();
    let whole = frames(&mut Framer::new(&limits), [input].into_iter());
    let mut cuts: Vec<usize> = (0..dice.below(6)).map(|_| dice.below(input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
    let cut = frames(&mut Framer::new(&limits), pieces);
    assert_eq!(whole.0, cut.0, "the same frames however the stream is cut");
    kind_of((whole.0.len().min(5), whole.1.or(cut.1)))
}

/// Frames up to the first error, and the error.
fn frames<'a>(framer: &mut Framer, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<String>) {
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(format!("{error:?}"))),
            }
        }
    }
    (frames, None)
}

/// A stack that has placed a call on its only trunk; time passes between inputs.
pub struct Exchange {
    stack: Stack,
    now: Instant,
    dice: Dice,
    left: u32,
    next_call: u128,
}

/// The far side as a look-up finds it.
fn located() -> ringback_signaling::trunk::Located {
    ringback_signaling::trunk::Located { address: far(), priority: 0, weight: 0 }
}

fn far() -> SocketAddr {
    ([127, 0, 0, 1], 5062).into()
}

impl Exchange {
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        let mut exchange = Self { stack: stack(now), now, dice: Dice::new(seed), left: STACK_LIFE, next_call: 1 };
        exchange.call();
        exchange
    }

    fn call(&mut self) {
        let request = CallRequest {
            key: CallKey(self.next_call),
            trunk: "carrier".into(),
            to_user: "+19165550100".into(),
            caller_id: Some("+19165550000".into()),
            display_name: None,
            sdp: "v=0\r\n".into(),
            ring_timeout: Duration::from_secs(30),
            call_id: corpus::CALL_ID.into(),
            from_tag: corpus::FROM_TAG.into(),
            branch: corpus::BRANCH.into(),
            extra_headers: Vec::new(),
        };
        self.next_call += 1;
        self.stack.place_call(self.now, &request);
        self.drain();
    }

    /// One datagram comes; then the contact centre reacts, or time passes, or neither.
    pub fn receive(&mut self, input: &[u8]) -> u64 {
        self.left -= 1;
        if self.left == 0 {
            self.left = STACK_LIFE;
            self.stack = stack(self.now);
            self.call();
        }
        let Ok(parsed) = parse_datagram(input, SignalingLimits::default().max_headers) else { return 0 };
        let Parsed { message, .. } = &parsed;
        let is_request = matches!(message, Message::Request(_));
        let transport = if self.dice.below(4) == 0 { Transport::Tcp } else { Transport::Udp };
        self.stack.receive(self.now, Peer { transport, address: far() }, parsed);
        let outcome = self.drain();
        let (calls, transactions) = self.stack.sizes();
        let limits = SignalingLimits::default();
        assert!(calls <= limits.max_dialogs && transactions <= limits.max_transactions, "{calls}, {transactions}");
        match self.dice.below(20) {
            0 => self.call(),
            1 => self.stack.hang_up(self.now, CallKey(self.next_call - 1)),
            2..=6 => self.later(),
            _ => {}
        }
        self.drain();
        kind_of((is_request, outcome))
    }

    fn later(&mut self) {
        self.now += Duration::from_millis(self.dice.number() % 40_000);
        while self.stack.next_deadline().is_some_and(|due| due <= self.now) {
            self.stack.on_timeout(self.now);
            self.drain();
        }
    }

    /// First lines of what was sent, and what was told.
    fn drain(&mut self) -> Vec<String> {
        let mut outcome = Vec::new();
        while let Some(output) = self.stack.poll_output() {
            match output {
                Output::Send { bytes, .. } => {
                    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                    outcome.push(String::from_utf8_lossy(line).chars().take(11).collect());
                    let limits = SignalingLimits::default();
                    let read = parse_datagram(&bytes, limits.max_headers + 50);
                    assert!(read.is_ok(), "what is sent can be read: {:?}: {}", read.err(), bytes.escape_ascii());
                }
                Output::Event(event) => {
                    let word = format!("{event:?}");
                    outcome.push(word.chars().take_while(char::is_ascii_alphabetic).collect());
                    self.answer(*event);
                }
                Output::Resolve { trunk, .. } => self.stack.resolved(self.now, &trunk, Ok(vec![located()])),
                Output::Admit(_) | Output::Dismiss(_) | Output::Allow(_) => {}
            }
        }
        outcome
    }

    /// What the contact centre would do.
    fn answer(&mut self, event: SignalingEvent) {
        match event {
            SignalingEvent::Incoming { key, .. } if self.dice.below(2) == 0 => {
                self.stack.accept(self.now, key, "v=0\r\n".into());
            }
            SignalingEvent::Incoming { key, .. } => self.stack.reject(self.now, key, 404),
            SignalingEvent::RemoteSdp { key, .. } => self.stack.accept_reinvite(self.now, key, "v=0\r\n".into()),
            _ => {}
        }
    }
}

fn stack(now: Instant) -> Stack {
    let local = |_: Peer| Local::new("127.0.0.1", 5060);
    let (limits, timers) = (SignalingLimits::default(), SipTimers::default());
    let mut stack = Stack::new("fuzz".into(), limits, timers, Entropy::Os, Box::new(local));
    let trunk = TrunkConfig {
        username: Some("ringback".into()),
        password: Some(Secret::new("open sesame")),
        realm: Some("carrier".into()),
        ..TrunkConfig::new("carrier", Transport::Udp, "127.0.0.1".to_owned(), 5062)
    };
    stack.set_trunks(now, vec![trunk]);
    stack.resolved(now, "carrier", Ok(vec![located()]));
    stack
}
