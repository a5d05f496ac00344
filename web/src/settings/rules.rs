//! How calls, chats and offers go, and the face that customers see: settings that come once.

use ringback_routing::{
    config::{
        Aftermath, AtClosing, CallbackConfig, ChatConfig, CheckAt, DispositionMode, EntryMode, Gate, OverLimit, Policy,
        Slots, Sticky, Waiting,
    },
    ids::{ReasonCode, TrunkId},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Around, is_name, lists::is_language, seconds, secs};
use crate::config::{
    AuthMode, Face, Tenant,
    tenant::{Accent, LogOpens, Origin},
};

pub(super) const DAY: u32 = 86_400;
/// Longest message that can be set, in letters: it must fit into one frame of the agents' socket.
const MOST_CHARS: usize = 10_000;
/// Shortest silence that may end a chat, in seconds: the core hears of a chat's life once a minute.
const LEAST_IDLE: u32 = 120;
/// Pages of foreign origins that may show ours.
const MOST_ORIGINS: usize = 50;
const MOST_LANGUAGES: usize = 20;
/// How far ahead a call can be planned.
const MOST_DAYS: u32 = 60;

/// What customers see of the tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    pub name: String,
    /// `#rrggbb`, dark enough to be seen on a white page (3:1).
    pub accent: String,
    /// BCP 47; pages are shown in one of them.
    pub languages: Vec<String>,
    /// Of those, the one spoken to a customer who named none.
    pub language: String,
    /// Where customers can call when the page cannot help, E.164.
    #[serde(default)]
    pub public_phone: Option<String>,
    /// A picture that was brought in, shown on the customers' pages.
    #[serde(default)]
    pub logo: Option<String>,
}

/// Who may ask, and from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    /// required, optional or none
    #[schema(value_type = String)]
    pub auth: AuthMode,
    /// Origins whose pages may show ours, like `https://portal.example.gov`.
    pub origins: Vec<String>,
}

/// How customers are called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRules {
    pub max_attempts: u32,
    pub busy_spacing_seconds: u32,
    pub no_answer_spacing_seconds: u32,
    pub failed_spacing_seconds: u32,
    pub ring_seconds: u32,
    /// The customer is dialled before an agent is asked.
    pub customer_first: bool,
    /// The customer presses 1 before being connected.
    pub press_one: bool,
    pub press_one_seconds: u32,
    /// An expected wait above this is too long (G3); null: none is.
    #[serde(default)]
    pub longest_wait_minutes: Option<u32>,
    /// render, submit or both
    #[schema(value_type = String)]
    pub check_at: CheckAt,
    /// hide, disable, schedule or notify
    #[schema(value_type = String)]
    pub over_longest_wait: OverLimit,
    /// How long a time is that customers may choose: 5, 10, 15, 20, 30 or 60; null: they cannot choose.
    #[serde(default)]
    pub slot_minutes: Option<u32>,
    pub slot_capacity: u32,
    pub slot_lead_minutes: u32,
    pub slot_days_ahead: u32,
    /// In order of preference.
    pub trunks: Vec<String>,
    /// Shown to the customer, one of `caller_ids`; none: the line's own.
    #[serde(default)]
    pub caller_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatRules {
    /// How long a customer whose page vanished has to come back; 0 ends the chat at once (C15).
    pub reconnect_grace_seconds: u32,
    pub longest_wait_seconds: u32,
    pub idle_seconds: u32,
    /// Longest messages, in letters (E7).
    pub agent_chars: usize,
    pub customer_chars: usize,
    /// Who has waited, or is to wait, for so long is offered a call at the same place; 0 = never. Versions from before
    /// it could be set here leave it as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_callback_seconds: Option<u32>,
    /// When the log of a chat opens by itself (E12): never, accept or end; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub log_opens: Option<LogOpens>,
}

/// How agents are offered contacts, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferRules {
    pub offer_seconds: u32,
    pub wrap_up_seconds: u32,
    /// none, optional or required
    #[schema(value_type = String)]
    pub disposition: DispositionMode,
    pub reconnect_grace_seconds: u32,
    /// Whether new agents may reject offers; each agent's own setting wins.
    pub can_reject: bool,
    /// No chats during a call and no calls during a chat.
    pub voice_exclusive: bool,
    /// Waiting for so long is worth one priority; 0: priority alone decides.
    pub ageing_seconds: u32,
    /// The agent a customer last dealt with comes first (O7).
    pub sticky: bool,
    pub sticky_seconds: u32,
    pub no_answer: AfterMiss,
    pub reject: AfterMiss,
    pub media_error: AfterMiss,
}

/// What happens to the agent when an offer or a connection comes to nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AfterMiss {
    /// Not Ready for this reason; null: the agent stays Ready.
    #[serde(default)]
    pub reason: Option<String>,
    /// Ready again by itself after so long; null: the agent must ask.
    #[serde(default)]
    pub return_seconds: Option<u32>,
    /// The same agent is not offered the same contact again for so long.
    pub cool_off_seconds: u32,
    /// The contact's priority from here on; null: as it was, or the subject's own after a missed offer (G8). Versions from
    /// before it could be set here leave it as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    #[schema(value_type = Option<u8>)]
    pub priority: Option<Option<u8>>,
}

/// A value that is there, null or not.
fn said<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// What becomes of those in line, but not on the telephone, when the tenant closes: keep, reschedule or tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosingRules {
    #[schema(value_type = String)]
    pub hours: Waiting,
    #[schema(value_type = String)]
    pub holiday: Waiting,
    #[schema(value_type = String)]
    pub closure: Waiting,
}

impl ClosingRules {
    pub(super) fn of(of: AtClosing) -> Self {
        let AtClosing { hours, holiday, closure } = of;
        Self { hours, holiday, closure }
    }

    pub(super) fn at_closing(&self) -> AtClosing {
        AtClosing { hours: self.hours, holiday: self.holiday, closure: self.closure }
    }
}

/// The first of named values that is outside its range.
pub(super) fn outside(values: &[(&'static str, u32, u32, u32)]) -> Option<&'static str> {
    values.iter().find(|(_, value, least, most)| !(least..=most).contains(&value)).map(|(name, ..)| *name)
}

impl Look {
    pub(super) fn of(tenant: &Tenant) -> Self {
        Self {
            name: tenant.core.name.clone(),
            accent: tenant.face.accent.to_string(),
            languages: tenant.face.languages.clone(),
            language: tenant.core.language.clone(),
            public_phone: tenant.face.public_phone.clone(),
            logo: tenant.face.logo.clone(),
        }
    }

    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_number = |number: &String| number.starts_with('+') && phonenumber::parse(None, number).is_ok();
        if !is_name(&self.name) {
            Some("name")
        } else if Accent::try_from(self.accent.clone()).is_err() {
            Some("accent")
        } else if self.languages.len() > MOST_LANGUAGES || !self.languages.iter().all(|tag| is_language(tag)) {
            Some("languages")
        } else if !self.languages.contains(&self.language) {
            Some("language")
        } else {
            self.public_phone.as_ref().is_some_and(|number| !is_number(number)).then_some("public_phone")
        }
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        tenant.core.name = self.name.clone();
        tenant.core.language = self.language.clone();
        tenant.face.languages = self.languages.clone();
        tenant.face.public_phone = self.public_phone.clone();
        tenant.face.logo = self.logo.clone();
        if let Ok(accent) = Accent::try_from(self.accent.clone()) {
            tenant.face.accent = accent;
        }
    }
}

impl Portal {
    pub(super) fn of(face: &Face) -> Self {
        Self { auth: face.auth, origins: face.origins.iter().map(|origin| origin.as_str().to_owned()).collect() }
    }

    /// Who must or may be vouched for needs a portal whose word is known.
    pub(super) fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        if self.auth != AuthMode::None && !around.has_portal && around.offers_anything {
            return Some("auth");
        }
        let odd = |origin: &String| Origin::try_from(origin.clone()).is_err();
        (self.origins.len() > MOST_ORIGINS || self.origins.iter().any(odd)).then_some("origins")
    }

    pub(super) fn apply(&self, face: &mut Face) {
        face.auth = self.auth;
        face.origins = self.origins.iter().filter_map(|origin| Origin::try_from(origin.clone()).ok()).collect();
    }
}

impl CallRules {
    pub(super) fn of(tenant: &Tenant) -> Self {
        let callback = &tenant.core.callback;
        let gate = callback.gate.as_ref();
        let usual = Slots { length: secs(900), capacity: 4, lead: secs(1800), ahead: secs(7 * DAY) };
        let slots = callback.slots.as_ref().unwrap_or(&usual);
        Self {
            max_attempts: callback.max_attempts,
            busy_spacing_seconds: seconds(callback.busy_spacing),
            no_answer_spacing_seconds: seconds(callback.no_answer_spacing),
            failed_spacing_seconds: seconds(callback.failed_spacing),
            ring_seconds: seconds(callback.ring_timeout),
            customer_first: callback.entry_mode == EntryMode::CallbackCustomerFirst,
            press_one: callback.press_one,
            press_one_seconds: seconds(callback.press_one_timeout),
            longest_wait_minutes: gate.map(|gate| seconds(gate.longest_wait) / 60),
            check_at: gate.map_or(CheckAt::Submit, |gate| gate.check_at),
            over_longest_wait: gate.map_or(OverLimit::Notify, |gate| gate.then),
            slot_minutes: callback.slots.as_ref().map(|slots| seconds(slots.length) / 60),
            slot_capacity: slots.capacity,
            slot_lead_minutes: seconds(slots.lead) / 60,
            slot_days_ahead: seconds(slots.ahead) / DAY,
            trunks: callback.trunks.iter().map(ToString::to_string).collect(),
            caller_id: tenant.face.caller_id.clone(),
        }
    }

    pub(super) fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        let odd = outside(&[
            ("max_attempts", self.max_attempts, 1, 50),
            ("busy_spacing_seconds", self.busy_spacing_seconds, 0, DAY),
            ("no_answer_spacing_seconds", self.no_answer_spacing_seconds, 0, DAY),
            ("failed_spacing_seconds", self.failed_spacing_seconds, 0, DAY),
            ("ring_seconds", self.ring_seconds, 1, 600),
            ("press_one_seconds", self.press_one_seconds, 1, 120),
            ("longest_wait_minutes", self.longest_wait_minutes.unwrap_or(1), 1, 24 * 60),
            ("slot_capacity", self.slot_capacity, 1, 1_000),
            ("slot_lead_minutes", self.slot_lead_minutes, 0, 24 * 60),
            ("slot_days_ahead", self.slot_days_ahead, 1, MOST_DAYS),
        ]);
        let slot = self.slot_minutes.is_some_and(|minutes| ![5, 10, 15, 20, 30, 60].contains(&minutes));
        let trunk = |id: &String| around.trunks.contains(id.as_str());
        let trunks = !self.trunks.iter().all(trunk) || (self.trunks.is_empty() && around.offers_calls);
        let caller = self.caller_id.as_ref().is_some_and(|number| !around.caller_ids.contains(number.as_str()));
        odd.or(slot.then_some("slot_minutes")).or(trunks.then_some("trunks")).or(caller.then_some("caller_id"))
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        tenant.face.caller_id = self.caller_id.clone();
        let callback: &mut CallbackConfig = &mut tenant.core.callback;
        let minutes = |minutes: u32| secs(minutes.saturating_mul(60));
        let mode = if self.customer_first { EntryMode::CallbackCustomerFirst } else { EntryMode::CallbackAgentFirst };
        *callback = CallbackConfig {
            enabled: callback.enabled,
            max_attempts: self.max_attempts,
            busy_spacing: secs(self.busy_spacing_seconds),
            no_answer_spacing: secs(self.no_answer_spacing_seconds),
            failed_spacing: secs(self.failed_spacing_seconds),
            ring_timeout: secs(self.ring_seconds),
            press_one: self.press_one,
            press_one_timeout: secs(self.press_one_seconds),
            trunks: self.trunks.iter().map(TrunkId::new).collect(),
            guard_time: callback.guard_time,
            entry_mode: mode,
            gate: self.longest_wait_minutes.map(|longest| Gate {
                longest_wait: minutes(longest),
                check_at: self.check_at,
                then: self.over_longest_wait,
            }),
            slots: self.slot_minutes.map(|length| Slots {
                length: minutes(length),
                capacity: self.slot_capacity,
                lead: minutes(self.slot_lead_minutes),
                ahead: secs(self.slot_days_ahead.saturating_mul(DAY)),
            }),
            window: std::mem::take(&mut callback.window),
        };
    }
}

impl ChatRules {
    pub(super) fn of(tenant: &Tenant) -> Self {
        let chat = &tenant.core.chat;
        Self {
            reconnect_grace_seconds: seconds(chat.reconnect_grace),
            longest_wait_seconds: seconds(chat.longest_wait),
            idle_seconds: seconds(chat.idle_timeout),
            agent_chars: tenant.face.chat.agent_chars,
            customer_chars: tenant.face.chat.customer_chars,
            offer_callback_seconds: Some(seconds(Millis(tenant.face.chat.offer_callback_ms.unwrap_or(0)))),
            log_opens: Some(tenant.face.chat.log_opens),
        }
    }

    pub(super) fn fault(&self) -> Option<&'static str> {
        let chars = |chars: usize| u32::try_from(chars.min(MOST_CHARS + 1)).unwrap_or(u32::MAX);
        outside(&[
            ("reconnect_grace_seconds", self.reconnect_grace_seconds, 0, DAY),
            ("longest_wait_seconds", self.longest_wait_seconds, 1, DAY),
            ("idle_seconds", self.idle_seconds, LEAST_IDLE, DAY),
            ("offer_callback_seconds", self.offer_callback_seconds.unwrap_or(0), 0, DAY),
            ("agent_chars", chars(self.agent_chars), 1, chars(MOST_CHARS)),
            ("customer_chars", chars(self.customer_chars), 1, chars(MOST_CHARS)),
        ])
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        tenant.core.chat = ChatConfig {
            enabled: tenant.core.chat.enabled,
            reconnect_grace: secs(self.reconnect_grace_seconds),
            longest_wait: secs(self.longest_wait_seconds),
            idle_timeout: secs(self.idle_seconds),
        };
        tenant.face.chat.agent_chars = self.agent_chars;
        tenant.face.chat.customer_chars = self.customer_chars;
        if let Some(after) = self.offer_callback_seconds {
            tenant.face.chat.offer_callback_ms = Some(secs(after).0).filter(|after| *after > 0);
        }
        if let Some(opens) = self.log_opens {
            tenant.face.chat.log_opens = opens;
        }
    }
}

impl AfterMiss {
    pub(super) fn of(aftermath: &Aftermath) -> Self {
        Self {
            reason: aftermath.not_ready.as_ref().map(ToString::to_string),
            return_seconds: aftermath.auto_return.map(seconds),
            cool_off_seconds: seconds(aftermath.cool_off),
            priority: Some(aftermath.priority),
        }
    }

    pub(super) fn fault(&self, around: &Around<'_>) -> bool {
        let known = self.reason.as_ref().is_none_or(|reason| around.reasons.contains(reason.as_str()));
        !known || self.cool_off_seconds > DAY || self.return_seconds.is_some_and(|seconds| seconds > DAY)
    }

    /// By itself, with nothing there before it.
    pub(super) fn aftermath(&self) -> Aftermath {
        Aftermath {
            not_ready: self.reason.as_ref().map(ReasonCode::new),
            auto_return: self.return_seconds.map(secs),
            cool_off: secs(self.cool_off_seconds),
            priority: self.priority.flatten(),
        }
    }

    fn apply(&self, aftermath: &mut Aftermath) {
        let priority = self.priority.unwrap_or(aftermath.priority);
        *aftermath = Aftermath { priority, ..self.aftermath() };
    }
}

impl OfferRules {
    pub(super) fn of(tenant: &Tenant) -> Self {
        let policy = &tenant.core.policy;
        Self {
            offer_seconds: seconds(policy.offer_timeout),
            wrap_up_seconds: seconds(policy.wrap_up_timeout),
            disposition: policy.disposition,
            reconnect_grace_seconds: seconds(policy.agent_reconnect_grace),
            can_reject: tenant.face.can_reject,
            voice_exclusive: policy.voice_exclusive,
            ageing_seconds: policy.ageing.map_or(0, seconds),
            sticky: policy.sticky.enabled,
            sticky_seconds: seconds(policy.sticky.timeout),
            no_answer: AfterMiss::of(&policy.on_no_answer),
            reject: AfterMiss::of(&policy.on_reject),
            media_error: AfterMiss::of(&policy.on_media_error),
        }
    }

    pub(super) fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        let odd = outside(&[
            ("offer_seconds", self.offer_seconds, 1, 600),
            ("wrap_up_seconds", self.wrap_up_seconds, 0, DAY),
            ("reconnect_grace_seconds", self.reconnect_grace_seconds, 0, 600),
            ("ageing_seconds", self.ageing_seconds, 0, DAY),
            ("sticky_seconds", self.sticky_seconds, 0, DAY),
        ]);
        let misses = [("no_answer", &self.no_answer), ("reject", &self.reject), ("media_error", &self.media_error)];
        let missing = self.disposition == DispositionMode::Required && !around.has_dispositions;
        odd.or(misses.into_iter().find(|(_, miss)| miss.fault(around)).map(|(name, _)| name))
            .or(missing.then_some("disposition"))
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        let policy: &mut Policy = &mut tenant.core.policy;
        policy.offer_timeout = secs(self.offer_seconds);
        policy.wrap_up_timeout = secs(self.wrap_up_seconds);
        policy.disposition = self.disposition;
        policy.agent_reconnect_grace = secs(self.reconnect_grace_seconds);
        policy.voice_exclusive = self.voice_exclusive;
        policy.ageing = Some(secs(self.ageing_seconds)).filter(|step| *step > Millis(0));
        policy.sticky = Sticky { enabled: self.sticky, timeout: secs(self.sticky_seconds) };
        self.no_answer.apply(&mut policy.on_no_answer);
        self.reject.apply(&mut policy.on_reject);
        self.media_error.apply(&mut policy.on_media_error);
        tenant.face.can_reject = self.can_reject;
    }
}
