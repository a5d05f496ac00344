//! What the media plane hands to a recorder.

use std::time::Instant;

use crate::g711::{self, Law};
use crate::{g722, opus};

/// How sound travels. One byte of all but Opus is an eighth of a millisecond, and they count 8000 timestamps a second: G.722 by a
/// mistake that RFC 3551 §4.5.2 keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// Every codec there is, the cheapest first.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The byte that decodes to the quietest sample, where bytes are samples.
    pub const fn silence(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0xff),
            Codec::Pcma => Some(0xd5),
            Codec::G722 => Some(g722::SILENCE),
            Codec::Opus => None,
        }
    }

    /// Writes a payload that says nothing for as long as this one speaks; gives its length.
    pub(crate) fn hush(self, payload: &[u8], out: &mut [u8]) -> usize {
        match self.silence() {
            Some(byte) => {
                let length = payload.len().min(out.len());
                out.iter_mut().take(length).for_each(|out| *out = byte);
                length
            }
            None => opus::silence(payload, out),
        }
    }

    /// Timestamps a second.
    pub const fn clock(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => g711::CLOCK,
            Codec::Opus => opus::CLOCK,
        }
    }

    /// Timestamps that a payload takes.
    pub(crate) fn ticks(self, payload: &[u8]) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => u32::try_from(payload.len()).unwrap_or(u32::MAX),
            Codec::Opus => opus::ticks(payload),
        }
    }

    /// As session descriptions have it (RFC 7587 §7: Opus is always named as stereo).
    pub(crate) const fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            Codec::G722 => "G722/8000",
            Codec::Opus => "opus/48000/2",
        }
    }

    /// By what session descriptions have; one channel need not be named.
    pub(crate) fn encoded(encoding: &str) -> Option<Codec> {
        let plain = encoding.strip_suffix("/1").unwrap_or(encoding);
        Codec::ALL.into_iter().find(|codec| codec.encoding().eq_ignore_ascii_case(plain))
    }

    /// Which flavour of G.711 it is, where a byte means the same whatever came before it.
    pub(crate) const fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 | Codec::Opus => None,
        }
    }

    /// Name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// Static payload type (RFC 3551); of Opus the one that browsers and we offer.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Opus => 111,
        }
    }
}

/// One accepted audio packet as it came in, in arrival order: may be reordered or repeated.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// How `payload` is encoded.
    pub codec: Codec,
    /// Timestamp of the first sample, 8000 per second whatever the codec's clock, wraps.
    pub rtp_timestamp: u32,
    /// RTP sequence number, wraps.
    pub sequence: u16,
    /// Source; a change means a new timeline of sequence numbers and timestamps.
    pub ssrc: u32,
    /// When the datagram was read.
    pub arrived: Instant,
    /// To be read by a [`crate::Decoder`] of its own.
    pub payload: &'a [u8],
}

/// Receives what one party says. Called on a media thread: no method may block or take long.
pub trait FrameSink: Send {
    /// One accepted audio packet.
    fn frame(&mut self, frame: Frame<'_>);
    /// A named stretch (announcement, hold, …) begins or ends.
    fn mark(&mut self, name: &str, begin: bool, at: Instant);
    /// Nothing more will come.
    fn finish(&mut self);
}
