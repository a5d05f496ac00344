//! What the core decided: facts to commit and deeds to do. All facts of a drain commit before any deed is done.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{AgentRecord, Presence},
    contact::{Channel, ChatEnd, Contact, Outcome},
    ids::*,
    reason::Reason,
    third::ThirdEnd,
    time::{Millis, Timestamp},
    wait::{Forecast, Seen},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case")]
pub enum Output {
    Change(Change),
    Command(Command),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The contact as it is now, whole; the last of a drain wins. Emitted once per drain and contact.
    ContactSaved { contact: Box<Contact> },
    /// The agent as it is now.
    AgentSaved { agent: AgentRecord },
    /// Append-only: one thing that happened to a contact.
    ContactFact { contact: ContactId, at: Timestamp, fact: Fact },
    /// Append-only: the agent's presence changed at this moment; the interval before it ends here.
    PresenceChanged { agent: AgentId, at: Timestamp, presence: Presence, reason: Option<ReasonCode> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    Requested {
        position: u32,
        ewt: Option<Millis>,
        #[serde(default)]
        ewt_p90: Option<Millis>,
        config_version: u64,
    },
    Scheduled {
        due: Timestamp,
        reason: Reason,
    },
    Queued {
        reason: Reason,
    },
    /// Waiting at this target from here on, with this priority.
    Widened {
        target: u8,
        priority: u8,
    },
    Offered {
        segment: SegmentId,
        agent: AgentId,
        position: u32,
        ewt: Option<Millis>,
        why: Reason,
    },
    OfferAccepted {
        segment: SegmentId,
        agent: AgentId,
    },
    OfferDeclined {
        segment: SegmentId,
        agent: AgentId,
    },
    OfferLapsed {
        segment: SegmentId,
        agent: AgentId,
    },
    OfferRevoked {
        segment: SegmentId,
        agent: AgentId,
    },
    /// The customer called this number of ours.
    Arrived {
        attempt: AttemptId,
        leg: LegId,
        number: String,
    },
    /// The call belongs to a visit of a web page, found by the number called or by a code.
    VisitFound {
        by_code: bool,
    },
    /// A key of the menu was pressed.
    Chosen {
        digit: char,
        subject: SubjectId,
        language: String,
    },
    /// The caller would rather be called back; the place in line is kept.
    CallbackPreferred,
    Dialled {
        attempt: AttemptId,
        leg: LegId,
        ordinal: u32,
        position: u32,
        ewt: Option<Millis>,
    },
    Ringing {
        attempt: AttemptId,
    },
    Answered {
        attempt: AttemptId,
    },
    Announced {
        attempt: AttemptId,
        prompt: String,
    },
    Bridged {
        attempt: AttemptId,
        segment: SegmentId,
        agent: AgentId,
    },
    ChatConnected {
        segment: SegmentId,
        agent: AgentId,
    },
    CustomerGone {
        until: Timestamp,
    },
    CustomerBack,
    ChatEnded {
        by: ChatEnd,
    },
    Transferred {
        segment: SegmentId,
        from: AgentId,
        to: crate::event::TransferTarget,
    },
    /// The agent calls the number of this contact of the agent's own accord.
    CalledOut {
        segment: SegmentId,
        agent: AgentId,
    },
    /// Somebody was brought in; none: a number outside.
    ThirdAsked {
        segment: Option<SegmentId>,
        agent: Option<AgentId>,
    },
    ThirdAnswered {
        segment: Option<SegmentId>,
    },
    /// All three hear each other.
    ThirdJoined {
        segment: SegmentId,
    },
    ThirdLeft {
        segment: Option<SegmentId>,
        end: ThirdEnd,
    },
    /// The agent left, the third party has the customer; none: a number outside.
    HandedOver {
        segment: SegmentId,
        agent: Option<AgentId>,
    },
    /// The carrier was asked to connect customer and number outside itself and does not: they go on through the server.
    CarrierDeclined {
        segment: Option<SegmentId>,
        status: Option<u16>,
    },
    Held {
        segment: SegmentId,
    },
    Resumed {
        segment: SegmentId,
    },
    AgentLost {
        segment: SegmentId,
        agent: AgentId,
    },
    AgentBack {
        segment: SegmentId,
        agent: AgentId,
    },
    /// In service for the first time: what was foretold when it came in line, and what came of it.
    Served {
        waited: Millis,
        answer: Millis,
        position: u32,
        forecast: Option<Forecast>,
    },
    /// How long the agent was taken up, from the offer to the end of wrap-up; `served` is false when the contact stayed
    /// in line.
    Handled {
        segment: SegmentId,
        span: Millis,
        served: bool,
    },
    AttemptEnded {
        attempt: AttemptId,
        result: crate::contact::AttemptResult,
        sip_status: Option<u16>,
    },
    ConversationEnded {
        segment: SegmentId,
    },
    WrapUpEnded {
        segment: SegmentId,
        dispositions: Vec<DispositionId>,
        by_timeout: bool,
    },
    NumberChanged,
    /// Closed while its last call may still live: its number is not dialled before then.
    NumberGuarded {
        until: Timestamp,
    },
    Recorded {
        leg: LegId,
        recording: RecordingId,
    },
    Closed {
        outcome: Outcome,
        reason: Reason,
    },
}

impl Fact {
    /// What of it future estimates of waits rest on.
    pub fn seen(&self) -> Option<Seen> {
        match *self {
            Self::Served { waited, answer, position, forecast } => {
                Some(Seen::Served { waited, answer, position, forecast })
            }
            Self::Handled { span, served, .. } => Some(Seen::Handled { span, served }),
            _ => None,
        }
    }
}

/// A deed for the engine. Idempotent by `id`: done twice it does no more than once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: CommandId,
    pub deed: Deed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// Ask for a trunk channel; answered by ChannelGranted or ChannelDenied.
    ReserveChannel {
        contact: ContactId,
        number_key: String,
        trunks: Vec<TrunkId>,
    },
    ReleaseChannel {
        contact: ContactId,
    },
    PresentOffer {
        offer: OfferId,
        contact: ContactId,
        agent: AgentId,
        session: SessionId,
        channel: Channel,
        until: Timestamp,
    },
    RevokeOffer {
        offer: OfferId,
        agent: AgentId,
        why: RevokeReason,
    },
    PlaceLeg {
        leg: LegId,
        attempt: AttemptId,
        contact: ContactId,
        trunk: TrunkId,
        number: String,
        ring_timeout: Millis,
    },
    /// Dial a number outside for a contact's third party, through the gate and over a channel of its own. Answered by what
    /// is told of the leg. `context` travels with the call (RFC 7433).
    PlaceThird {
        leg: LegId,
        contact: ContactId,
        trunks: Vec<TrunkId>,
        number: String,
        ring_timeout: Millis,
        context: String,
        /// By which the contact can be looked up; told to who answers, where the tenant wants that.
        #[serde(default)]
        code: String,
    },
    /// Take the call that rings; its sound is there when `LegAnswered` is told.
    AnswerLeg {
        leg: LegId,
        contact: ContactId,
        number_key: String,
    },
    /// Look up whose visit a code was lent for; answered by CodeChecked.
    CheckCode {
        leg: LegId,
        number: String,
        code: String,
    },
    /// Turn the call that rings away unanswered.
    RefuseLeg {
        leg: LegId,
        why: RefusalReason,
    },
    /// CANCEL before an answer, BYE after it. Releasing a leg that is gone does nothing.
    ReleaseLeg {
        leg: LegId,
    },
    /// The agent's own leg of this contact, on the browser connection the session holds.
    AttachAgent {
        leg: LegId,
        contact: ContactId,
        agent: AgentId,
        session: SessionId,
    },
    DetachAgent {
        leg: LegId,
    },
    /// The language picks the file.
    PlayPrompt {
        leg: LegId,
        prompt: PromptName,
        language: String,
        repeat: bool,
        then_tell: bool,
    },
    /// Several texts in a row, as one.
    PlayWords {
        leg: LegId,
        words: Vec<PromptName>,
        language: String,
        then_tell: bool,
    },
    StopPrompt {
        leg: LegId,
    },
    Bridge {
        a: LegId,
        b: LegId,
    },
    Unbridge {
        a: LegId,
        b: LegId,
    },
    /// All of these hear each other. Bridges of theirs end.
    Confer {
        contact: ContactId,
        legs: Vec<LegId>,
    },
    /// None of these hears anybody any more.
    Disperse {
        contact: ContactId,
        legs: Vec<LegId>,
    },
    StartRecording {
        leg: LegId,
        contact: ContactId,
        recording: RecordingId,
        party: Party,
        contact_started: Timestamp,
    },
    StopRecording {
        leg: LegId,
    },
    Mark {
        leg: LegId,
        mark: MarkKind,
        begin: bool,
    },
    /// The agent is in the chat from here on: the customer's page shows who writes, the agent's page opens the room.
    OpenChat {
        contact: ContactId,
        segment: SegmentId,
        agent: AgentId,
    },
    /// The agent is out of the chat, which goes on without: a transfer, or a browser that did not come back.
    LeaveChat {
        contact: ContactId,
        segment: SegmentId,
        agent: AgentId,
    },
    /// Nobody writes any more.
    CloseChat {
        contact: ContactId,
        by: ChatEnd,
    },
    /// The customer's live page or channel should hear of it; the page reads the contact itself.
    NotifyCustomer {
        contact: ContactId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The number belongs to nobody, or no longer.
    NoSuchNumber,
    /// The tenant's limit of open contacts is reached.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    Lapsed,
    CustomerCancelled,
    AgentGone,
    Declined,
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptName {
    Announcement,
    PressOne,
    PleaseHold,
    HoldMusic,
    /// Call progress for the agent while the customer's phone rings.
    Ringback,
    AgentLost,
    Goodbye,
    /// For those who call: who answers, and that the call is recorded.
    Greeting,
    /// For those who call outside the hours.
    Closed,
    /// For those who call during an emergency closure.
    Closure,
    /// For those who called, when the connection to their agent is lost.
    StayOnLine,
    Menu,
    MenuWrong,
    /// "Your place in line is", before digits.
    Position,
    NextInLine,
    /// "Your expected wait, in minutes, is", before digits.
    ExpectedWait,
    /// Press one to be called back.
    CallbackOffer,
    CallbackKept,
    EnterCode,
    CodeWrong,
    /// The last word to whoever had no right code.
    CodeFailed,
    /// For a number outside, before the digits of the contact's code.
    ShortCode,
    /// 0 to 9.
    Digit(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "party", rename_all = "snake_case")]
pub enum Party {
    Customer,
    /// A number outside, brought in by an agent.
    Outside,
    Agent {
        agent: AgentId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    Announcement,
    Hold,
    Pause,
    Transfer,
}
