//! What happened, told to the core. Everything that can change a decision comes in here and is journalled.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Health, RequestedState},
    config::{AgentConfig, Closure, OverLimit, TenantConfig},
    contact::{AttemptResult, ChatEnd, Customer},
    ids::*,
    time::{Millis, Timestamp},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    // Configuration.
    TenantConfigured {
        config: Box<TenantConfig>,
    },
    AgentConfigured {
        agent: AgentConfig,
    },
    AgentRemoved {
        agent: AgentId,
    },
    ClosureDeclared {
        closure: Closure,
    },
    ClosureLifted,

    // The customer.
    CallbackRequested {
        request: CallbackRequest,
    },
    /// A call comes in at one of the tenant's numbers. It is answered or refused by a deed.
    CallArrived {
        call: CallArrival,
    },
    /// What `CheckCode` asked for: the visit the code was lent for, if it was.
    CodeChecked {
        leg: LegId,
        visit: Option<Box<Visit>>,
    },
    CallbackCancelled {
        contact: ContactId,
        by: CancelledBy,
    },
    /// The customer chooses another time; None: as soon as possible.
    CallbackTimeChosen {
        contact: ContactId,
        slot: Option<Timestamp>,
    },
    CallbackNumberChanged {
        contact: ContactId,
        number: String,
        number_key: String,
    },
    ChatRequested {
        request: ChatRequest,
    },
    /// Somebody wrote. The text is not the core's business; that the chat is alive is.
    ChatActivity {
        contact: ContactId,
    },
    /// The customer's page is gone; without coming back within `reconnect_grace` the chat is over (C15).
    ChatCustomerGone {
        contact: ContactId,
    },
    ChatCustomerBack {
        contact: ContactId,
    },
    /// The customer who waits in the chat would rather be called: the contact goes on as a callback, at its old place.
    ChatCallbackChosen {
        contact: ContactId,
        number: String,
        number_key: String,
    },
    /// The agent in the chat calls its customer: the contact goes on as a call of the same agent.
    ChatCallRequested {
        agent: AgentId,
        contact: ContactId,
        number: String,
        number_key: String,
    },
    /// The agent calls a number of the agent's own accord.
    OutboundRequested {
        agent: AgentId,
        request: OutboundRequest,
    },
    /// The customer, or the agent who is in the chat, ended it.
    ChatEnded {
        contact: ContactId,
        by: ChatEnd,
    },
    /// To another queue, at the original request time; the agent who asks wraps up (C14).
    ChatTransferRequested {
        agent: AgentId,
        contact: ContactId,
        to: TransferTarget,
    },

    /// The customer on the telephone goes on to somebody else at once; the agent who asks wraps up.
    CallTransferRequested {
        agent: AgentId,
        contact: ContactId,
        to: TransferTarget,
        /// For whoever is next.
        note: Option<String>,
    },
    /// The agent brings somebody in; the customer hears music meanwhile.
    ConsultationRequested {
        agent: AgentId,
        contact: ContactId,
        with: Consulted,
        note: Option<String>,
    },
    ConsultationStepped {
        agent: AgentId,
        contact: ContactId,
        step: ConsultationStep,
    },

    // The agent and the browser.
    AgentConnected {
        agent: AgentId,
        session: SessionId,
    },
    /// The session's tab is gone (socket closed or silent); another session's going is ignored.
    AgentDisconnected {
        agent: AgentId,
        session: SessionId,
    },
    AgentStateRequested {
        agent: AgentId,
        state: RequestedState,
    },
    AgentHealth {
        agent: AgentId,
        session: SessionId,
        health: Health,
    },
    OfferAccepted {
        agent: AgentId,
        offer: OfferId,
    },
    OfferDeclined {
        agent: AgentId,
        offer: OfferId,
    },
    HoldRequested {
        agent: AgentId,
        contact: ContactId,
        hold: bool,
    },
    HangUpRequested {
        agent: AgentId,
        contact: ContactId,
    },
    WrapUpFinished {
        agent: AgentId,
        segment: SegmentId,
        dispositions: Vec<DispositionId>,
        note: Option<String>,
    },
    /// More time for wrap-up.
    WrapUpExtended {
        agent: AgentId,
        segment: SegmentId,
        by: Millis,
    },

    // The trunk channels, shared between tenants.
    ChannelGranted {
        contact: ContactId,
        trunk: TrunkId,
        /// The command this answers: an answer to a question that has been taken back is none to the next one. Absent in
        /// journals of versions that did not say it; then it answers whatever is asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<CommandId>,
    },
    ChannelDenied {
        contact: ContactId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<CommandId>,
        reason: DenialReason,
        retry_after: Millis,
    },

    // The legs.
    /// The trunk could not be reached, nothing has rung, and the call is being placed over another one.
    LegRerouted {
        leg: LegId,
        trunk: TrunkId,
    },
    /// The carrier does not connect the customer's call with the one outside itself, although it was asked to. `status`: its last
    /// word; none: it fell silent.
    CarrierDeclined {
        leg: LegId,
        status: Option<u16>,
    },
    LegRinging {
        leg: LegId,
    },
    LegAnswered {
        leg: LegId,
    },
    /// Before an answer.
    LegFailed {
        leg: LegId,
        result: AttemptResult,
        sip_status: Option<u16>,
    },
    /// After an answer.
    LegEnded {
        leg: LegId,
    },
    /// What `PlayPrompt { then_tell: true }` asked to hear back.
    PromptFinished {
        leg: LegId,
        /// Name, language and version of what was played, for the record.
        #[serde(default)]
        heard: Option<String>,
    },
    DtmfReceived {
        leg: LegId,
        digit: char,
    },
    /// The agent's media died (ICE failed, DTLS closed, RTP silent past the limit).
    AgentMediaLost {
        agent: AgentId,
        session: SessionId,
    },
    RecordingFinished {
        leg: LegId,
        recording: RecordingId,
    },
}

impl Event {
    /// Whose browser or whose configuration it is about.
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::AgentConfigured { agent } => Some(&agent.id),
            Self::AgentRemoved { agent }
            | Self::ChatTransferRequested { agent, .. }
            | Self::ChatCallRequested { agent, .. }
            | Self::OutboundRequested { agent, .. }
            | Self::CallTransferRequested { agent, .. }
            | Self::ConsultationRequested { agent, .. }
            | Self::ConsultationStepped { agent, .. }
            | Self::AgentConnected { agent, .. }
            | Self::AgentDisconnected { agent, .. }
            | Self::AgentStateRequested { agent, .. }
            | Self::AgentHealth { agent, .. }
            | Self::OfferAccepted { agent, .. }
            | Self::OfferDeclined { agent, .. }
            | Self::HoldRequested { agent, .. }
            | Self::HangUpRequested { agent, .. }
            | Self::WrapUpFinished { agent, .. }
            | Self::WrapUpExtended { agent, .. }
            | Self::AgentMediaLost { agent, .. } => Some(agent),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallbackRequest {
    pub customer: Customer,
    pub subject: Option<SubjectId>,
    pub status_token_digest: Option<String>,
    /// The customer agrees to wait until the next opening if the tenant is closed now.
    pub when_open: bool,
    /// A time the customer chose, the beginning of a slot.
    #[serde(default)]
    pub slot: Option<Timestamp>,
    /// The customer has been told that the wait is long and wants the call all the same.
    #[serde(default)]
    pub accept_wait: bool,
    /// The customer's own agent (O7); of no effect where the tenant has it off.
    #[serde(default)]
    pub preferred: Option<AgentId>,
}

/// Whom an agent calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboundRequest {
    /// Nothing need be known but the number.
    pub customer: Customer,
    /// What it is about; none: the first subject the agent serves.
    pub subject: Option<SubjectId>,
}

/// A call that rings at one of the tenant's numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallArrival {
    pub leg: LegId,
    pub trunk: TrunkId,
    /// The number called, as configured.
    pub number: String,
    /// An empty language is that of the number.
    pub customer: Customer,
    /// The caller's number is one that the tenant may dial.
    #[serde(default)]
    pub callable: bool,
    /// The number called was lent for this visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<Visit>,
}

/// A visit of a web page that a call was matched with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Without number and key: those are the caller's.
    pub customer: Customer,
    pub subject: Option<SubjectId>,
}

/// A chat asked for. The customer's question stays with the chat's messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    pub customer: Customer,
    pub subject: Option<SubjectId>,
    pub status_token_digest: Option<String>,
    #[serde(default)]
    pub preferred: Option<AgentId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum TransferTarget {
    Queue {
        queue: QueueId,
    },
    /// That agent first, then anybody of the queue.
    Agent {
        agent: AgentId,
    },
    /// Another matter: its queue, its priority, its ladder.
    Subject {
        subject: SubjectId,
    },
}

/// Who is asked in a consultation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Consulted {
    Agent {
        agent: AgentId,
    },
    /// E.164. With `at_once` the agent does not wait for the answer; the customer does.
    Outside {
        number: String,
        at_once: bool,
    },
}

/// What the agent who asked makes of a consultation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultationStep {
    /// The third party is let go, the customer is back.
    Back,
    /// All three hear each other.
    Join,
    /// The agent leaves, the third party has the customer.
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    Customer,
    Administrator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialReason {
    /// Every channel of every trunk is taken.
    AllBusy,
    /// No trunk is up.
    TrunksDown,
    /// The number is in a live dialog already, of whichever tenant.
    NumberInCall,
    /// The server is draining.
    Draining,
    /// The gate holds the tenant's calls back for now: outside callback hours, or a cap of the day is reached.
    NotNow,
    /// The gate lets nobody ring this number.
    NotAllowed,
}

/// The answer to an event that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "receipt", rename_all = "snake_case")]
pub enum Receipt {
    Done,
    CallbackQueued {
        contact: ContactId,
        position: u32,
        /// Half of such waits are over by then; None = not known.
        ewt: Option<Millis>,
        /// Nine of ten are.
        #[serde(default)]
        ewt_p90: Option<Millis>,
    },
    ChatQueued {
        contact: ContactId,
        position: u32,
        ewt: Option<Millis>,
    },
    /// The agent's own call is under way.
    CallPlaced {
        contact: ContactId,
    },
    /// The same number is waiting already; this is that request.
    CallbackExists {
        contact: ContactId,
    },
    /// Closed now, kept for the next opening.
    CallbackScheduled {
        contact: ContactId,
        due: Timestamp,
    },
}

/// The answer to an event that was refused: data, not a fault. Nothing changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "rejection", rename_all = "snake_case")]
pub enum Rejection {
    #[error("this channel is switched off for this tenant")]
    NotEnabled,
    #[error("closed at this time")]
    Closed { closed: crate::reason::ClosedReason, next_open: Option<Timestamp> },
    #[error("the tenant's limit of open contacts is reached")]
    Full,
    #[error("the expected wait is above the tenant's limit")]
    TooLong { limit: Millis, expected: Millis, then: OverLimit },
    #[error("no such time can be chosen")]
    NoSuchSlot,
    #[error("the chosen time is taken")]
    SlotFull,
    #[error("no such contact")]
    NoSuchContact,
    #[error("no such agent")]
    NoSuchAgent,
    #[error("no such subject")]
    NoSuchSubject,
    #[error("no such queue")]
    NoSuchQueue,
    #[error("this agent cannot take a call now")]
    AgentNotFree,
    #[error("the offer no longer stands")]
    OfferGone,
    #[error("this agent may not reject offers")]
    MayNotReject,
    #[error("not possible in the present state")]
    WrongState,
    #[error("a disposition is required")]
    DispositionRequired,
    #[error("no such disposition or reason code")]
    UnknownCode,
    #[error("another session holds the phone")]
    NotTheOwner,
}
