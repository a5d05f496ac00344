//! Peers for tests and the load generator: a carrier that speaks RTP, a browser that speaks WebRTC, and tones.
//!
//! All of them are driven by their owner: nothing here starts a thread or sleeps, so that one thread can run many. For
//! fuzzing, every reader of bytes from the network is opened in [`ears`].

mod browser_peer;
pub mod ears;
mod rtp_peer;
pub mod tone;

use std::time::Instant;

pub use browser_peer::BrowserPeer;
pub use rtp_peer::RtpPeer;

use crate::frame::Codec;

/// An RTP packet as a peer received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When it was read from the socket.
    pub at: Instant,
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

impl Received {
    /// The packet as linear samples; empty for anything but sound of a static payload type.
    pub fn samples(&self) -> Vec<i16> {
        samples(std::slice::from_ref(self))
    }

    /// What it is encoded in, by its static payload type.
    pub fn codec(&self) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.payload_type() == self.payload_type)
    }
}

/// Joins the audio of packets in the given order.
pub fn samples(packets: &[Received]) -> Vec<i16> {
    let (mut decoder, mut samples) = (crate::Decoder::default(), Vec::new());
    for packet in packets {
        if let Some(codec) = packet.codec() {
            decoder.decode(codec, &packet.payload, &mut samples);
        }
    }
    samples
}
