//! Sender and receiver reports (RFC 3550 §6.4), as much as both sides need to see each other's loss.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::receive::ReportBlock;

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: u64 = 2_208_988_800;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
/// Packets of one compound read; more are ignored.
const MAX_PACKETS: usize = 16;

/// What a report tells about our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) fraction_lost: u8,
    pub(crate) lost: u32,
    /// In timestamp units.
    pub(crate) jitter: u32,
}

/// Figures for a sender report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) wall: SystemTime,
    pub(crate) timestamp: u32,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

/// A compound packet: SR (or RR when nothing was sent) and SDES with a CNAME that says nothing.
pub(crate) fn compound(ssrc: u32, sent: Option<Sent>, block: Option<ReportBlock>) -> Vec<u8> {
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
        out.extend([0; 8]);
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

/// The report block about `ssrc` in a compound packet, if there is one. Never panics on any input.
pub(crate) fn find_report(compound: &[u8], ssrc: u32) -> Option<Reported> {
    let mut rest = compound;
    for _ in 0..MAX_PACKETS {
        let head = rest.get(..4)?;
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        if head[0] >> 6 != 2 {
            return None;
        }
        let packet = rest.get(..length)?;
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
                return Some(Reported { fraction_lost: block[4], lost: word(4) & 0xff_ffff, jitter: word(12) });
            }
        }
        rest = rest.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: ReportBlock = ReportBlock { ssrc: 7, fraction_lost: 12, lost: 3456, highest: 99, jitter: 40 };

    #[test]
    fn what_we_write_we_find() {
        let sent = Sent { wall: UNIX_EPOCH + Duration::from_millis(1500), timestamp: 1, packets: 2, octets: 3 };
        for sent in [None, Some(sent)] {
            let packet = compound(5, sent, Some(BLOCK));
            assert_eq!(packet.len() % 4, 0);
            assert_eq!(find_report(&packet, 7), Some(Reported { fraction_lost: 12, lost: 3456, jitter: 40 }));
            assert_eq!(find_report(&packet, 8), None);
        }
        let report = compound(5, Some(sent), None);
        assert_eq!(u32::from_be_bytes(report[8..12].try_into().unwrap()), 2_208_988_801);
        assert_eq!(u32::from_be_bytes(report[12..16].try_into().unwrap()), 1 << 31);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), ssrc: u32) {
            let _ = find_report(&bytes, ssrc);
            if bytes.len() >= 4 {
                bytes[0] |= 0x80;
                bytes[1] = 200 + (bytes[1] & 1);
                bytes[2] = 0;
                bytes[3] &= 0x1f;
                let _ = find_report(&bytes, ssrc);
            }
        }
    }
}
