//! DTMF as telephone-event (RFC 4733), received and made.

use std::collections::VecDeque;

/// Samples in one packet of an event: 20 ms.
const STEP: u32 = 160;
/// Packets of a growing event: 100 ms of tone.
const TONE_PACKETS: u32 = 5;
/// The final packet is sent this many times (RFC 4733 §2.5.1.4).
const END_PACKETS: u32 = 3;
/// Ticks of 20 ms between two digits.
const PAUSE_TICKS: u32 = 4;
/// Longest event before it must be continued as a new segment (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xffff;
/// Power level in -dBm0 of what we send (RFC 4733 §2.3.4).
const VOLUME: u8 = 10;

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The payload of a telephone-event packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) code: u8,
    pub(crate) end: bool,
    pub(crate) duration: u16,
}

impl Event {
    pub(crate) fn parse(payload: &[u8]) -> Option<Event> {
        let &[code, flags, high, low] = payload.get(..4)? else { return None };
        Some(Event { code, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }

    pub(crate) fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, (u8::from(self.end) << 7) | VOLUME, high, low]
    }
}

/// The digit of an event code, `None` for codes beyond the sixteen DTMF digits.
pub(crate) fn digit(code: u8) -> Option<char> {
    DIGITS.get(usize::from(code)).map(|&digit| char::from(digit))
}

/// The event code of a digit, upper or lower case.
pub(crate) fn code(digit: char) -> Option<u8> {
    let wanted = digit.to_ascii_uppercase();
    DIGITS.iter().position(|&known| char::from(known) == wanted).map(|position| position as u8)
}

/// Reports each received event once, however often its packets are repeated, lost or late.
#[derive(Debug, Default)]
pub(crate) struct DtmfReceiver {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    timestamp: u32,
    code: u8,
    ended: bool,
}

impl DtmfReceiver {
    /// The digit, when this packet is the first one seen of its event.
    pub(crate) fn receive(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        let event = Event::parse(payload)?;
        let digit = digit(event.code)?;
        if let Some(last) = &mut self.last
            && last.ssrc == ssrc
        {
            let newer = timestamp.wrapping_sub(last.timestamp) as i32;
            if newer == 0 {
                last.ended |= event.end;
                return None;
            }
            if newer < 0 {
                return None;
            }
            if !last.ended && last.code == event.code && newer.unsigned_abs() == SEGMENT {
                *last = Last { ssrc, timestamp, code: event.code, ended: event.end };
                return None;
            }
        }
        self.last = Some(Last { ssrc, timestamp, code: event.code, ended: event.end });
        Some(digit)
    }
}

/// What the sender wants at a 20 ms tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DtmfTick {
    /// First packet of an event: takes the next timestamp and sets the marker.
    Begin(Event),
    /// Further packet with the event's timestamp.
    Continue(Event),
    /// The pause between two digits: nothing is sent.
    Pause,
    /// Nothing left.
    Done,
}

/// Sends digits one after the other, one tick every 20 ms.
#[derive(Debug, Default)]
pub(crate) struct DtmfSender {
    waiting: VecDeque<u8>,
    phase: Phase,
}

#[derive(Debug, Default, Clone, Copy)]
enum Phase {
    #[default]
    Idle,
    Tone {
        code: u8,
        packet: u32,
    },
    Pause {
        left: u32,
    },
}

impl DtmfSender {
    /// Queues what is a digit, up to `limit` waiting ones; the rest is dropped.
    pub(crate) fn push(&mut self, digits: &str, limit: usize) {
        let room = limit.saturating_sub(self.waiting.len());
        self.waiting.extend(digits.chars().filter_map(code).take(room));
    }

    pub(crate) fn is_active(&self) -> bool {
        !self.waiting.is_empty() || !matches!(self.phase, Phase::Idle)
    }

    pub(crate) fn tick(&mut self) -> DtmfTick {
        match self.phase {
            Phase::Idle => match self.waiting.pop_front() {
                None => DtmfTick::Done,
                Some(code) => {
                    self.phase = Phase::Tone { code, packet: 1 };
                    DtmfTick::Begin(Event { code, end: false, duration: STEP as u16 })
                }
            },
            Phase::Tone { code, packet } => {
                let duration = ((packet + 1).min(TONE_PACKETS) * STEP) as u16;
                let end = packet >= TONE_PACKETS;
                self.phase = if packet + 1 == TONE_PACKETS + END_PACKETS {
                    Phase::Pause { left: PAUSE_TICKS }
                } else {
                    Phase::Tone { code, packet: packet + 1 }
                };
                DtmfTick::Continue(Event { code, end, duration })
            }
            Phase::Pause { left } => {
                self.phase = if left > 1 { Phase::Pause { left: left - 1 } } else { Phase::Idle };
                DtmfTick::Pause
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_event_is_reported_once() {
        let mut receiver = DtmfReceiver::default();
        let mut heard = String::new();
        for (timestamp, code, duration, end) in [
            (1000, 5, 160, false),
            (1000, 5, 320, false),
            (1000, 5, 480, true),
            (1000, 5, 480, true),
            (1000, 5, 480, true),
            (9000, 5, 480, true),
            (9000, 5, 480, true),
            (1000, 5, 480, true),
            (17_000, 11, 160, false),
        ] {
            heard.extend(receiver.receive(1, timestamp, &Event { code, end, duration }.to_bytes()));
        }
        assert_eq!(heard, "55#", "a digit whose only packets are end packets counts; a late repeat does not");
    }

    #[test]
    fn a_long_event_in_segments_is_one_digit() {
        let mut receiver = DtmfReceiver::default();
        let long = Event { code: 1, end: false, duration: 0xffff }.to_bytes();
        assert_eq!(receiver.receive(1, 0, &long), Some('1'));
        assert_eq!(receiver.receive(1, 0xffff, &long), None);
        assert_eq!(receiver.receive(1, 0x1_fffe, &Event { code: 1, end: true, duration: 10 }.to_bytes()), None);
        assert_eq!(receiver.receive(2, 0, &long), Some('1'), "a new source starts anew");
    }

    #[test]
    fn sent_digits_grow_end_three_times_and_pause() {
        let mut sender = DtmfSender::default();
        sender.push("5x#", 8);
        let mut ticks = Vec::new();
        loop {
            let tick = sender.tick();
            if tick == DtmfTick::Done {
                break;
            }
            ticks.push(tick);
        }
        assert!(!sender.is_active());
        let one = &ticks[..ticks.len() / 2];
        assert_eq!(one[0], DtmfTick::Begin(Event { code: 5, end: false, duration: 160 }));
        let durations: Vec<_> = one
            .iter()
            .filter_map(|tick| match tick {
                DtmfTick::Continue(event) => Some((event.duration, event.end)),
                _ => None,
            })
            .collect();
        assert_eq!(
            durations,
            [(320, false), (480, false), (640, false), (800, false), (800, true), (800, true), (800, true)]
        );
        assert_eq!(one.iter().filter(|tick| **tick == DtmfTick::Pause).count(), 4);
        assert!(matches!(ticks[ticks.len() / 2], DtmfTick::Begin(Event { code: 11, .. })));
    }

    #[test]
    fn waiting_digits_are_bounded() {
        let mut sender = DtmfSender::default();
        sender.push(&"1".repeat(100), 8);
        sender.push("2", 8);
        assert_eq!(sender.waiting.len(), 8);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(ssrc: u32, timestamp: u32, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut receiver = DtmfReceiver::default();
            let _ = receiver.receive(ssrc, 5, &[1, 0, 0, 160]);
            let _ = receiver.receive(ssrc, timestamp, &bytes);
        }
    }
}
