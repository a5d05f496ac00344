//! What the media plane hands to a recorder.

use std::time::Instant;

/// The two flavours of G.711, 8000 samples per second, one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The byte that decodes to the quietest sample.
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => 0xff,
            Codec::Pcma => 0xd5,
        }
    }

    /// Name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// Static payload type (RFC 3551).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
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
    /// One byte per sample.
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
