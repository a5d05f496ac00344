//! What people are shown: read-only answers computed from the core's present state. Plain data, serialised as it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Health, Presence, RequestedState},
    config::{OverLimit, Waiting},
    contact::{Channel, Contact, ContactState, SegmentState},
    event::DenialReason,
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
    /// In line on the telephone: they hear that it is closed, and the call ends.
    pub callers: u32,
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

/// Why a contact is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhyView {
    pub contact: ContactId,
    pub at: Timestamp,
    pub state: ContactState,
    pub reason: Reason,
    /// Only while in line.
    pub waiting: Option<WaitingWhy>,
    /// Everybody it was offered to, in order.
    pub chosen: Vec<ChosenWhy>,
    /// Signed-in agents, at most the limit asked for; without obstacles: could be offered it now.
    pub agents: Vec<AgentWhy>,
    pub signed_in: u32,
}

/// What stands between a contact and an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingWhy {
    pub since: Timestamp,
    /// Since the original request.
    pub waited: Millis,
    /// 1 = next.
    pub position: u32,
    pub priority: u8,
    /// Waiting for so long is worth one priority; none: priority alone decides.
    pub one_priority_per: Option<Millis>,
    /// 0 = the customer's own agent, 1 … = the subject's targets.
    pub target: u8,
    pub targets: u8,
    pub next_target_at: Option<Timestamp>,
    pub need: Needed,
    /// Ready agents who meet the need, busy ones included.
    pub effective_agents: u32,
    pub channel: ChannelWhy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "need", rename_all = "snake_case")]
pub enum Needed {
    Agent {
        agent: AgentId,
    },
    /// One of these; of each, every skill at its least level.
    Skills {
        any: Vec<BTreeMap<SkillId, u8>>,
    },
}

/// How things stand with the trunk channel a call needs before it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum ChannelWhy {
    NotNeeded,
    NotAskedYet,
    /// This agent is kept free meanwhile.
    Asked {
        agent: AgentId,
    },
    Held,
    NumberInCall,
    Blocked {
        reason: DenialReason,
    },
    Closed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChosenWhy {
    pub segment: SegmentId,
    pub agent: AgentId,
    pub at: Timestamp,
    pub why: Reason,
    pub position: u32,
    pub state: SegmentState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentWhy {
    pub agent: AgentId,
    pub name: String,
    pub obstacles: Vec<Obstacle>,
}

/// Why not this agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// It is this agent's already.
    HasIt,
    NotInQueue {
        queue: QueueId,
    },
    LacksSkill {
        skill: SkillId,
        needed: u8,
        has: u8,
    },
    /// The contact waits for its own agent first.
    WaitsForOther {
        agent: AgentId,
    },
    Offline,
    NotReady {
        reason: ReasonCode,
    },
    /// About to leave, or to be Not Ready, after what is in hand.
    Leaving,
    NoTab,
    NoMicrophone,
    NoMedia,
    /// The routing profile has no slot for this channel.
    NotInProfile,
    Busy {
        calls: u8,
        chats: u8,
    },
    /// Kept free while another contact's channel is asked for.
    KeptFor {
        contact: ContactId,
    },
    /// With a chat in hand, held back for a call that has waited longer.
    CallWaitsLonger,
    CoolingOff {
        until: Timestamp,
    },
}
