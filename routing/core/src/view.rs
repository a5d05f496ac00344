//! What people are shown: read-only answers computed from the core's present state. Plain data, serialised as it stands.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Health, Presence, RequestedState},
    config::{OverLimit, Waiting},
    contact::{Channel, Contact, ContactState},
    ids::*,
    reason::{ClosedReason, Reason},
    time::{Millis, Timestamp},
};

/// Open or not, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    pub enabled: bool,
    pub open: bool,
    pub closed: Option<ClosedReason>,
    pub next_open: Option<Timestamp>,
    /// When the present opening ends.
    pub closes_at: Option<Timestamp>,
    pub waiting: u32,
    /// What somebody who asks now would wait: half of such waits are over by then; None = not known.
    pub ewt: Option<Millis>,
    /// Nine of ten are.
    pub ewt_p90: Option<Millis>,
    /// The same by subject, in the configured order, with what stands before it.
    pub subjects: Vec<SubjectView>,
}

/// What somebody who asks about this subject now has to expect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectView {
    pub id: SubjectId,
    pub name: String,
    pub ewt: Option<Millis>,
    pub ewt_p90: Option<Millis>,
    /// The wait is too long; None: it is not, or not known.
    pub gate: Option<GateView>,
}

/// Why the way is not free, honestly: what is expected, and from where on that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateView {
    pub limit: Millis,
    pub expected: Millis,
    pub then: OverLimit,
}

/// A time that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotView {
    pub at: Timestamp,
    /// Callbacks that still fit.
    pub free: u32,
}

/// What a closure would find, and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosurePreview {
    /// In line and not on the telephone.
    pub waiting: u32,
    /// Planned for a time at which it will be closed.
    pub planned: u32,
    /// Offered, dialled or talking: they go on.
    pub under_way: u32,
    pub then: Waiting,
    /// When those who are kept for later are called; None: not known.
    pub next_open: Option<Timestamp>,
}

/// One contact as its customer's status page needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    pub contact: Contact,
    /// 1 = next; None when not in line.
    pub position: Option<u32>,
    /// From now: half of such waits are over by then; None = not known.
    pub ewt: Option<Millis>,
    /// Nine of ten are.
    pub ewt_p90: Option<Millis>,
    pub stage: Stage,
}

/// The callback's life in the customer's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Scheduled,
    Waiting,
    /// Offered to an agent.
    AgentFound,
    Calling,
    Ringing,
    Talking,
    Retrying,
    Successful,
    Unsuccessful,
    Cancelled,
}

/// One agent's desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    pub id: AgentId,
    pub name: String,
    pub presence: Presence,
    pub since: Timestamp,
    pub reason: Option<ReasonCode>,
    pub next: Option<RequestedState>,
    pub auto_return_at: Option<Timestamp>,
    pub session: Option<SessionId>,
    pub health: Health,
    pub can_reject: bool,
    /// What the routing profile has room for at one time.
    pub voice_slots: u8,
    pub chat_slots: u8,
    /// Contacts in hand: offered, connecting, connected or in wrap-up with this agent.
    pub contacts: Vec<Contact>,
}

/// The supervisor's board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardView {
    pub at: Timestamp,
    pub availability: Availability,
    pub queues: Vec<QueueView>,
    pub agents: Vec<BoardAgent>,
    /// In line or scheduled, soonest first, at most the limit asked for.
    pub waiting: Vec<WaitingContact>,
    pub waiting_total: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    pub id: QueueId,
    pub name: String,
    pub waiting: u32,
    pub scheduled: u32,
    pub active: u32,
    pub longest_wait: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardAgent {
    pub id: AgentId,
    pub name: String,
    pub presence: Presence,
    pub since: Timestamp,
    pub reason: Option<ReasonCode>,
    pub contacts: Vec<ContactId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingContact {
    pub id: ContactId,
    pub channel: Channel,
    pub state: ContactState,
    pub name: String,
    pub number: String,
    pub queue: QueueId,
    pub subject: SubjectId,
    pub requested_at: Timestamp,
    pub position: Option<u32>,
    pub attempts: u32,
    pub why: Reason,
}
