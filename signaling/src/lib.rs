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
pub mod header;
pub mod message;
#[cfg(test)]
mod message_tests;
pub mod stack;
pub mod transaction;
mod transport;
pub mod trunk;
pub mod uri;

pub use config::{
    BadHostPort, BadIpNet, HostPort, IpNet, Secret, SignalingConfig, SignalingLimits, SipTimers, Transport, TrunkConfig,
};
pub use endpoint::{Busy, Counters, Signaling, StartError};
pub use event::{
    CallKey, CallRequest, DialogState, EndedBy, FailureCause, SignalingEvent, StaleCall, StoredDialog, TrunkState,
};
