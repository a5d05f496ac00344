//! One tenant's table: what the core decides by, and the face it shows to customers.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use phonenumber::country;
use ringback_routing::{
    config::{AtClosing, CheckAt, Disposition, DispositionMode, EntryMode, OverLimit},
    ids::{DispositionId, QueueId, ReasonCode, TenantId, TrunkId},
};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

pub use super::{
    branding::{Accent, Origin},
    dialling::DiallingTable,
    retention::Retention,
};
use super::{
    file::Secret,
    forms::FormRules,
    inbound::{InboundTable, NumberTable},
    subject::{LanguageSkillTable, SubjectTable},
};
use crate::phone::NumberKind;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantTable {
    pub id: Spanned<TenantId>,
    pub name: String,
    pub timezone: Tz,
    /// Language spoken to a customer who named none.
    #[serde(default = "english")]
    pub language: Spanned<String>,
    #[serde(default = "both_languages")]
    pub languages: Vec<String>,

    /// Where customers can call when the page cannot help, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_phone: Option<Spanned<String>>,
    #[serde(default = "united_states")]
    pub country: country::Id,
    #[serde(default = "united_states_only")]
    pub allowed_countries: Vec<country::Id>,
    #[serde(default = "ordinary_kinds")]
    pub number_kinds: Vec<NumberKind>,
    /// `#rrggbb`; must be readable under white or black text.
    #[serde(default = "default_accent")]
    pub accent: Accent,
    #[serde(default)]
    pub auth: AuthMode,
    #[serde(default)]
    pub portal_key: Vec<PortalKeyTable>,
    /// Origins whose pages may show the Call-Me popup.
    #[serde(default)]
    pub origins: Vec<Origin>,
    /// Agents may be given the right to write to customers first, by SMS (O8).
    #[serde(default)]
    pub sms: bool,
    /// Supervisors see whole numbers; otherwise the last four digits.
    #[serde(default)]
    pub show_numbers: bool,
    /// Directory with this tenant's own prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<PathBuf>,
    /// Languages that need a skill: tag → skill and least level.
    #[serde(default)]
    pub language_skills: BTreeMap<String, LanguageSkillTable>,
    #[serde(default)]
    pub callback: CallbackTable,
    #[serde(default)]
    pub chat: ChatTable,
    #[serde(default)]
    pub inbound: InboundTable,
    /// Numbers customers call.
    #[serde(default)]
    pub number: Vec<NumberTable>,
    /// Numbers that customers may be shown in place of a line's own.
    #[serde(default)]
    pub caller_id: Vec<CallerIdTable>,
    /// Answers agents insert by typing `/` and the word.
    #[serde(default)]
    pub canned: Vec<CannedTable>,
    /// Questions many ask, for agents to insert.
    #[serde(default)]
    pub faq: Vec<FaqTable>,
    #[serde(default)]
    pub dialling: DiallingTable,
    #[serde(default)]
    pub retention: Retention,
    #[serde(default)]
    pub forms: FormRules,
    #[serde(default)]
    pub policy: PolicyTable,
    #[serde(default = "reason_codes")]
    pub reason_codes: Vec<ReasonCode>,
    #[serde(default)]
    pub hours: Vec<HoursTable>,
    /// What becomes of those in line when it closes.
    #[serde(default)]
    pub at_closing: AtClosing,
    #[serde(default)]
    pub holiday: Vec<HolidayTable>,
    #[serde(default)]
    pub queue: Vec<QueueTable>,
    #[serde(default)]
    pub subject: Vec<SubjectTable>,
    #[serde(default)]
    pub disposition: Vec<DispositionTable>,
}

impl TenantTable {
    /// Where portals publish their keys.
    pub(super) fn key_addresses(&self) -> Vec<String> {
        self.portal_key.iter().filter_map(|key| Some(key.jwks_url.as_ref()?.get_ref().clone())).collect()
    }
}

fn english() -> Spanned<String> {
    Spanned::new(0..0, "en".into())
}
fn both_languages() -> Vec<String> {
    vec!["en".into(), "es".into()]
}
pub(super) fn united_states() -> country::Id {
    country::US
}
pub(super) fn united_states_only() -> Vec<country::Id> {
    vec![country::US]
}
pub(super) fn ordinary_kinds() -> Vec<NumberKind> {
    vec![NumberKind::FixedLine, NumberKind::Mobile, NumberKind::Voip]
}
fn default_accent() -> Accent {
    Accent::USUAL
}
/// G15.
fn reason_codes() -> Vec<ReasonCode> {
    ["admin_work", "lunch", "meeting", "pause", "rona", "training", "on_break", "media"].map(ReasonCode::new).to_vec()
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    #[default]
    Required,
    Optional,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalKeyTable {
    pub alg: PortalAlgorithm,
    /// HS256: at least 32 bytes of base64url or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Spanned<Secret>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<Spanned<PathBuf>>,
    /// ES256, EdDSA: public key as PEM (SubjectPublicKeyInfo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<Spanned<PathBuf>>,
    /// ES256, EdDSA: the portal's public keys as a JWK Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<Spanned<PathBuf>>,
    /// The same where the portal publishes it; asked again for a key that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortalAlgorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackTable {
    /// C1: off unless the tenant opted in.
    pub enabled: bool,
    pub max_attempts: u32,
    pub busy_spacing_seconds: u32,
    pub no_answer_spacing_seconds: u32,
    pub failed_spacing_seconds: u32,
    pub ring_seconds: u32,
    pub press_one: bool,
    pub press_one_seconds: u32,
    /// In order of preference; empty = all trunks in their order.
    pub trunks: Vec<Spanned<TrunkId>>,
    /// Of `[[tenant.caller_id]]`, shown to customers; without it the line's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<Spanned<String>>,
    pub guard_seconds: u32,
    /// callback_agent_first or callback_customer_first.
    pub entry_mode: EntryMode,
    /// An expected wait above this is too long (G3); without it none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_wait_minutes: Option<u32>,
    /// When the wait is looked at: render, submit or both.
    pub check_at: CheckAt,
    /// What a customer finds then: hide, disable, schedule or notify.
    pub over_longest_wait: OverLimit,
    /// Times a customer may choose; without it none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsTable>,
    /// When customers may be called, within the opening hours; without it whenever it is open.
    pub hours: Vec<HoursTable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlotsTable {
    /// Length of one: 5, 10, 15, 20, 30 or 60.
    pub minutes: u32,
    /// Callbacks in one.
    pub capacity: u32,
    /// The soonest begins so long from now.
    pub lead_minutes: u32,
    pub days_ahead: u32,
}

impl Default for SlotsTable {
    fn default() -> Self {
        Self { minutes: 15, capacity: 4, lead_minutes: 30, days_ahead: 7 }
    }
}

impl Default for CallbackTable {
    fn default() -> Self {
        Self {
            enabled: false,
            max_attempts: 3,
            busy_spacing_seconds: 300,
            no_answer_spacing_seconds: 900,
            failed_spacing_seconds: 300,
            ring_seconds: 40,
            press_one: false,
            press_one_seconds: 10,
            trunks: Vec::new(),
            caller_id: None,
            guard_seconds: 60,
            entry_mode: EntryMode::default(),
            longest_wait_minutes: None,
            check_at: CheckAt::Submit,
            over_longest_wait: OverLimit::Notify,
            slots: None,
            hours: Vec::new(),
        }
    }
}

/// A number that customers may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerIdTable {
    /// E.164.
    pub number: Spanned<String>,
    /// For the people here.
    pub name: String,
}

/// Chat with customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChatTable {
    /// C1: off unless the tenant opted in.
    pub enabled: bool,
    /// How long a customer whose page vanished has to come back; 0 ends the chat at once (C15).
    pub reconnect_grace_seconds: u32,
    /// Longest wait in line before the chat ends with nobody free.
    pub longest_wait_seconds: u32,
    /// Who has waited, or is to wait, for so long is offered a call at the same place; 0 = never.
    pub offer_callback_seconds: u32,
    /// Nobody wrote for so long: the chat is over.
    pub idle_seconds: u32,
    /// Longest message of an agent, in Unicode scalar values (E7).
    pub agent_chars: usize,
    /// Longest message of a customer.
    pub customer_chars: usize,
    /// When the log of a chat opens by itself before its agent (E12).
    pub log_opens: LogOpens,
}

/// When the log of a chat opens by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogOpens {
    /// Agents open it.
    #[default]
    Never,
    /// As soon as the agent has accepted the chat.
    Accept,
    /// When the chat is over.
    End,
}

impl Default for ChatTable {
    fn default() -> Self {
        Self {
            enabled: false,
            reconnect_grace_seconds: 60,
            longest_wait_seconds: 3600,
            offer_callback_seconds: 180,
            idle_seconds: 1800,
            agent_chars: 5000,
            customer_chars: 500,
            log_opens: LogOpens::Never,
        }
    }
}

/// `text` may hold `{name}`, `{agent}`, `{county}` and `{phone}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedTable {
    /// Typed after `/`.
    pub word: String,
    pub text: String,
    /// BCP 47; offered in chats of that language first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaqTable {
    pub question: String,
    pub answer: String,
    /// Shown to customers on the chat page too (E13).
    #[serde(default)]
    pub public: bool,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyTable {
    pub offer_seconds: u32,
    pub on_no_answer: AftermathTable,
    pub on_reject: AftermathTable,
    pub on_media_error: AftermathTable,
    pub wrap_up_seconds: u32,
    pub disposition: DispositionMode,
    pub reconnect_grace_seconds: u32,
    /// Whether new agents may reject offers; an agent's own setting wins.
    pub can_reject: bool,
    /// No chats during a call and no calls during a chat.
    pub voice_exclusive: bool,
    /// Waiting for so long is worth one priority; 0: priority alone decides.
    pub ageing_seconds: u32,
    /// The agent a customer last dealt with comes first (O7).
    pub sticky: bool,
    /// How long a busy one, or the agent a chat was transferred to, is waited for.
    pub sticky_seconds: u32,
}

impl Default for PolicyTable {
    fn default() -> Self {
        let aftermath = |reason: &str, auto_return_seconds, cool_off_seconds| AftermathTable {
            not_ready: Some(ReasonCode::new(reason)),
            auto_return_seconds,
            cool_off_seconds,
            priority: None,
        };
        Self {
            offer_seconds: 20,
            on_no_answer: aftermath("rona", None, 60),
            on_reject: aftermath("on_break", Some(10), 60),
            on_media_error: aftermath("media", None, 30),
            wrap_up_seconds: 60,
            disposition: DispositionMode::Optional,
            reconnect_grace_seconds: 15,
            can_reject: true,
            voice_exclusive: true,
            ageing_seconds: 300,
            sticky: false,
            sticky_seconds: 60,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AftermathTable {
    /// Reason of the Not Ready that follows; without it the agent stays Ready.
    pub not_ready: Option<ReasonCode>,
    /// Ready again by itself after so long; without it the agent must ask.
    pub auto_return_seconds: Option<u32>,
    pub cool_off_seconds: u32,
    /// The contact's priority from here on; without it as it was, or the subject's own after no answer.
    pub priority: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursTable {
    #[serde(deserialize_with = "days", serialize_with = "show_days")]
    pub days: Vec<Weekday>,
    pub from: ClockTime,
    pub to: ClockTime,
}

fn days<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Weekday>, D::Error> {
    Vec::<String>::deserialize(d)?
        .iter()
        .map(|day| day.parse().map_err(|_| serde::de::Error::custom(format!("`{day}` is not a day of the week"))))
        .collect()
}

fn show_days<S: serde::Serializer>(days: &[Weekday], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(days.iter().map(|day| day.to_string().to_lowercase()))
}

/// `HH:MM`, local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(pub NaiveTime);

impl TryFrom<String> for ClockTime {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        // The end of the day is written 24:00 and means midnight.
        let parsed = if text == "24:00" { "00:00" } else { text.as_str() };
        NaiveTime::parse_from_str(parsed, "%H:%M")
            .map(Self)
            .map_err(|_| format!("`{text}` is not a time of day like 08:30"))
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> String {
        time.0.format("%H:%M").to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayTable {
    pub date: HolidayDate,
    pub name: String,
    /// Half days: [["08:00", "12:00"]].
    #[serde(default)]
    pub open: Vec<(ClockTime, ClockTime)>,
}

/// `YYYY-MM-DD`, in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HolidayDate(pub NaiveDate);

impl TryFrom<String> for HolidayDate {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is not a date like 2026-11-26"))
    }
}

impl From<HolidayDate> for String {
    fn from(date: HolidayDate) -> String {
        date.0.to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueTable {
    pub id: QueueId,
    pub name: String,
    /// What this queue has otherwise than `tenant.policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<QueuePolicyTable>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueuePolicyTable {
    pub offer_seconds: Option<u32>,
    pub on_no_answer: Option<AftermathTable>,
    pub on_reject: Option<AftermathTable>,
    pub on_media_error: Option<AftermathTable>,
    pub wrap_up_seconds: Option<u32>,
    pub disposition: Option<DispositionMode>,
    pub entry_mode: Option<EntryMode>,
    /// Of contacts of this queue, in place of the tenant's `auth`.
    pub auth: Option<AuthMode>,
}

impl QueuePolicyTable {
    pub fn over(&self, tenant: &PolicyTable) -> PolicyTable {
        let own = self.clone();
        PolicyTable {
            offer_seconds: own.offer_seconds.unwrap_or(tenant.offer_seconds),
            on_no_answer: own.on_no_answer.unwrap_or_else(|| tenant.on_no_answer.clone()),
            on_reject: own.on_reject.unwrap_or_else(|| tenant.on_reject.clone()),
            on_media_error: own.on_media_error.unwrap_or_else(|| tenant.on_media_error.clone()),
            wrap_up_seconds: own.wrap_up_seconds.unwrap_or(tenant.wrap_up_seconds),
            ..tenant.clone()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispositionTable {
    pub id: DispositionId,
    pub name: String,
}

impl From<&DispositionTable> for Disposition {
    fn from(table: &DispositionTable) -> Self {
        Self { id: table.id.clone(), name: table.name.clone() }
    }
}
