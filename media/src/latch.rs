//! Which source may speak on a carrier's leg: the address of the SDP, or once, for NAT, the first
//! steady source in the first seconds; after that never another (no RTP bleed).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Consecutive packets of one foreign source before it is believed.
const PROBATION: u8 = 3;
/// And so long it must have been speaking, with nothing from the address of the SDP: a volley that is fired at every port in the
/// moment before the right party's first packet is not believed.
const STEADY: Duration = Duration::from_millis(200);
/// A latched address may change its SSRC when the old one has been silent for this long.
const SSRC_HANDOVER: Duration = Duration::from_millis(100);

/// Whether a packet's source is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Drop,
}

/// Source filter of one RTP leg.
#[derive(Debug)]
pub(crate) struct Latch {
    state: State,
    window: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No SDP of the far side yet.
    Unknown,
    /// The SDP named `expected`; until `until` another source may be taken instead.
    Open { expected: SocketAddr, until: Instant, candidate: Option<Candidate> },
    /// Only this source, for good.
    Fixed { expected: SocketAddr, address: SocketAddr, ssrc: u32, heard: Instant },
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    count: u8,
    since: Instant,
}

impl Latch {
    pub(crate) fn new(window: Duration) -> Self {
        Latch { state: State::Unknown, window }
    }

    /// The far side's SDP names `expected`. The same address again changes nothing; a new one opens the window anew.
    pub(crate) fn expect(&mut self, now: Instant, expected: SocketAddr) {
        let known = match self.state {
            State::Unknown => None,
            State::Open { expected, .. } | State::Fixed { expected, .. } => Some(expected),
        };
        if known != Some(expected) {
            self.state = State::Open { expected, until: now + self.window, candidate: None };
        }
    }

    /// Where to send: the latched source, before that the address of the SDP.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        match self.state {
            State::Unknown => None,
            State::Open { expected, .. } => Some(expected),
            State::Fixed { address, .. } => Some(address),
        }
    }

    /// Whether [`Latch::judge`] could accept a packet from there at all; changes nothing.
    pub(crate) fn may_come_from(&self, from: SocketAddr) -> bool {
        match self.state {
            State::Unknown => false,
            State::Open { .. } => true,
            State::Fixed { address, .. } => from == address,
        }
    }

    /// Judges a packet whose payload type was negotiated.
    pub(crate) fn judge(&mut self, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        match &mut self.state {
            State::Unknown => Verdict::Drop,
            State::Open { expected, until, candidate } => {
                let expected = *expected;
                let steady = from == expected || (now <= *until && probation(candidate, now, from, ssrc, sequence));
                if !steady {
                    return Verdict::Drop;
                }
                self.state = State::Fixed { expected, address: from, ssrc, heard: now };
                Verdict::Accept
            }
            State::Fixed { address, ssrc: current, heard, .. } => {
                if from != *address {
                    return Verdict::Drop;
                }
                if ssrc != *current && now.saturating_duration_since(*heard) < SSRC_HANDOVER {
                    return Verdict::Drop;
                }
                (*current, *heard) = (ssrc, now);
                Verdict::Accept
            }
        }
    }
}

/// Counts consecutive packets of one foreign source; true once it has proved steady.
fn probation(candidate: &mut Option<Candidate>, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> bool {
    let (count, since) = match candidate {
        Some(known) if known.address == from && known.ssrc == ssrc && sequence == known.sequence.wrapping_add(1) => {
            (known.count.saturating_add(1), known.since)
        }
        // A second source cannot push the first one out while that one goes on.
        Some(known) if known.address != from && known.count > 1 => {
            known.count -= 1;
            return false;
        }
        _ => (1, now),
    };
    *candidate = Some(Candidate { address: from, ssrc, sequence, count, since });
    count >= PROBATION && now.saturating_duration_since(since) >= STEADY
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3);

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn the_address_of_the_sdp_is_taken_at_once_and_kept() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        assert_eq!(latch.judge(now, address(1), 7, 0), Verdict::Drop, "no SDP, no sound");
        latch.expect(now, address(1));
        assert_eq!(latch.judge(now, address(1), 7, 1), Verdict::Accept);
        assert_eq!(latch.judge(now, address(2), 7, 2), Verdict::Drop);
        assert_eq!(latch.judge(now, address(1), 7, 2), Verdict::Accept);
        assert_eq!(latch.destination(), Some(address(1)));
    }

    #[test]
    fn a_source_behind_nat_is_learnt_once_in_the_window() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        for packet in 0..10u16 {
            let at = now + Duration::from_millis(20) * u32::from(packet);
            assert_eq!(latch.judge(at, address(9), 7, 10 + packet), Verdict::Drop, "packet {packet}");
        }
        assert_eq!(latch.judge(now + STEADY, address(9), 7, 20), Verdict::Accept);
        assert_eq!(latch.destination(), Some(address(9)));
        for sequence in 0..50 {
            assert_eq!(latch.judge(now, address(8), 7, sequence), Verdict::Drop);
            assert_eq!(latch.judge(now, address(1), 7, sequence), Verdict::Drop, "never relearnt");
        }
        latch.expect(now, address(1));
        assert_eq!(latch.destination(), Some(address(9)), "the same SDP again changes nothing");
    }

    #[test]
    fn a_volley_just_before_the_first_packet_steals_nothing() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        for sequence in 0..40 {
            assert_eq!(latch.judge(now + Duration::from_millis(19), address(9), 6, sequence), Verdict::Drop);
        }
        assert_eq!(latch.judge(now + Duration::from_millis(20), address(1), 7, 0), Verdict::Accept);
        assert_eq!(latch.destination(), Some(address(1)));
    }

    #[test]
    fn after_the_window_only_the_address_of_the_sdp() {
        let now = Instant::now();
        let late = now + WINDOW + Duration::from_millis(1);
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        for sequence in 0..10 {
            assert_eq!(latch.judge(late, address(9), 7, sequence), Verdict::Drop);
        }
        assert_eq!(latch.judge(late, address(1), 7, 0), Verdict::Accept);
    }

    #[test]
    fn an_injector_does_not_beat_the_named_address() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        assert_eq!(latch.judge(now, address(9), 6, 0), Verdict::Drop);
        assert_eq!(latch.judge(now, address(1), 7, 0), Verdict::Accept);
        assert_eq!(latch.judge(now, address(9), 6, 1), Verdict::Drop);
        assert_eq!(latch.judge(now, address(9), 6, 2), Verdict::Drop);
    }

    #[test]
    fn an_ssrc_changes_only_after_a_pause() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        assert_eq!(latch.judge(now, address(1), 7, 0), Verdict::Accept);
        assert_eq!(
            latch.judge(now + Duration::from_millis(20), address(1), 8, 0),
            Verdict::Drop,
            "spoofed beside a live one"
        );
        assert_eq!(latch.judge(now + Duration::from_millis(120), address(1), 8, 1), Verdict::Accept);
        assert_eq!(latch.judge(now + Duration::from_millis(121), address(1), 7, 1), Verdict::Drop);
    }

    #[test]
    fn a_new_address_in_a_new_sdp_opens_anew() {
        let now = Instant::now();
        let mut latch = Latch::new(WINDOW);
        latch.expect(now, address(1));
        assert_eq!(latch.judge(now, address(1), 7, 0), Verdict::Accept);
        latch.expect(now, address(2));
        assert_eq!(latch.destination(), Some(address(2)));
        assert_eq!(latch.judge(now, address(2), 9, 0), Verdict::Accept);
        assert_eq!(latch.judge(now, address(1), 7, 1), Verdict::Drop);
    }
}
