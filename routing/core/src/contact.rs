//! A contact: one matter of one customer, over all its attempts, legs and agents.
//!
//! ```text
//!         Arriving (a call that comes in) ─┐
//!                ▼                         │ closed, hung up
//! Scheduled ⇄ Queued → Active → Closed(Outcome)
//!     ▲          ▲        │
//!     └──────────┴────────┘  failed attempt, RONA, lost agent: the original request time is kept
//! ```
//!
//! The record is what the ledger keeps and what a restart restores: everything the core knows of the contact is in it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    agent::Endpoint,
    ids::*,
    reason::Reason,
    third::{Third, ThirdEnd},
    time::{Millis, Timestamp},
    wait::FirstWait,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub id: ContactId,
    pub channel: Channel,
    pub state: ContactState,
    /// Shared: a contact is copied with every change of it, the customer hardly ever changes.
    pub customer: Arc<Customer>,
    pub queue: QueueId,
    pub subject: SubjectId,
    /// Lower is sooner.
    pub priority: u8,
    /// How far up the subject's ladder it is: 0 = its own agent, 1 … = the subject's targets (G9). Kept through requeues.
    /// Not written while it is 1, so that records of a tenant without ladders are those of former versions.
    #[serde(default = "first_target", skip_serializing_if = "is_first_target")]
    pub target: u8,
    /// When the next target opens, if one is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widen_at: Option<Timestamp>,
    /// The customer's own agent, for target 0 (O7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<AgentId>,
    /// When the customer first asked; kept through every requeue and retry.
    pub requested_at: Timestamp,
    /// Digest of the unguessable token of the customer's status page.
    pub status_token_digest: Option<Box<str>>,
    pub segments: Vec<Segment>,
    pub attempts: Vec<Attempt>,
    /// Agents who must not be offered this contact again before the given time.
    pub cool_off: BTreeMap<AgentId, Timestamp>,
    /// Captured at request: reports cannot reconstruct it.
    pub position_when_requested: u32,
    pub ewt_when_requested: Option<Millis>,
    /// Since when it was in line for the first time, and the wait foretold then; None as long as it never was.
    #[serde(default)]
    pub first_wait: Option<FirstWait>,
    pub config_version: u64,
    /// Why the contact is in its present state.
    pub reason: Reason,
    pub closed_at: Option<Timestamp>,
    /// What a chat knows besides; none for calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Box<Chat>>,
    /// Who is brought in beside customer and agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub third: Option<Box<Third>>,
    /// How it ended with the last one who was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub third_end: Option<ThirdEnd>,
    /// The customer has gone, an agent who passed the call on still wraps up: what it closes with then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Outcome>,
}

/// Where contacts of former versions stand.
fn first_target() -> u8 {
    1
}

fn is_first_target(target: &u8) -> bool {
    *target == 1
}

/// What is only a chat's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Chat {
    /// The customer's page is gone; over when it is not back by then.
    pub customer_away: Option<Timestamp>,
    /// Who ended it. Nobody is offered a chat that has ended; who was in it may still wrap up.
    pub ended: Option<ChatEnd>,
    /// What the contact closes with once the last wrap-up is done.
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum ChatEnd {
    Customer,
    Agent {
        agent: AgentId,
    },
    /// The customer's page was gone for longer than the grace time.
    Gone,
    /// Nobody wrote for too long.
    Idle,
    /// Nobody was free for too long.
    NobodyFree,
    /// The customer would rather be called: the contact goes on as a callback.
    CalledBack,
    /// The agent calls the customer: the contact goes on as a call.
    Called {
        agent: AgentId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Callback,
    /// The customer called us.
    Call,
    /// An agent called the customer, of the agent's own accord.
    Outbound,
    Chat,
}

/// What a contact takes of an agent: the ear or a part of the screen. Slots are counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    Voice,
    Text,
}

impl Channel {
    pub fn medium(self) -> Medium {
        match self {
            Self::Callback | Self::Call | Self::Outbound => Medium::Voice,
            Self::Chat => Medium::Text,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ContactState {
    /// The caller is answered by the house itself, with greeting or closing message, and is in no line yet.
    Arriving {
        since: Timestamp,
    },
    /// Waits for its time: a chosen slot, the next attempt, the next opening.
    Scheduled {
        due: Timestamp,
    },
    /// In line for an agent.
    Queued {
        since: Timestamp,
    },
    /// An offer, a dial or a conversation is under way.
    Active {
        since: Timestamp,
    },
    Closed {
        outcome: Outcome,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Customer and agent spoke.
    Successful,
    /// Every attempt failed.
    Unsuccessful,
    /// The customer (or an administrator) took it back.
    Cancelled,
    /// The customer hung up before being bridged to an agent.
    Abandoned,
}

/// What is known of the customer. Personal data: shown by role, never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    pub name: String,
    /// E.164, the only form ever dialled; empty for a caller who withholds it.
    pub number: String,
    /// Keyed digest of the number: equal numbers are found without being read. Empty without one.
    pub number_key: String,
    /// The portal's id for this person, when the portal vouched for it.
    pub customer_id: Option<String>,
    pub verified: bool,
    /// The portal said that this number is this person's.
    #[serde(default)]
    pub number_proven: bool,
    pub language: Language,
    /// The page the request came from.
    pub page: Option<String>,
    /// What the portal or the page told besides, in its own words.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

/// One agent's engagement: Offered → Connecting → Connected → WrapUp → Done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub id: SegmentId,
    pub offer: OfferId,
    pub agent: AgentId,
    pub endpoint: Endpoint,
    pub state: SegmentState,
    /// Why this agent.
    pub why: Reason,
    pub offered_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub connected_at: Option<Timestamp>,
    /// When the conversation (or the offer) was over.
    pub ended_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
    /// The agent's own leg while connected.
    pub leg: Option<LegId>,
    pub on_hold: bool,
    pub dispositions: Vec<DispositionId>,
    pub note: Option<String>,
    /// What the agent told whoever the contact was passed on to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<String>,
    /// Captured at the offer.
    pub position_when_offered: u32,
    pub ewt_when_offered: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SegmentState {
    Offered {
        until: Timestamp,
    },
    Connecting {
        since: Timestamp,
    },
    Connected {
        since: Timestamp,
    },
    /// The agent's browser is gone in the middle of the call; back by `until` or the call is requeued.
    AgentLost {
        until: Timestamp,
    },
    WrapUp {
        until: Timestamp,
    },
    Done {
        end: SegmentEnd,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentEnd {
    Completed,
    Declined,
    NoAnswer,
    /// The offer was withdrawn: customer cancelled, agent went away, no channel.
    Revoked,
    AttemptFailed,
    MediaFailed,
    /// The server went down in the middle of it.
    Interrupted,
}

/// One dialog with the customer: a try of ours to reach them, or their own call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    /// 1, 2, 3 … within the callback.
    pub ordinal: u32,
    pub leg: LegId,
    pub trunk: TrunkId,
    /// The agent's engagement it was dialled for; none: the customer called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentId>,
    pub state: AttemptState,
    /// For a call of the customer's: when it came in.
    pub dialled_at: Timestamp,
    pub ringing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub bridged_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Announcement played: name and version, and when it ended.
    pub announcement: Option<(String, Timestamp)>,
    pub position_when_dialled: u32,
    pub ewt_when_dialled: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AttemptState {
    /// The row is committed, the INVITE may or may not be out.
    Dialling,
    /// After a crash: whether the dialog lives is not known; no redial before `until`.
    Unknown {
        until: Timestamp,
    },
    /// Answered, or being answered when the customer called: announcement, confirmation or conversation.
    Live,
    Ended {
        result: AttemptResult,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// Bridged to the agent.
    Connected,
    /// Answered, but not confirmed or hung up before the bridge.
    NotConfirmed,
    Busy,
    NoAnswer,
    Rejected,
    Unreachable,
    Failed,
    Cancelled,
    /// A crash ended it.
    Interrupted,
    /// The gate refused it before anything left the machine.
    NotAllowed,
}

impl Contact {
    /// The engagement that is under way, if any. Of a contact back in line, an earlier agent may still wrap up: that is
    /// no engagement any more, and a colleague who was brought in has not the contact.
    pub fn open_segment(&self) -> Option<&Segment> {
        let active = matches!(self.state, ContactState::Active { .. });
        self.segments.iter().rev().find(|segment| active && !segment.is_done() && !self.is_third(segment.id))
    }

    /// An agent's own call that has not reached anybody, or no longer stands: nobody else calls in the agent's place.
    pub(crate) fn is_unreached_outbound(&self) -> bool {
        self.channel == Channel::Outbound && self.live_leg().is_none()
    }

    /// The customer is there while waiting: on the telephone or in the chat. Such contacts need no trunk channel and
    /// are served on past closing time.
    pub fn is_on_line(&self) -> bool {
        self.channel == Channel::Chat || self.live_leg().is_some()
    }

    pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.iter().rev().find(|segment| segment.id == id)
    }

    pub(crate) fn segment_mut(&mut self, id: SegmentId) -> Option<&mut Segment> {
        self.segments.iter_mut().rev().find(|segment| segment.id == id)
    }

    /// The attempt whose leg is being dialled or is on the line.
    pub fn running_attempt(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| matches!(attempt.state, AttemptState::Dialling | AttemptState::Live))
    }

    pub(crate) fn running_attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.last_mut().filter(|attempt| matches!(attempt.state, AttemptState::Dialling | AttemptState::Live))
    }

    /// The customer's leg, once answered and until it ends.
    pub fn live_leg(&self) -> Option<LegId> {
        self.attempts.last().filter(|attempt| attempt.state == AttemptState::Live).map(|attempt| attempt.leg)
    }

    /// Attempts that count against the tenant's limit: those the customer's side brought to nothing.
    pub fn failed_attempts(&self) -> u32 {
        let failed = |attempt: &&Attempt| match attempt.state {
            AttemptState::Ended { result } => result.counts(),
            _ => false,
        };
        self.attempts.iter().filter(failed).count() as u32
    }
}

impl Contact {
    /// Takes out everything that says who the customer was, what was said of them in notes, and the link of their page. Of a
    /// closed contact, times, agents and results stay for reports.
    pub fn forget_customer(&mut self) {
        self.customer = Arc::new(Customer {
            name: String::new(),
            number: String::new(),
            number_key: String::new(),
            customer_id: None,
            verified: self.customer.verified,
            number_proven: false,
            language: self.customer.language.clone(),
            page: None,
            context: BTreeMap::new(),
        });
        self.status_token_digest = None;
        self.third = None;
        for segment in &mut self.segments {
            segment.note = None;
            segment.handover = None;
        }
    }
}

impl Segment {
    /// As it begins: offered to the agent's page at `now`, to be answered by `until`, with nothing known of a place in line.
    pub(crate) fn offered(
        (id, offer): (SegmentId, OfferId),
        agent: &AgentId,
        session: &SessionId,
        why: Reason,
        now: Timestamp,
        until: Timestamp,
    ) -> Self {
        Self {
            id,
            offer,
            agent: agent.clone(),
            endpoint: Endpoint::Browser { session: session.clone() },
            state: SegmentState::Offered { until },
            why,
            offered_at: now,
            accepted_at: None,
            connected_at: None,
            ended_at: None,
            done_at: None,
            leg: None,
            on_hold: false,
            dispositions: Vec::new(),
            note: None,
            handover: None,
            position_when_offered: 0,
            ewt_when_offered: None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, SegmentState::Done { .. })
    }
}

impl Attempt {
    /// The customer called; such a call is never tried again by us.
    pub fn is_inbound(&self) -> bool {
        self.segment.is_none()
    }
}

impl AttemptResult {
    /// Whether the attempt is one of those a callback has only so many of. What we broke off ourselves is not.
    pub fn counts(self) -> bool {
        match self {
            Self::Busy
            | Self::NoAnswer
            | Self::Rejected
            | Self::Unreachable
            | Self::Failed
            | Self::NotConfirmed
            | Self::NotAllowed => true,
            Self::Connected | Self::Cancelled | Self::Interrupted => false,
        }
    }
}
