//! What an administrator sets, as the core sees it. A change of it is an event like any other, so a running day picks it
//! up and the journal knows it.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentId, DispositionId, QueueId, ReasonCode, SkillId, SubjectId, TenantId, TrunkId},
    time::{Millis, Timestamp},
};

/// Everything the core needs to know of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantConfig {
    pub id: TenantId,
    pub name: String,
    /// Counted up by each change; facts carry the version they were decided under.
    pub version: u64,
    pub timezone: Tz,
    /// BCP 47 tag of the language spoken to a customer who named none.
    pub language: String,
    /// Languages that need a skill, by BCP 47 tag or its first part: the skill and its least level.
    #[serde(default)]
    pub language_skills: BTreeMap<String, (SkillId, u8)>,
    pub callback: CallbackConfig,
    #[serde(default)]
    pub chat: ChatConfig,
    #[serde(default)]
    pub inbound: InboundConfig,
    /// Agents may call numbers of their own accord.
    #[serde(default)]
    pub outbound: bool,
    /// A number outside to which a customer is passed hears the contact's code first.
    #[serde(default)]
    pub tell_code: bool,
    pub hours: Hours,
    pub queues: Vec<QueueConfig>,
    pub subjects: Vec<SubjectConfig>,
    pub policy: Policy,
    /// Queues that treat offers and wrap-up otherwise than the tenant.
    #[serde(default)]
    pub queue_policies: BTreeMap<QueueId, QueuePolicy>,
    pub reason_codes: Vec<ReasonCode>,
    pub dispositions: Vec<Disposition>,
    pub limits: Limits,
}

/// Click-to-call of a tenant; off unless the tenant opted in (C1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallbackConfig {
    pub enabled: bool,
    /// How often the customer is dialled before the callback ends unsuccessful; at least 1.
    pub max_attempts: u32,
    /// Time between a failed attempt and the next.
    pub busy_spacing: Millis,
    pub no_answer_spacing: Millis,
    pub failed_spacing: Millis,
    /// How long the customer's phone may ring.
    pub ring_timeout: Millis,
    /// The customer must press 1 before being bridged, so that voicemail never is (C8).
    pub press_one: bool,
    pub press_one_timeout: Millis,
    /// Trunks in order of preference.
    pub trunks: Vec<TrunkId>,
    /// After a crash in the middle of an attempt: no redial of that number before this has passed.
    pub guard_time: Millis,
    #[serde(default)]
    pub entry_mode: EntryMode,
    /// What happens when the expected wait is long (G3); None: nothing.
    #[serde(default)]
    pub gate: Option<Gate>,
    /// Times a customer may choose; None: none.
    #[serde(default)]
    pub slots: Option<Slots>,
    /// When customers may be called, within the opening hours; empty: whenever it is open.
    #[serde(default)]
    pub window: Vec<OpenInterval>,
}

/// Who comes first when it is a contact's turn (C8). Either way a free agent and a channel are reserved before anybody is
/// dialled, so that no customer picks up for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryMode {
    /// The agent is offered the contact; the customer is dialled once the agent has accepted.
    #[default]
    CallbackAgentFirst,
    /// The customer is dialled at once; the reserved agent is connected without being asked, as soon as the customer has
    /// heard the announcement (and pressed 1, where the tenant wants that). There is nothing to reject and nothing to miss.
    CallbackCustomerFirst,
}

/// Who asks when the line is long: what they find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// An expected wait (P50) above this is too long. A wait that is not known never is.
    pub longest_wait: Millis,
    pub check_at: CheckAt,
    pub then: OverLimit,
}

/// When the wait is looked at (C4: after the submit, G3: before).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckAt {
    Render,
    Submit,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// The entry point is not shown.
    Hide,
    /// Shown, but not to be used, and why.
    Disable,
    /// Only a chosen time can be asked for.
    Schedule,
    /// The customer is told, and may wait for the call all the same.
    Notify,
}

/// Times a customer may choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Every so often one begins, and so long it lasts; at least a minute.
    pub length: Millis,
    /// Callbacks planned for one of them.
    pub capacity: u32,
    /// The soonest begins so long from now …
    pub lead: Millis,
    /// … and the last.
    pub ahead: Millis,
}

/// Web chat of a tenant; off unless the tenant opted in (C1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatConfig {
    pub enabled: bool,
    /// How long a customer whose page vanished has to come back; zero ends the chat at once (C15).
    pub reconnect_grace: Millis,
    /// How long a customer waits in line before the chat ends with nobody free.
    pub longest_wait: Millis,
    /// Nobody wrote for so long: the chat is over.
    pub idle_timeout: Millis,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            reconnect_grace: Millis::from_secs(60),
            longest_wait: Millis::from_secs(3600),
            idle_timeout: Millis::from_secs(1800),
        }
    }
}

/// Calls that come in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InboundConfig {
    /// The numbers customers can call; none: nobody can.
    pub numbers: Vec<DialledNumber>,
    /// Who hangs up sooner than this after the call came in counts apart from those who gave up waiting.
    pub short_abandon: Millis,
    /// How often those in line are told their place and what they have to expect; zero: never.
    #[serde(default)]
    pub announce_every: Millis,
    /// Those in line may press 1 and are called back when it is their turn.
    #[serde(default)]
    pub offer_callback: bool,
}

/// A number that customers call (DNIS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialledNumber {
    /// E.164.
    pub number: String,
    pub subject: SubjectId,
    /// BCP 47; none: the tenant's.
    pub language: Option<String>,
    /// What callers choose from before they come in line; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub menu: Option<Menu>,
    /// Callers enter the access code of their visit first; none: nobody is asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<AccessCode>,
}

/// How a code is asked for (G6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessCode {
    pub digits: u8,
    /// After so many that are unknown, or that nobody entered, the call ends.
    pub tries: u8,
    /// How long a caller has once asked.
    pub timeout: Millis,
}

/// Keys to press, and what each means (V4a).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    pub choices: Vec<Choice>,
    /// How long a caller has for a key once the choices have been told.
    pub timeout: Millis,
    /// How often they are told before the call goes on with the number's own subject.
    pub tries: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub digit: char,
    /// Into the line of this subject; none: the choices are told again.
    pub subject: Option<SubjectId>,
    /// Spoken from here on.
    pub language: Option<String>,
}

/// When the tenant is open: weekly intervals in the tenant's zone, less holidays and closures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hours {
    pub week: Vec<OpenInterval>,
    pub holidays: Vec<Holiday>,
    pub closure: Option<Closure>,
    /// What becomes of those in line when it closes.
    #[serde(default)]
    pub at_closing: AtClosing,
}

/// By the reason why it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AtClosing {
    pub hours: Waiting,
    pub holiday: Waiting,
    pub closure: Waiting,
}

/// What becomes of those who are in line, but not on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// They stay in line and are called as long as agents are there.
    Keep,
    /// They are told, keep their place and are called from the next opening on.
    #[default]
    Reschedule,
    /// They are told that nobody will call; the request ends.
    Tell,
}

/// Open on `day` from `from` to `to`, local time; `to` at or before `from` means past midnight into the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInterval {
    pub day: Weekday,
    pub from: NaiveTime,
    pub to: NaiveTime,
}

/// A date with hours of its own; none at all on a full holiday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    pub date: NaiveDate,
    pub name: String,
    /// Half days: (from, to) local time.
    #[serde(default)]
    pub open: Vec<(NaiveTime, NaiveTime)>,
}

/// An emergency office closure (C4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// Shown to the customer, in the tenant's words.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueConfig {
    pub id: QueueId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectConfig {
    pub id: SubjectId,
    pub name: String,
    pub queue: QueueId,
    /// Who may take it, each after the last for those still waiting (G9); none: everybody of the queue. Journals of former
    /// versions have one `skill` instead.
    #[serde(default, alias = "skill", deserialize_with = "targets_or_skill")]
    pub targets: Vec<Target>,
    /// Lower is sooner. Initial, Overflow, RONA (G8).
    #[serde(default)]
    pub priorities: Priorities,
    /// Where those on the telephone go whom nobody took at the last target (G9); none: they wait on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
}

/// A number outside, as the last step of a ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overflow {
    /// E.164.
    pub number: String,
    /// In line at the last target for so long first, and again before each further try; at least a second.
    pub timeout: Millis,
}

/// One step of a subject's ladder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// Every skill an agent needs, with its least level (G7); none: everybody of the queue.
    pub skills: BTreeMap<SkillId, u8>,
    /// In line at this step for so long, then the next one is open too. Of the last it says nothing.
    pub timeout: Millis,
}

impl Target {
    pub fn skill(skill: impl Into<SkillId>, level: u8) -> Self {
        Self { skills: BTreeMap::from([(skill.into(), level)]), timeout: Millis(0) }
    }
}

fn targets_or_skill<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<Target>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Targets(Vec<Target>),
        Skill(SkillId, u8),
    }
    Ok(match Option::<Written>::deserialize(d)? {
        None => Vec::new(),
        Some(Written::Targets(targets)) => targets,
        Some(Written::Skill(skill, level)) => vec![Target::skill(skill, level)],
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priorities {
    pub initial: u8,
    pub overflow: u8,
    pub rona: u8,
}

impl Default for Priorities {
    fn default() -> Self {
        Self { initial: 5, overflow: 4, rona: 3 }
    }
}

/// The forks between the source documents, as settings (requirements, section 2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// How long an offer stands before it lapses.
    pub offer_timeout: Millis,
    pub on_no_answer: Aftermath,
    pub on_reject: Aftermath,
    pub on_media_error: Aftermath,
    pub wrap_up_timeout: Millis,
    pub disposition: DispositionMode,
    /// How long an agent whose browser vanished in a call has to come back before the call goes back to the queue.
    pub agent_reconnect_grace: Millis,
    /// An agent in a call gets no chats and an agent in a chat no calls.
    #[serde(default = "yes")]
    pub voice_exclusive: bool,
    /// One priority gained for each so much waited, so that nobody starves; none: priority alone decides.
    #[serde(default)]
    pub ageing: Option<Millis>,
    #[serde(default)]
    pub sticky: Sticky,
}

/// What a queue may have otherwise than its tenant; it holds for contacts of that queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePolicy {
    pub offer_timeout: Millis,
    pub on_no_answer: Aftermath,
    pub on_reject: Aftermath,
    pub on_media_error: Aftermath,
    pub wrap_up_timeout: Millis,
    /// None: as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<DispositionMode>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_mode: Option<EntryMode>,
}

/// The customer's own agent as target 0 (O7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// Whether requests may name one; transfers to an agent always do.
    pub enabled: bool,
    /// How long a busy one is waited for.
    pub timeout: Millis,
}

impl Default for Sticky {
    fn default() -> Self {
        Self { enabled: false, timeout: Millis::from_secs(60) }
    }
}

fn yes() -> bool {
    true
}

/// What happens to agent and contact when an offer or a connection comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aftermath {
    /// None: the agent stays Ready.
    pub not_ready: Option<ReasonCode>,
    /// Back to Ready by itself after this long; None: the agent must ask for it.
    pub auto_return: Option<Millis>,
    /// The same agent is not offered the same contact again for this long.
    pub cool_off: Millis,
    /// The contact's priority from here on; none: as it was, or the subject's own for a missed offer (G8).
    #[serde(default)]
    pub priority: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispositionMode {
    None,
    Optional,
    Required,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    pub id: DispositionId,
    pub name: String,
}

/// The bounds of one tenant's core, each refused past with a clear answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_open_contacts: usize,
    pub max_agents: usize,
}

/// One agent as configured: what may be offered and what is allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentConfig {
    pub id: AgentId,
    pub name: String,
    pub queues: Vec<QueueId>,
    /// Skill → level 1 to 10.
    #[serde(default)]
    pub skills: BTreeMap<SkillId, u8>,
    /// May press Reject (E4, C12).
    pub can_reject: bool,
    /// How many calls at one time; 0: this agent's routing profile has no voice.
    pub voice_slots: u8,
    /// How many chats at one time (C13); 0: this agent's routing profile has no chat (C11).
    pub chat_slots: u8,
}

impl Policy {
    pub fn of_queue(&self) -> QueuePolicy {
        QueuePolicy {
            offer_timeout: self.offer_timeout,
            on_no_answer: self.on_no_answer.clone(),
            on_reject: self.on_reject.clone(),
            on_media_error: self.on_media_error.clone(),
            wrap_up_timeout: self.wrap_up_timeout,
            disposition: None,
            entry_mode: None,
        }
    }
}

impl TenantConfig {
    /// Whether a result must be chosen after contacts of this queue.
    pub fn disposition_in(&self, queue: &QueueId) -> DispositionMode {
        let own = self.queue_policies.get(queue).and_then(|policy| policy.disposition);
        own.unwrap_or(self.policy.disposition)
    }

    /// Who comes first when it is the turn of a callback of this queue.
    pub fn entry_mode_in(&self, queue: &QueueId) -> EntryMode {
        let own = self.queue_policies.get(queue).and_then(|policy| policy.entry_mode);
        own.unwrap_or(self.callback.entry_mode)
    }

    /// The skill a customer of this language needs, if the tenant says that one is needed.
    pub fn language_skill(&self, language: &str) -> Option<&(SkillId, u8)> {
        let first = language.split('-').next().unwrap_or(language);
        self.language_skills.get(language).or_else(|| self.language_skills.get(first))
    }
}
