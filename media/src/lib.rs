//! The media plane: sound between browsers (WebRTC) and carriers (RTP), on threads of its own.
//!
//! One invariant carries everything: *a packet that comes in goes out before the next one is read.* A thread
//! reads a datagram (`demux.rs` for browsers, `latch.rs` for carriers decide whether it may come in), hands the
//! sound to the leg's recorder, shifts it onto the other leg's own stream (`output.rs`) and sends it. There is no
//! queue, no jitter buffer and no tick on that way; only what is made here (prompts, DTMF, silence, mixes) ticks.
//!
//! | file | what |
//! |---|---|
//! | `media.rs` | the handle; runs on the caller's side, negotiates, sends commands |
//! | `thread.rs`, `flow.rs`, `orders.rs`, `moving.rs` | the epoll loop; a packet's way; commands; changing threads |
//! | `leg.rs`, `wire.rs` | state of one party; putting packets on the wire |
//! | `webrtc_leg.rs`, `offer_filter.rs`, `demux.rs`, `stun.rs` | browsers, and the guard before DTLS |
//! | `sdp.rs`, `sdes.rs`, `srtp.rs`, `latch.rs`, `ports.rs` | carriers |
//! | `room.rs`, `jitter_buffer.rs` | several legs mixed, the only place where sound waits |
//! | `rtp.rs`, `rtcp.rs`, `receive.rs`, `quality.rs`, `output.rs`, `dtmf.rs`, `player.rs` | the formats |
//! | `codec.rs`, `g711.rs`, `g722.rs`, `opus.rs` | sound of 8 kHz from what travels, and back |

mod codec;
mod command;
mod config;
mod demux;
mod dtmf;
mod event;
mod flow;
mod frame;
mod g711;
mod g722;
mod jitter_buffer;
mod keying;
mod latch;
mod leg;
mod media;
mod moving;
mod offer_filter;
mod opus;
mod orders;
mod output;
mod player;
mod ports;
mod quality;
mod receive;
mod room;
mod rtcp;
mod rtp;
mod sdes;
mod sdp;
mod srtp;
mod stats;
mod stun;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod webrtc_leg;
mod wire;

pub use codec::{Decoder, Encoder};
pub use config::{Codecs, MediaConfig, MediaLimits, RtpTerms};
pub use event::{DisconnectReason, LegKey, MediaError, MediaEvent, MediaEvents};
pub use frame::{Codec, Frame, FrameSink};
pub use media::{Circle, Media};
pub use player::Pcm8k;
pub use room::{RoomKey, Voice};
pub use sdes::Encryption;
pub use sdp::SdpError;
pub use stats::{LegStats, MediaStats};
