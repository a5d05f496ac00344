//! The core's views as the OpenAPI document describes them. The core knows nothing of OpenAPI, so its types are mirrored
//! here field by field; a test reads what the core writes with these and writes it again, so that they cannot drift.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! mirrored {
    ($($(#[$meta:meta])* $kind:ident $name:ident $body:tt)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub $kind $name $body
    )*};
}

mirrored! {
    /// Open or not, at one moment. Times are milliseconds since 1970, spans milliseconds.
    struct Availability {
        pub enabled: bool,
        pub open: bool,
        pub closed: Option<ClosedReason>,
        pub next_open: Option<i64>,
        pub closes_at: Option<i64>,
        pub waiting: u32,
        /// Expected wait of whoever asks now: half of such waits are over by then. Null: not known.
        pub ewt: Option<i64>,
        /// Nine of ten are.
        pub ewt_p90: Option<i64>,
        /// The same by subject.
        pub subjects: Vec<SubjectView>,
    }

    /// What somebody who asks about this subject now has to expect.
    struct SubjectView {
        pub id: String,
        pub name: String,
        pub ewt: Option<i64>,
        pub ewt_p90: Option<i64>,
        /// The wait is too long. Null: it is not, or not known.
        pub gate: Option<GateView>,
    }

    /// Why the way is not free: the tenant's limit and what is expected, milliseconds.
    struct GateView {
        pub limit: i64,
        pub expected: i64,
        pub then: OverLimit,
    }

    /// Not shown; shown with the reason; a chosen time only; told, and may wait.
    #[serde(rename_all = "snake_case")]
    enum OverLimit { Hide, Disable, Schedule, Notify }

    /// A time that may be chosen, milliseconds since 1970, and how many callbacks still fit.
    struct SlotView {
        pub at: i64,
        pub free: u32,
    }

    /// What becomes of those in line.
    #[serde(rename_all = "snake_case")]
    enum Waiting { Keep, Reschedule, Tell }

    /// What a closure would find, and do.
    struct ClosurePreview {
        /// In line and not on the telephone.
        pub waiting: u32,
        /// Planned for a time at which it will be closed.
        pub planned: u32,
        /// In line on the telephone: they hear that it is closed, and the call ends.
        pub callers: u32,
        /// Offered, dialled or talking: they go on.
        pub under_way: u32,
        pub then: Waiting,
        pub next_open: Option<i64>,
    }

    #[serde(tag = "closed", rename_all = "snake_case")]
    enum ClosedReason {
        Hours,
        Holiday { name: String },
        Closure { message: String },
    }

    struct Closure {
        pub since: i64,
        pub until: Option<i64>,
        pub message: String,
    }

    #[serde(rename_all = "snake_case")]
    enum Stage { Scheduled, Waiting, AgentFound, Calling, Ringing, Talking, Retrying, Successful, Unsuccessful, Cancelled }

    #[serde(rename_all = "snake_case")]
    enum Outcome { Successful, Unsuccessful, Cancelled, Abandoned }

    #[serde(rename_all = "snake_case")]
    enum AttemptResult { Connected, NotConfirmed, Busy, NoAnswer, Rejected, Unreachable, Failed, Cancelled, Interrupted, NotAllowed }

    /// Why a decision fell as it did.
    #[serde(tag = "why", rename_all = "snake_case")]
    enum Reason {
        JustRequested,
        NoAgentReady { signed_in: u32 },
        NoFreeChannel,
        NumberInCall,
        ChosenTime,
        CallsHeldBack,
        Closed { closed: ClosedReason, next_open: Option<i64> },
        AgentDeclined { agent: String },
        AgentNoAnswer { agent: String },
        AgentLost { agent: String },
        AttemptFailed { result: AttemptResult, attempts: u32 },
        Transferred { from: String },
        Escalated { by: String },
        Overflowed,
        CalledOut { by: String },
        NotReached,
        Interrupted,
        OfferedTo { agent: String },
        AskedBy { agent: String },
        LongestIdle { idle: i64, considered: u32 },
        Preferred,
        FewestInHand { in_hand: u32, considered: u32 },
        Completed,
        CustomerCancelled,
        AdministratorCancelled,
        CustomerHungUp,
        CustomerHungUpSoon { after: i64 },
        CustomerLeft,
        CodeUnknown,
        NobodyFree { waited: i64 },
        AttemptsExhausted { result: AttemptResult },
        NumberNotAllowed,
    }

    #[serde(rename_all = "snake_case")]
    enum Channel { Callback, Call, Outbound, Chat }

    #[serde(tag = "state", rename_all = "snake_case")]
    enum ContactState {
        Arriving { since: i64 },
        Scheduled { due: i64 },
        Queued { since: i64 },
        Active { since: i64 },
        Closed { outcome: Outcome },
    }

    struct Customer {
        pub name: String,
        pub number: String,
        /// Empty for browsers.
        pub number_key: String,
        pub customer_id: Option<String>,
        pub verified: bool,
        /// The portal said that this number is this person's.
        pub number_proven: bool,
        pub language: String,
        pub page: Option<String>,
        pub context: BTreeMap<String, String>,
    }

    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Endpoint { Browser { session: String } }

    #[serde(rename_all = "snake_case")]
    enum SegmentEnd { Completed, Declined, NoAnswer, Revoked, AttemptFailed, MediaFailed, Interrupted }

    #[serde(tag = "state", rename_all = "snake_case")]
    enum SegmentState {
        Offered { until: i64 },
        Connecting { since: i64 },
        Connected { since: i64 },
        AgentLost { until: i64 },
        WrapUp { until: i64 },
        Done { end: SegmentEnd },
    }

    /// One agent's engagement.
    struct Segment {
        pub id: String,
        pub offer: String,
        pub agent: String,
        pub endpoint: Endpoint,
        pub state: SegmentState,
        pub why: Reason,
        pub offered_at: i64,
        pub accepted_at: Option<i64>,
        pub connected_at: Option<i64>,
        pub ended_at: Option<i64>,
        pub done_at: Option<i64>,
        pub leg: Option<String>,
        pub on_hold: bool,
        pub dispositions: Vec<String>,
        pub note: Option<String>,
        /// What the agent told whoever the contact was passed on to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub handover: Option<String>,
        pub position_when_offered: u32,
        pub ewt_when_offered: Option<i64>,
    }

    #[serde(tag = "state", rename_all = "snake_case")]
    enum AttemptState {
        Dialling,
        Unknown { until: i64 },
        Live,
        Ended { result: AttemptResult },
    }

    /// One dialog with the customer: a try of ours, or their own call.
    struct Attempt {
        pub id: String,
        pub ordinal: u32,
        pub leg: String,
        pub trunk: String,
        /// Absent: the customer called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub segment: Option<String>,
        pub state: AttemptState,
        pub dialled_at: i64,
        pub ringing_at: Option<i64>,
        pub answered_at: Option<i64>,
        pub bridged_at: Option<i64>,
        pub ended_at: Option<i64>,
        /// Name and version of the prompt, and when it ended.
        pub announcement: Option<(String, i64)>,
        pub position_when_dialled: u32,
        pub ewt_when_dialled: Option<i64>,
    }

    /// Milliseconds.
    struct WaitRange {
        /// Half of such waits are over by then.
        pub p50: u32,
        /// Nine of ten are.
        pub p90: u32,
    }

    #[serde(rename_all = "snake_case")]
    enum ForecastKind { Free, Near, Far }

    /// A foretold wait, and what it was before past errors corrected it.
    struct Forecast {
        pub range: WaitRange,
        pub raw: WaitRange,
        pub kind: ForecastKind,
    }

    /// Since when a contact was in line for the first time, and what was foretold then.
    struct FirstWait {
        pub since: i64,
        pub position: u32,
        pub forecast: Option<Forecast>,
    }

    /// One matter of one customer.
    struct Contact {
        pub id: String,
        pub channel: Channel,
        pub state: ContactState,
        pub customer: Customer,
        pub queue: String,
        pub subject: String,
        pub priority: u8,
        /// Absent: 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub widen_at: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub preferred: Option<String>,
        pub requested_at: i64,
        /// Null for browsers.
        pub status_token_digest: Option<String>,
        pub segments: Vec<Segment>,
        pub attempts: Vec<Attempt>,
        pub cool_off: BTreeMap<String, i64>,
        pub position_when_requested: u32,
        pub ewt_when_requested: Option<i64>,
        pub first_wait: Option<FirstWait>,
        pub config_version: u64,
        pub reason: Reason,
        pub closed_at: Option<i64>,
        /// Only of a chat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub chat: Option<Chat>,
        /// Who is brought in beside customer and agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub third: Option<Third>,
        /// How it ended with the last one who was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub third_end: Option<ThirdEnd>,
        /// The customer has gone, an agent still wraps up: what it closes with then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub over: Option<Outcome>,
    }

    /// A colleague or a number outside.
    struct Third {
        pub with: ThirdParty,
        pub stage: ThirdStage,
        /// The engagement of the agent who asked; null: the house did.
        pub by: Option<String>,
        pub leg: Option<String>,
        pub asked_at: i64,
        pub ringing_at: Option<i64>,
        pub answered_at: Option<i64>,
        /// Of a number outside: the carrier was asked to connect the two itself (REFER), and does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub declined: Option<CarrierDeclined>,
    }

    struct CarrierDeclined {
        pub at: i64,
        /// The carrier's last word, a SIP status; null: it fell silent.
        pub status: Option<u16>,
    }

    #[serde(tag = "party", rename_all = "snake_case")]
    enum ThirdParty {
        Agent { agent: String, segment: String },
        Outside { number: String },
    }

    #[serde(tag = "stage", rename_all = "snake_case")]
    enum ThirdStage {
        Asked { until: i64 },
        Private { since: i64 },
        Joined { since: i64 },
        Told { until: i64 },
        Alone { since: i64 },
    }

    #[serde(tag = "end", rename_all = "snake_case")]
    enum ThirdEnd {
        Withdrawn,
        Declined,
        NoAnswer,
        Failed { result: AttemptResult },
        Left,
        Lost,
        CustomerLeft,
        TookOver,
        Interrupted,
    }

    /// What is only a chat's own.
    struct Chat {
        pub customer_away: Option<i64>,
        pub ended: Option<ChatEnd>,
        pub outcome: Option<Outcome>,
    }

    #[serde(tag = "by", rename_all = "snake_case")]
    enum ChatEnd {
        Customer,
        Agent { agent: String },
        Gone,
        Idle,
        NobodyFree,
        CalledBack,
        Called { agent: String },
    }

    #[serde(rename_all = "snake_case")]
    enum Presence { Offline, NotReady, Unreachable, Ready, Offered, Busy, WrapUp, Draining }

    struct Health {
        pub tab: bool,
        pub microphone: bool,
        pub media: bool,
    }

    #[serde(tag = "state", rename_all = "snake_case")]
    enum RequestedState {
        Ready,
        NotReady { reason: String },
        Offline,
    }

    /// One agent's desk.
    struct AgentView {
        pub id: String,
        pub name: String,
        pub presence: Presence,
        pub since: i64,
        pub reason: Option<String>,
        pub next: Option<RequestedState>,
        pub auto_return_at: Option<i64>,
        pub session: Option<String>,
        pub health: Health,
        pub can_reject: bool,
        pub voice_slots: u8,
        pub chat_slots: u8,
        pub contacts: Vec<Contact>,
    }

    /// Why a contact is where it is.
    struct WhyView {
        pub contact: String,
        pub at: i64,
        pub state: ContactState,
        pub reason: Reason,
        /// Only while in line.
        pub waiting: Option<WaitingWhy>,
        /// Everybody it was offered to, in order.
        pub chosen: Vec<ChosenWhy>,
        /// Signed-in agents; without obstacles: could be offered it now.
        pub agents: Vec<AgentWhy>,
        pub signed_in: u32,
    }

    struct WaitingWhy {
        pub since: i64,
        pub waited: i64,
        pub position: u32,
        pub priority: u8,
        /// Waiting for so long is worth one priority.
        pub one_priority_per: Option<i64>,
        /// 0 = the customer's own agent, 1 … = the subject's targets.
        pub target: u8,
        pub targets: u8,
        pub next_target_at: Option<i64>,
        pub need: Needed,
        pub effective_agents: u32,
        pub channel: ChannelWhy,
    }

    #[serde(tag = "need", rename_all = "snake_case")]
    enum Needed {
        Agent { agent: String },
        Skills { any: Vec<BTreeMap<String, u8>> },
    }

    #[serde(rename_all = "snake_case")]
    enum DenialReason { AllBusy, TrunksDown, NumberInCall, Draining }

    /// The trunk channel a call needs before it is offered.
    #[serde(tag = "channel", rename_all = "snake_case")]
    enum ChannelWhy {
        NotNeeded,
        NotAskedYet,
        Asked { agent: String },
        Held,
        NumberInCall,
        Blocked { reason: DenialReason },
        Closed,
    }

    struct ChosenWhy {
        pub segment: String,
        pub agent: String,
        pub at: i64,
        pub why: Reason,
        pub position: u32,
        pub state: SegmentState,
    }

    struct AgentWhy {
        pub agent: String,
        pub name: String,
        pub obstacles: Vec<Obstacle>,
    }

    /// Why not this agent.
    #[serde(tag = "obstacle", rename_all = "snake_case")]
    enum Obstacle {
        HasIt,
        NotInQueue { queue: String },
        LacksSkill { skill: String, needed: u8, has: u8 },
        WaitsForOther { agent: String },
        Offline,
        NotReady { reason: String },
        Leaving,
        NoTab,
        NoMicrophone,
        NoMedia,
        NotInProfile,
        Busy { calls: u8, chats: u8 },
        KeptFor { contact: String },
        CallWaitsLonger,
        CoolingOff { until: i64 },
    }

    /// The supervisor's board.
    struct BoardView {
        pub at: i64,
        pub availability: Availability,
        pub queues: Vec<QueueView>,
        pub agents: Vec<BoardAgent>,
        pub waiting: Vec<WaitingContact>,
        pub waiting_total: u32,
    }

    struct QueueView {
        pub id: String,
        pub name: String,
        pub waiting: u32,
        pub scheduled: u32,
        pub active: u32,
        pub longest_wait: Option<i64>,
    }

    struct BoardAgent {
        pub id: String,
        pub name: String,
        pub presence: Presence,
        pub since: i64,
        pub reason: Option<String>,
        pub contacts: Vec<String>,
    }

    struct WaitingContact {
        pub id: String,
        pub channel: Channel,
        pub state: ContactState,
        pub name: String,
        /// Masked unless the tenant shows numbers.
        pub number: String,
        pub queue: String,
        pub subject: String,
        pub requested_at: i64,
        pub position: Option<u32>,
        pub attempts: u32,
        pub why: Reason,
    }
}

/// A refusal (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `/problems/<code>`
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// In the reader's language.
    pub detail: String,
    pub code: String,
    /// The field that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_open: Option<i64>,
}
