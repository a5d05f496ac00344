//! Two stacks on virtual time with a network between them that drops, doubles, delays and reorders. The clock jumps from
//! one wake-up to the next, so hours pass in milliseconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Output, Stack};
use crate::{
    config::{SignalingLimits, SipTimers, Transport},
    dialog::{Local, Peer},
    entropy::Entropy,
    event::{CallKey, CallRequest, EndedBy, FailureCause, SignalingEvent},
    message::parse_datagram,
    trunk::TrunkConfig,
};

const OFFER: &str = "v=0\r\no=a 1 1 IN IP4 10.0.0.1\r\n";
const ANSWER: &str = "v=0\r\no=b 1 1 IN IP4 10.0.0.2\r\n";

/// What happens to the packets, decided by a seed.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss_percent: u64,
    double_percent: u64,
    jitter_ms: u64,
}

const FAIR: Weather = Weather { loss_percent: 0, double_percent: 0, jitter_ms: 0 };

struct Pair {
    now: Instant,
    start: Instant,
    /// The caller and the called side.
    stacks: [Stack; 2],
    events: [VecDeque<SignalingEvent>; 2],
    /// In flight: arrival, order, destination, bytes.
    flying: Vec<(Instant, u64, usize, Bytes)>,
    dice: Entropy,
    weather: Weather,
    /// First lines of what was sent, by side, with milliseconds since the start.
    log: Vec<(u128, usize, String)>,
    /// Drops the n-th packet of a side whose first line starts so.
    drop_first: Vec<(usize, &'static str)>,
    reliable: bool,
    order: u64,
    /// Stands in for the Content-Type of what the called side sends.
    session_expires: Option<String>,
}

fn address(side: usize) -> std::net::SocketAddr {
    ([10, 0, 0, side as u8 + 1], 5060).into()
}

impl Pair {
    fn new(seed: u64, weather: Weather, transport: Transport) -> Self {
        let now = Instant::now();
        let stack = |side: usize| {
            let local = move |_: Peer| Local::new(&address(side).ip().to_string(), 5060);
            let entropy = Entropy::Seeded(seed * 2 + side as u64);
            let mut stack =
                Stack::new("test".into(), SignalingLimits::default(), SipTimers::default(), entropy, Box::new(local));
            let trunk = TrunkConfig::new("other", transport, address(1 - side).ip().to_string(), 5060);
            stack.set_trunks(now, vec![trunk]);
            stack
        };
        Self {
            now,
            start: now,
            stacks: [stack(0), stack(1)],
            events: Default::default(),
            flying: Vec::new(),
            dice: Entropy::Seeded(seed ^ 0x5eed),
            weather,
            log: Vec::new(),
            drop_first: Vec::new(),
            reliable: transport.is_reliable(),
            order: 0,
            session_expires: None,
        }
    }

    fn call(&mut self, ring_timeout: Duration) -> CallKey {
        let key = CallKey(7);
        let request = CallRequest {
            key,
            trunk: "other".into(),
            to_user: "+19165550100".into(),
            caller_id: Some("+19165550000".into()),
            display_name: None,
            sdp: OFFER.into(),
            ring_timeout,
            call_id: "pair".into(),
            from_tag: "near".into(),
            branch: "first".into(),
            extra_headers: Vec::new(),
        };
        self.stacks[0].place_call(self.now, &request);
        self.drain();
        key
    }

    fn drain(&mut self) {
        for side in 0..2 {
            while let Some(output) = self.stacks[side].poll_output() {
                match output {
                    Output::Send { bytes, .. } => self.fly(side, bytes),
                    Output::Event(event) => self.events[side].push_back(*event),
                    Output::Resolve { .. } | Output::Admit(_) | Output::Dismiss(_) | Output::Allow(_) => {}
                }
            }
        }
    }

    fn fly(&mut self, side: usize, mut bytes: Bytes) {
        if let (1, Some(header)) = (side, &self.session_expires) {
            bytes = String::from_utf8_lossy(&bytes).replace("Content-Type", header).into();
        }
        let line = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        let dropped = self.drop_first.iter().position(|(from, start)| *from == side && line.starts_with(start));
        self.log.push(((self.now - self.start).as_millis(), side, line));
        if let Some(at) = dropped {
            self.drop_first.remove(at);
            return;
        }
        let copies = if self.chance(self.weather.double_percent) { 2 } else { 1 };
        for _ in 0..copies {
            if self.chance(self.weather.loss_percent) {
                continue;
            }
            let delay = 10 + self.dice.between(0, self.weather.jitter_ms + 1);
            self.order += 1;
            self.flying.push((self.now + Duration::from_millis(delay), self.order, 1 - side, bytes.clone()));
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        percent > 0 && self.dice.between(0, 100) < percent
    }

    /// Goes to the next arrival or alarm; false when there is none before `until`.
    fn step(&mut self, until: Instant) -> bool {
        let arrival = self.flying.iter().map(|(at, order, ..)| (*at, *order)).min();
        let alarm = self.stacks.iter_mut().filter_map(Stack::next_deadline).min();
        let next = match (arrival.map(|(at, _)| at), alarm) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => match a.or(b) {
                Some(at) => at,
                None => return false,
            },
        };
        if next > until {
            self.now = until;
            return false;
        }
        self.now = self.now.max(next);
        if arrival.is_some_and(|(at, _)| at <= self.now) {
            let (index, _) = self.flying.iter().enumerate().min_by_key(|(_, p)| (p.0, p.1)).expect("one is flying");
            let (_, _, side, bytes) = self.flying.swap_remove(index);
            let transport = if self.reliable { Transport::Tcp } else { Transport::Udp };
            let parsed = parse_datagram(&bytes, 128).expect("our own messages can be read");
            self.stacks[side].receive(self.now, Peer { transport, address: address(1 - side) }, parsed);
        } else {
            for stack in &mut self.stacks {
                stack.on_timeout(self.now);
            }
        }
        self.drain();
        true
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Runs until an event of a side is as wanted; what came before it is dropped.
    fn until(&mut self, side: usize, wanted: impl Fn(&SignalingEvent) -> bool) -> Option<SignalingEvent> {
        let until = self.now + Duration::from_secs(600);
        loop {
            while let Some(event) = self.events[side].pop_front() {
                if wanted(&event) {
                    return Some(event);
                }
            }
            if !self.step(until) {
                return None;
            }
        }
    }

    fn incoming(&mut self) -> Option<CallKey> {
        self.until(1, |event| matches!(event, SignalingEvent::Incoming { .. })).and_then(|event| event.key())
    }

    fn answered(&mut self, side: usize) -> bool {
        self.until(side, |event| matches!(event, SignalingEvent::Answered { .. })).is_some()
    }

    fn over(&mut self, side: usize) -> Option<SignalingEvent> {
        self.until(side, |e| matches!(e, SignalingEvent::Ended { .. } | SignalingEvent::Failed { .. }))
    }

    /// When a side sent messages that start so, in milliseconds.
    fn times(&self, side: usize, start: &str) -> Vec<u128> {
        self.log.iter().filter(|(_, from, line)| *from == side && line.starts_with(start)).map(|(at, ..)| *at).collect()
    }

    /// After all timers nothing may be left behind, and no alarm ring for ever.
    fn assert_empty(&mut self) {
        self.run(Duration::from_secs(200));
        for (side, stack) in self.stacks.iter().enumerate() {
            assert_eq!(stack.sizes(), (0, 0), "side {side} forgets everything");
            assert!(stack.dialogs.is_empty() && stack.client_index.is_empty() && stack.server_index.is_empty());
            assert!(stack.invites.is_empty());
            assert!(stack.alarms.len() <= 2, "side {side} has {} alarms left", stack.alarms.len());
        }
    }
}

#[test]
fn a_call_in_fair_weather() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::new(1, FAIR, transport);
        let key = pair.call(Duration::from_secs(30));
        let theirs = pair.incoming().expect("incoming");
        pair.stacks[1].ring(pair.now, theirs, 180, None);
        pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
        pair.drain();
        assert!(pair.answered(0) && pair.answered(1));
        pair.run(Duration::from_secs(3_600));
        pair.stacks[0].hang_up(pair.now, key);
        pair.drain();
        assert_eq!(pair.over(0), Some(SignalingEvent::Ended { key, by: EndedBy::Local }));
        assert_eq!(pair.over(1), Some(SignalingEvent::Ended { key: theirs, by: EndedBy::Remote }));
        assert_eq!((pair.times(0, "INVITE").len(), pair.times(1, "SIP/2.0 200").len()), (1, 2), "nothing is repeated");
        pair.assert_empty();
    }
}

/// Every call ends the same on both sides, whatever the weather: answered by both and ended by both, or failed.
#[test]
fn calls_in_any_weather() {
    let (mut answered, mut all) = (0, 0);
    for seed in 0..400 {
        let weather = Weather { loss_percent: seed % 5 * 8, double_percent: seed % 3 * 20, jitter_ms: seed % 4 * 300 };
        let mut pair = Pair::new(seed, weather, Transport::Udp);
        let key = pair.call(Duration::from_secs(60));
        let Some(theirs) = pair.incoming() else { continue };
        all += 1;
        pair.stacks[1].ring(pair.now, theirs, 180, None);
        pair.run(Duration::from_millis(seed % 7 * 300));
        pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
        pair.drain();
        pair.run(Duration::from_secs(40));
        answered += usize::from(pair.answered(0));
        let (side, hanging) = if seed % 2 == 0 { (0, key) } else { (1, theirs) };
        pair.stacks[side].hang_up(pair.now, hanging);
        if seed % 5 == 0 {
            let (side, hanging) = if seed % 2 == 0 { (1, theirs) } else { (0, key) };
            pair.stacks[side].hang_up(pair.now, hanging);
        }
        pair.drain();
        pair.run(Duration::from_secs(100));
        for side in 0..2 {
            let last = |e: &&SignalingEvent| matches!(e, SignalingEvent::Ended { .. } | SignalingEvent::Failed { .. });
            let ends = pair.events[side].iter().filter(last).count();
            assert!(ends <= 1, "seed {seed}: side {side} ended twice");
        }
        pair.assert_empty();
    }
    assert!(all > 390 && answered > all - 10, "{answered} of {all} calls were answered");
}

#[test]
fn giving_up_in_any_weather_never_leaves_a_call_behind() {
    for seed in 0..400 {
        let weather = Weather { loss_percent: seed % 4 * 10, double_percent: seed % 3 * 20, jitter_ms: seed % 5 * 200 };
        let mut pair = Pair::new(seed, weather, Transport::Udp);
        let key = pair.call(Duration::from_secs(60));
        let theirs = pair.incoming();
        if let Some(theirs) = theirs {
            pair.stacks[1].ring(pair.now, theirs, 180, None);
            pair.drain();
        }
        pair.run(Duration::from_millis(seed * 13 % 900));
        pair.stacks[0].hang_up(pair.now, key);
        if let (Some(theirs), true) = (theirs, seed % 2 == 0) {
            pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
        }
        pair.drain();
        let end = pair.over(0).unwrap_or_else(|| panic!("seed {seed}: it must end"));
        let cancelled = matches!(end, SignalingEvent::Failed { cause: FailureCause::Cancelled, .. });
        let ended = matches!(end, SignalingEvent::Ended { .. });
        assert!(cancelled || ended, "seed {seed}: {end:?}");
        if theirs.is_some() {
            let over = pair.over(1).is_some();
            assert!(over, "seed {seed}: the other side is told {:#?}", pair.log);
        }
        pair.assert_empty();
    }
}

#[test]
fn cancel_waits_for_a_provisional_and_ends_the_ringing() {
    let mut pair = Pair::new(3, FAIR, Transport::Udp);
    pair.drop_first = vec![(1, "SIP/2.0 100")];
    let key = pair.call(Duration::from_secs(60));
    pair.stacks[0].hang_up(pair.now, key);
    pair.drain();
    let theirs = pair.incoming().expect("incoming");
    assert!(pair.times(0, "CANCEL").is_empty(), "no provisional has come");
    assert_eq!(pair.over(1), Some(SignalingEvent::Ended { key: theirs, by: EndedBy::Remote }));
    let Some(SignalingEvent::Failed { status: Some(487), cause, .. }) = pair.over(0) else { panic!("failed by 487") };
    assert_eq!(cause, FailureCause::Cancelled);
    assert_eq!(pair.times(0, "CANCEL"), [520], "after the repeated INVITE was answered by 100");
    pair.assert_empty();
}

#[test]
fn nobody_there() {
    let mut pair = Pair::new(4, Weather { loss_percent: 100, ..FAIR }, Transport::Udp);
    let key = pair.call(Duration::from_secs(60));
    let expected = SignalingEvent::Failed {
        key,
        status: None,
        cause: FailureCause::Unreachable,
        reason: Some("no response".into()),
    };
    assert_eq!(pair.over(0), Some(expected));
    assert_eq!(pair.now - pair.start, Duration::from_secs(32), "timer B");
    assert_eq!(pair.times(0, "INVITE"), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "timer A");
    pair.assert_empty();
}

#[test]
fn a_lost_ack_brings_the_200_again() {
    let mut pair = Pair::new(5, FAIR, Transport::Udp);
    pair.drop_first = vec![(0, "ACK"), (0, "ACK")];
    pair.call(Duration::from_secs(60));
    let theirs = pair.incoming().expect("incoming");
    pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
    pair.drain();
    assert!(pair.answered(1));
    assert_eq!(pair.times(1, "SIP/2.0 200"), [10, 510, 1_510]);
    assert_eq!(pair.times(0, "ACK").len(), 3);
}

#[test]
fn a_200_without_any_ack_ends_the_call() {
    let mut pair = Pair::new(6, FAIR, Transport::Udp);
    pair.drop_first = vec![(0, "ACK"); 40];
    pair.call(Duration::from_secs(60));
    let theirs = pair.incoming().expect("incoming");
    pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
    pair.drain();
    assert_eq!(pair.over(1), Some(SignalingEvent::Ended { key: theirs, by: EndedBy::Timeout }));
    assert_eq!(
        pair.times(1, "SIP/2.0 200")[..11],
        [10, 510, 1_510, 3_510, 7_510, 11_510, 15_510, 19_510, 23_510, 27_510, 31_510],
        "T1 doubling up to T2 until 64·T1"
    );
    assert!(matches!(pair.over(0), Some(SignalingEvent::Ended { by: EndedBy::Remote, .. })), "BYE reached the caller");
}

#[test]
fn the_ring_timeout_is_no_answer() {
    let mut pair = Pair::new(7, FAIR, Transport::Udp);
    let key = pair.call(Duration::from_secs(20));
    let theirs = pair.incoming().expect("incoming");
    pair.stacks[1].ring(pair.now, theirs, 180, None);
    pair.drain();
    let Some(SignalingEvent::Failed { key: failed, cause, .. }) = pair.over(0) else { panic!("failed") };
    assert_eq!((failed, cause), (key, FailureCause::NoAnswer));
    assert_eq!(pair.times(0, "CANCEL"), [20_000]);
}

#[test]
fn a_provisional_is_repeated_every_minute() {
    let mut pair = Pair::new(8, FAIR, Transport::Udp);
    pair.call(Duration::from_secs(200));
    let theirs = pair.incoming().expect("incoming");
    pair.stacks[1].ring(pair.now, theirs, 180, None);
    pair.drain();
    pair.run(Duration::from_secs(130));
    assert_eq!(pair.times(1, "SIP/2.0 180"), [10, 60_010, 120_010]);
}

#[test]
fn both_sides_change_the_session_at_once() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed, Weather { jitter_ms: 50, loss_percent: seed % 3 * 5, ..FAIR }, Transport::Udp);
        let key = pair.call(Duration::from_secs(60));
        let theirs = pair.incoming().expect("incoming");
        pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
        pair.drain();
        assert!(pair.answered(0) && pair.answered(1));
        pair.stacks[0].reinvite(pair.now, key, format!("{OFFER}a=one\r\n"));
        pair.stacks[1].reinvite(pair.now, theirs, format!("{ANSWER}a=two\r\n"));
        pair.drain();
        let mut answers = [0, 0];
        let until = pair.now + Duration::from_secs(40);
        while pair.step(until) {
            for (side, answered) in answers.iter_mut().enumerate() {
                while let Some(event) = pair.events[side].pop_front() {
                    match event {
                        SignalingEvent::RemoteSdp { key, .. } => {
                            pair.stacks[side].accept_reinvite(
                                pair.now,
                                key,
                                format!("v=0 by {side} at {}", pair.order),
                            );
                        }
                        SignalingEvent::RemoteAnswer { .. } => *answered += 1,
                        SignalingEvent::Ended { .. } => panic!("seed {seed}: the call must live"),
                        _ => {}
                    }
                }
            }
            pair.drain();
        }
        assert_eq!(answers, [1, 1], "seed {seed}: each offer is answered once, one after the other");
    }
}

#[test]
fn a_lost_peer_is_noticed_by_bye() {
    let mut pair = Pair::new(9, FAIR, Transport::Udp);
    let key = pair.call(Duration::from_secs(60));
    let theirs = pair.incoming().expect("incoming");
    pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
    pair.drain();
    assert!(pair.answered(0));
    pair.weather.loss_percent = 100;
    let before = pair.now;
    pair.stacks[0].hang_up(pair.now, key);
    pair.drain();
    assert_eq!(pair.over(0), Some(SignalingEvent::Ended { key, by: EndedBy::Local }));
    assert_eq!(pair.now - before, Duration::from_secs(2), "the user does not wait for timer F");
}

/// A far side that wants the session refreshed by us, by UPDATE (RFC 4028), and one that promises to refresh and does not.
#[test]
fn session_timers() {
    for (refresher, expected) in [("uac", "kept"), ("uas", "lost")] {
        let mut pair = Pair::new(10, FAIR, Transport::Udp);
        let key = pair.call(Duration::from_secs(60));
        let theirs = pair.incoming().expect("incoming");
        pair.session_expires = Some(format!("Session-Expires: 600;refresher={refresher}\r\nContent-Type"));
        pair.stacks[1].accept(pair.now, theirs, ANSWER.into());
        pair.drain();
        assert!(pair.answered(0) && pair.answered(1));
        pair.session_expires = None;
        pair.run(Duration::from_secs(599));
        match expected {
            "kept" => {
                assert_eq!(pair.times(0, "UPDATE"), [300_020], "at half of the interval");
                assert!(pair.events[0].is_empty());
            }
            _ => {
                assert_eq!(pair.over(0), Some(SignalingEvent::Ended { key, by: EndedBy::Timeout }));
                assert_eq!(pair.times(0, "BYE"), [568_020], "32 s before the end");
            }
        }
    }
}
