//! What the media plane hands to a recorder.

use std::time::Instant;

use crate::g711::Law;
use crate::g722;

/// How sound travels. One byte of each is an eighth of a millisecond, and each counts 8000 timestamps a second: G.722 by a
/// mistake that RFC 3551 §4.5.2 keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
}

impl Codec {
    /// Every codec there is, the cheapest first.
    pub const ALL: [Codec; 3] = [Codec::Pcmu, Codec::Pcma, Codec::G722];

    /// The byte that decodes to the quietest sample.
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => 0xff,
            Codec::Pcma => 0xd5,
            Codec::G722 => g722::SILENCE,
        }
    }

    /// By the name in SDP, in any case.
    pub fn named(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Which flavour of G.711 it is, where a byte means the same whatever came before it.
    pub(crate) const fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 => None,
        }
    }

    /// Name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
        }
    }

    /// Static payload type (RFC 3551).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
        }
    }
}

/// One accepted audio packet as it came in, in arrival order: may be reordered or repeated.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// How `payload` is encoded.
    pub codec: Codec,
    /// RTP timestamp of the first sample, 8000 per second, wraps.
    pub rtp_timestamp: u32,
    /// RTP sequence number, wraps.
    pub sequence: u16,
    /// Source; a change means a new timeline of sequence numbers and timestamps.
    pub ssrc: u32,
    /// When the datagram was read.
    pub arrived: Instant,
    /// One byte for each tick of the timestamp.
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
