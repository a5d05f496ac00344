//! The media plane: sound between browsers (WebRTC) and carriers (RTP), on threads of its own.

mod command;
mod config;
mod demux;
mod dtmf;
mod event;
mod flow;
mod frame;
pub mod g711;
mod latch;
mod leg;
mod media;
mod moving;
mod offer_filter;
mod orders;
mod output;
mod player;
mod ports;
mod receive;
mod rtcp;
mod rtp;
mod sdp;
mod stats;
mod stun;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod webrtc_leg;
mod wire;

pub use config::{MediaConfig, MediaLimits};
pub use event::{DisconnectReason, LegKey, MediaError, MediaEvent, MediaEvents};
pub use frame::{Codec, Frame, FrameSink};
pub use media::Media;
pub use player::Pcm8k;
pub use sdp::SdpError;
pub use stats::{LegStats, MediaStats};
