//! What people are shown: read-only answers computed from the core's present state. Plain data, serialised as it stands.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Health, Presence, RequestedState},
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
    pub ewt: Option<Millis>,
}

/// One contact as its customer's status page needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    pub contact: Contact,
    /// 1 = next; None when not in line.
    pub position: Option<u32>,
    pub ewt: Option<Millis>,
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
