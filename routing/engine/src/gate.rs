//! The gate before any dialling: asked before an agent is bothered with a contact, and once more when its call is about
//! to leave. Whoever runs the engine brings the rules; the engine sees to it that nothing leaves without being asked.

use std::{fmt, future::Future, pin::Pin};

use ringback_routing::{
    contact::Contact,
    ids::{LegId, TenantId},
    time::Timestamp,
};

/// One call as the gate sees it.
#[derive(Debug, Clone, Copy)]
pub struct Dialling<'a> {
    pub tenant: &'a TenantId,
    pub contact: &'a Contact,
    /// What would be dialled.
    pub number: &'a str,
    /// The call that is about to leave; none yet when a channel is asked for.
    pub leg: Option<LegId>,
    pub now: Timestamp,
}

/// What the gate says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Not at this hour, or not before the tenant has room again.
    NotNow,
    /// This number is not rung.
    Never,
}

pub type Judgement<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Says whether a call may be placed. Must not wait for anything but the ledger.
pub trait DialGate: Send + Sync + fmt::Debug {
    fn judge<'a>(&'a self, dialling: Dialling<'a>) -> Judgement<'a>;
}
