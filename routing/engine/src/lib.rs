//! Drives the pure core: events in, changes committed, commands carried out.
//!
//! One owner task per tenant holds the tenant's core ([`owner`](self)); its hands carry out the core's commands on what
//! the tenants share (SIP, media, recorder); listeners turn what those report into events again. Everything outside
//! reaches it through [`Engine`], a cheap handle.

mod aftermath;
mod alarms;
mod arrivals;
mod boot;
mod channels;
mod chat;
mod clock;
mod config;
mod desks;
mod dialogs;
mod digits;
mod drain;
mod error;
mod face;
mod gate;
mod hands;
mod legs;
mod listen;
mod metrics;
mod names;
mod owner;
mod phones;
mod plant;
mod playback;
mod prompts;
mod quality;
mod recordings;
mod reroute;
pub mod sound;
#[cfg(feature = "testing")]
mod testing;
mod thirds;
mod trunk_tally;
mod turn;

pub use alarms::{Alarm, Alarms};
pub use arrivals::Reception;
pub use boot::StartError;
pub use channels::TrunkTerms;
pub use chat::{ChatRoom, Here, Standing};
pub use config::{EngineConfig, EngineLimits, TenantSetup};
pub use error::{EngineError, PhoneError, RecordingError};
pub use face::Engine;
pub use gate::{DialGate, Dialling, Judgement, Verdict};
pub use playback::{AudioFile, Peaks, PlacedMark, RecordingView};
pub use prompts::{Prompt, PromptLibrary};
pub use trunk_tally::TrunkCalls;
pub use turn::digest;

/// What [`EngineConfig`] is made of, for whoever reads it from a file.
pub mod parts {
    pub use ringback_media::{Codec, Codecs, Encryption, MediaConfig, RtpTerms};
    pub use ringback_recorder::RecorderConfig;
    pub use ringback_signaling::{
        IpNet, Secret, SignalingConfig, SignalingLimits, TlsFiles, TlsListen, Transport, TrunkConfig,
    };
}
