//! SIP for Ringback: calls over trunks, from the wire up to events. Knows nothing of contact centres; SDP is a string
//! that its user carries to the media side.
//!
//! Layers, each without I/O but the last: [`message`] and [`header`] read and write, [`transaction`] repeats and
//! absorbs (RFC 3261 §17), [`call`] is one INVITE usage, [`stack`] joins them, [`endpoint`] runs the stack on tokio
//! behind the handle [`Signaling`].

pub mod call;
mod cause;
mod config;
pub mod dialog;
pub mod digest;
mod endpoint;
pub mod entropy;
mod event;
pub mod framing;
pub mod guard;
pub mod head;
pub mod header;
mod ladder;
pub mod message;
#[cfg(test)]
mod message_tests;
mod resolver;
pub mod stack;
pub mod transaction;
mod transport;
pub mod trunk;
pub mod uri;
mod user_to_user;

pub use config::{
    BadHostPort, BadIpNet, HostPort, IpNet, Secret, SignalingConfig, SignalingLimits, SipTimers, TlsListen, Transport,
};
pub use endpoint::{Busy, Counters, Signaling, StartError};
pub use event::{
    CallKey, CallRequest, DialogState, EndedBy, FailureCause, SignalingEvent, StaleCall, StoredDialog, TransferStep,
    TrunkState,
};
pub use ladder::{Ladder, Rung};
pub use trunk::{TlsFiles, TrunkConfig};
pub use user_to_user::{TooMuch, UserToUser};
