//! Sender and receiver reports (RFC 3550 §6.4), as much as both sides need to see each other's loss.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::receive::ReportBlock;

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: u64 = 2_208_988_800;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
/// No telephone line takes longer (30 s, in 65536ths): what seems to is a clock that was set, or a wrong report.
const MAX_ROUND_TRIP: u32 = 30 << 16;
/// Packets of one compound read; more are ignored.
const MAX_PACKETS: usize = 16;

/// What a report tells about our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) fraction_lost: u8,
    pub(crate) lost: u32,
    /// In timestamp units.
    pub(crate) jitter: u32,
    /// Middle of the time in our last sender report that came there; 0 = none did.
    pub(crate) last_report: u32,
    /// Since then, in 65536ths of a second.
    pub(crate) delay: u32,
}

/// Whose compound packet this is: the SSRC of its first report, which encryption leaves readable.
pub(crate) fn sender(datagram: &[u8]) -> Option<u32> {
    datagram.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
}

/// What a compound packet brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Brought {
    pub(crate) about_us: Option<Reported>,
    /// Middle of the time in the far side's sender report.
    pub(crate) sent: Option<u32>,
}

/// The middle 32 bits of NTP time: 65536ths of a second, which wrap after 18 hours.
pub(crate) fn middle(wall: SystemTime) -> u32 {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
    (((since.as_secs() + NTP_TO_UNIX) << 16) | fraction) as u32
}

/// To the far side and back (RFC 3550 §6.4.1): now, less when we sent, less what it kept us waiting. `None` when it has
/// heard no report yet, or says what cannot be.
pub(crate) fn round_trip(now: u32, reported: Reported) -> Option<Duration> {
    if reported.last_report == 0 {
        return None;
    }
    let took = now.wrapping_sub(reported.last_report).wrapping_sub(reported.delay);
    (took < MAX_ROUND_TRIP).then(|| Duration::from_micros((u64::from(took) * 1_000_000) >> 16))
}

/// Figures for a sender report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) wall: SystemTime,
    pub(crate) timestamp: u32,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

/// When the far side's last sender report came, for our report about it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    pub(crate) last_report: u32,
    /// Since then, in 65536ths of a second.
    pub(crate) delay: u32,
}

impl Heard {
    pub(crate) fn of(sender_report: Option<(u32, Instant)>, now: Instant) -> Heard {
        sender_report.map_or_else(Heard::default, |(last_report, came)| {
            let since = now.saturating_duration_since(came).as_micros();
            Heard { last_report, delay: u32::try_from((since << 16) / 1_000_000).unwrap_or(u32::MAX) }
        })
    }
}

/// A compound packet: SR (or RR when nothing was sent) and SDES with a CNAME that says nothing.
pub(crate) fn compound(ssrc: u32, sent: Option<Sent>, block: Option<ReportBlock>, heard: Heard) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    let count = u8::from(block.is_some());
    out.extend([0x80 | count, if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT }, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    if let Some(sent) = sent {
        let since = sent.wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        out.extend(((since.as_secs() + NTP_TO_UNIX) as u32).to_be_bytes());
        out.extend((((u64::from(since.subsec_nanos())) << 32) / 1_000_000_000).to_be_bytes()[4..].iter());
        out.extend(sent.timestamp.to_be_bytes());
        out.extend((sent.packets as u32).to_be_bytes());
        out.extend((sent.octets as u32).to_be_bytes());
    }
    if let Some(block) = block {
        out.extend(block.ssrc.to_be_bytes());
        out.extend(((u32::from(block.fraction_lost) << 24) | (block.lost & 0xff_ffff)).to_be_bytes());
        out.extend(block.highest.to_be_bytes());
        out.extend(block.jitter.to_be_bytes());
        out.extend(heard.last_report.to_be_bytes());
        out.extend(heard.delay.to_be_bytes());
    }
    set_length(&mut out, 0);
    let start = out.len();
    out.extend([0x81, SOURCE_DESCRIPTION, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, 8]);
    out.extend(b"ringback");
    out.extend([0; 2]);
    set_length(&mut out, start);
    out
}

fn set_length(out: &mut [u8], start: usize) {
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// Reads a compound packet: the report block about `ssrc`, and when it was sent. Never panics on any input.
pub(crate) fn read(compound: &[u8], ssrc: u32) -> Brought {
    let mut brought = Brought::default();
    read_into(&mut brought, compound, ssrc);
    brought
}

/// `None` where it ends or makes no sense any more.
fn read_into(brought: &mut Brought, compound: &[u8], ssrc: u32) -> Option<()> {
    let mut rest = compound;
    for _ in 0..MAX_PACKETS {
        let head = rest.get(..4)?;
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        if head[0] >> 6 != 2 {
            return None;
        }
        let packet = rest.get(..length)?;
        if head[1] == SENDER_REPORT
            && let Some(&[a, b, c, d]) = packet.get(10..14)
        {
            brought.sent = Some(u32::from_be_bytes([a, b, c, d]));
        }
        let blocks = match head[1] {
            SENDER_REPORT => packet.get(28..),
            RECEIVER_REPORT => packet.get(8..),
            _ => None,
        };
        let count = usize::from(head[0] & 0x1f);
        let found = blocks.into_iter().flat_map(|blocks| blocks.chunks_exact(24).take(count));
        for block in found {
            let word = |at: usize| u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
            if word(0) == ssrc {
                brought.about_us = Some(Reported {
                    fraction_lost: block[4],
                    lost: word(4) & 0xff_ffff,
                    jitter: word(12),
                    last_report: word(16),
                    delay: word(20),
                });
            }
        }
        rest = rest.get(length..)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: ReportBlock = ReportBlock { ssrc: 7, fraction_lost: 12, lost: 3456, highest: 99, jitter: 40 };

    #[test]
    fn what_we_write_we_find() {
        let sent = Sent { wall: UNIX_EPOCH + Duration::from_millis(1500), timestamp: 1, packets: 2, octets: 3 };
        let heard = Heard { last_report: 0xabcd_1234, delay: 98_304 };
        for sent in [None, Some(sent)] {
            let packet = compound(5, sent, Some(BLOCK), heard);
            assert_eq!(packet.len() % 4, 0);
            let about_us =
                Reported { fraction_lost: 12, lost: 3456, jitter: 40, last_report: 0xabcd_1234, delay: 98_304 };
            let time = sent.map(|sent| middle(sent.wall));
            assert_eq!(read(&packet, 7), Brought { about_us: Some(about_us), sent: time });
            assert_eq!(read(&packet, 8), Brought { about_us: None, sent: time });
        }
        let report = compound(5, Some(sent), None, heard);
        assert_eq!(u32::from_be_bytes(report[8..12].try_into().unwrap()), 2_208_988_801);
        assert_eq!(u32::from_be_bytes(report[12..16].try_into().unwrap()), 1 << 31);
    }

    #[test]
    fn a_round_trip_is_what_is_left_of_the_time() {
        let sent = middle(UNIX_EPOCH + Duration::from_millis(1_000_000));
        let now = middle(UNIX_EPOCH + Duration::from_millis(1_001_750));
        let reported = Reported { fraction_lost: 0, lost: 0, jitter: 0, last_report: sent, delay: 3 << 15 };
        let trip = round_trip(now, reported).unwrap();
        assert!((249..=251).contains(&trip.as_millis()), "1.75 s less 1.5 s, not {trip:?}");
        assert_eq!(round_trip(now, Reported { last_report: 0, ..reported }), None);
        assert_eq!(round_trip(now, Reported { delay: 5 << 16, ..reported }), None, "waited longer than it took");
        let came = Instant::now();
        assert_eq!(Heard::of(Some((9, came)), came + Duration::from_millis(1500)).delay, 3 << 15);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), ssrc: u32) {
            let _ = read(&bytes, ssrc);
            if bytes.len() >= 4 {
                bytes[0] |= 0x80;
                bytes[1] = 200 + (bytes[1] & 1);
                bytes[2] = 0;
                bytes[3] &= 0x1f;
                let _ = read(&bytes, ssrc);
            }
        }
    }
}
