//! What a tenant's administrators set in a browser, kept as whole versions: each with who, when, and what was otherwise
//! before. Until the first change the configuration file speaks; from then on the ledger does, for these settings.

mod dialling;
mod lists;
mod numbers;
mod portal_keys;
mod prompts;
mod queue_rules;
mod rules;
mod versions;
mod week;

use std::collections::{BTreeMap, BTreeSet};

use ringback_engine::parts::IpNet;
use ringback_routing::{
    config::Closure,
    ids::{ReasonCode, TrunkId},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use self::rules::outside;
pub use self::{
    dialling::{DiallingRules, OuterBounds},
    lists::{Canned, Code, Entry, LanguageSkill, NamedCode, Question, Queue, Step, Subject},
    numbers::{CallerId, InboundRules, Key, Number},
    portal_keys::{OwnPortal, PortalKey},
    prompts::OwnPrompt,
    queue_rules::QueueRules,
    rules::{AfterMiss, CallRules, ChatRules, ClosingRules, Look, OfferRules, Portal},
    versions::{
        SettingsError, Version, bring_back, change, check_alone, close, current, in_force, not_elsewhere, versions,
    },
    week::{DayHours, DayOff},
};
use crate::config::{Bounds, Face, FormRules, Tenant, tenant::Retention};

/// Longest name, in letters.
const MAX_NAME: usize = 100;

/// The settings that are changed in the browser. A part that is left out of a change stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Callbacks are offered (C1).
    pub callback: bool,
    /// Chats are offered (C1).
    pub chat: bool,
    /// The usual week.
    pub hours: Vec<DayHours>,
    pub holidays: Vec<DayOff>,
    /// When customers may be called, within the opening hours; empty: whenever it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_hours: Option<Vec<DayHours>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<Portal>,
    /// Beside those that the operator has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_keys: Option<Vec<PortalKey>>,
    /// Whom the tenant calls, and how much; within what the operator allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialling: Option<DiallingRules>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forms: Option<FormRules>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<Queue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<Subject>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_skills: Option<Vec<LanguageSkill>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_codes: Option<Vec<Code>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispositions: Option<Vec<NamedCode>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canned: Option<Vec<Canned>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faq: Option<Vec<Question>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallRules>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chats: Option<ChatRules>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<OfferRules>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_rules: Option<Vec<QueueRules>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<ClosingRules>,
    /// Those that customers call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Vec<Number>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<InboundRules>,
    /// Those that customers may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_ids: Option<Vec<CallerId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// In place of the prompts that come with the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Vec<OwnPrompt>>,
    /// The emergency closure, if one is declared; it is changed by `/api/v1/closure` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::http::schema::Closure>)]
    pub closure: Option<Closure>,
}

/// One setting that is otherwise than in the version before.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// `callback`, `closure`, `hours.mon`, `holidays.2026-11-26`, `subjects.calfresh`, `calls.max_attempts` …
    pub what: String,
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

/// What settings are looked at against: each other, and what the installation has.
pub struct Around<'a> {
    queues: BTreeSet<&'a str>,
    subjects: BTreeSet<&'a str>,
    caller_ids: BTreeSet<&'a str>,
    reasons: BTreeSet<&'a str>,
    trunks: BTreeSet<&'a str>,
    languages: BTreeSet<&'a str>,
    has_portal: bool,
    bounds: &'a Bounds,
    reach: &'a [IpNet],
    has_dispositions: bool,
    offers_calls: bool,
    offers_anything: bool,
    agent_chars: usize,
    most_targets: usize,
}

impl<'a> Around<'a> {
    /// `face`: what the tenant may use and at most allow itself. `reach`: private ranges that are asked all the same.
    /// `most_targets`: of one subject.
    pub fn of(settings: &'a Settings, face: &'a Face, reach: &'a [IpNet], most_targets: usize) -> Self {
        let (queues, reasons) = (settings.queues.iter().flatten(), settings.reason_codes.iter().flatten());
        Self {
            queues: queues.map(|queue| queue.id.as_str()).collect(),
            subjects: settings.subjects.iter().flatten().map(|subject| subject.id.as_str()).collect(),
            caller_ids: settings.caller_ids.iter().flatten().map(|id| id.number.as_str()).collect(),
            reasons: reasons.map(|code| code.id.as_str()).collect(),
            trunks: face.trunks.iter().map(TrunkId::as_str).collect(),
            languages: settings.look.iter().flat_map(|look| &look.languages).map(String::as_str).collect(),
            has_portal: settings.portal_keys.as_ref().is_some_and(|keys| !keys.is_empty())
                || !face.portal_keys.is_empty()
                || !face.portal_jwks.is_empty(),
            bounds: &face.bounds,
            reach,
            has_dispositions: settings.dispositions.iter().flatten().any(|code| !code.retired),
            offers_calls: settings.callback,
            offers_anything: settings.callback || settings.chat,
            agent_chars: settings.chats.as_ref().map_or(usize::MAX, |chats| chats.agent_chars),
            most_targets,
        }
    }
}

impl Settings {
    /// Those in force: every part of them.
    pub fn of(tenant: &Tenant) -> Self {
        let core = &tenant.core;
        Self {
            callback: core.callback.enabled,
            chat: core.chat.enabled,
            hours: week::week_of(&core.hours.week),
            holidays: week::days_off(&core.hours.holidays),
            call_hours: Some(week::week_of(&core.callback.window)),
            look: Some(Look::of(tenant)),
            portal: Some(Portal::of(&tenant.face)),
            portal_keys: Some(tenant.face.own_portal.entries.clone()),
            dialling: Some(DiallingRules::of(&tenant.face)),
            forms: Some(tenant.face.forms),
            queues: Some(core.queues.iter().map(Queue::from).collect()),
            subjects: Some(core.subjects.iter().map(Subject::from).collect()),
            language_skills: Some(lists::language_skills(&core.language_skills)),
            reason_codes: Some(core.reason_codes.iter().map(Code::from).collect()),
            dispositions: Some(
                core.dispositions.iter().map(|code| NamedCode::of(code, &tenant.face.retired)).collect(),
            ),
            canned: Some(tenant.face.chat.canned.iter().map(Canned::from).collect()),
            faq: Some(tenant.face.chat.faq.iter().map(Question::from).collect()),
            calls: Some(CallRules::of(tenant)),
            chats: Some(ChatRules::of(tenant)),
            offers: Some(OfferRules::of(tenant)),
            queue_rules: Some(queue_rules::of(tenant)),
            closing: Some(ClosingRules::of(core.hours.at_closing)),
            numbers: Some(numbers::of(tenant)),
            inbound: Some(InboundRules::of(tenant)),
            caller_ids: Some(tenant.face.caller_ids.clone()),
            retention: Some(tenant.face.retention),
            prompts: Some(tenant.face.own_prompts.clone()),
            closure: core.hours.closure.clone(),
        }
    }

    /// The parts that are left out taken from `other`.
    #[must_use]
    pub fn over(self, other: &Self) -> Self {
        macro_rules! over {
            ($($part:ident),*) => {
                Self { $($part: self.$part.or_else(|| other.$part.clone()),)* ..self }
            };
        }
        over!(
            call_hours,
            look,
            portal,
            portal_keys,
            dialling,
            forms,
            queues,
            subjects,
            language_skills,
            reason_codes,
            dispositions,
            canned,
            faq,
            calls,
            chats,
            offers,
            queue_rules,
            closing,
            numbers,
            inbound,
            caller_ids,
            retention,
            prompts
        )
    }

    /// Puts them into force; everything else stays as it is.
    pub fn apply(&self, version: u64, tenant: &mut Tenant) {
        let core = &mut tenant.core;
        // The file's own state is version 1 here and there.
        core.version = version.max(1);
        core.callback.enabled = self.callback;
        core.chat.enabled = self.chat;
        core.hours.week = week::intervals(&self.hours);
        core.hours.holidays = week::holidays(&self.holidays);
        core.hours.closure = self.closure.clone();
        fn set<A, B>(place: &mut Vec<B>, list: &Option<Vec<A>>, one: impl Fn(&A) -> B) {
            if let Some(list) = list {
                *place = list.iter().map(one).collect();
            }
        }
        set(&mut core.queues, &self.queues, |queue| queue.into());
        set(&mut core.subjects, &self.subjects, |subject| subject.into());
        set(&mut core.reason_codes, &self.reason_codes, |code| ReasonCode::new(&code.id));
        set(&mut core.dispositions, &self.dispositions, |code| code.into());
        set(&mut tenant.face.chat.canned, &self.canned, |canned| canned.into());
        set(&mut tenant.face.chat.faq, &self.faq, |faq| faq.into());
        if let Some(skills) = &self.language_skills {
            core.language_skills = lists::skills_by_language(skills);
        }
        if let Some(rules) = &self.queue_rules {
            core.queue_policies = queue_rules::policies(rules);
            tenant.face.queue_auth = queue_rules::auth(rules);
        }
        if let Some(closing) = &self.closing {
            core.hours.at_closing = closing.at_closing();
        }
        if let Some(week) = &self.call_hours {
            core.callback.window = week::intervals(week);
        }
        if let Some(codes) = &self.dispositions {
            let retired = codes.iter().filter(|code| code.retired);
            tenant.face.retired = retired.map(|code| code.id.clone()).collect();
        }
        if let Some(calls) = &self.calls {
            calls.apply(tenant);
        }
        if let Some(ids) = &self.caller_ids {
            tenant.face.caller_ids = ids.clone();
        }
        if let Some(inbound) = &self.inbound {
            inbound.apply(tenant);
        }
        if let Some(numbers) = &self.numbers {
            numbers::apply(numbers, tenant);
        }
        if let Some(look) = &self.look {
            look.apply(tenant);
        }
        if let Some(portal) = &self.portal {
            portal.apply(&mut tenant.face);
        }
        if let Some(keys) = &self.portal_keys {
            tenant.face.own_portal = OwnPortal::of(keys.clone());
        }
        if let Some(dialling) = &self.dialling {
            dialling.apply(tenant);
        }
        if let Some(chats) = &self.chats {
            chats.apply(tenant);
        }
        if let Some(offers) = &self.offers {
            offers.apply(tenant);
        }
        if let Some(prompts) = &self.prompts {
            tenant.face.own_prompts = prompts.clone();
        }
        tenant.face.retention = self.retention.unwrap_or(tenant.face.retention);
        tenant.face.forms = self.forms.unwrap_or(tenant.face.forms);
    }

    /// In one order, whatever the order they were typed in, so that equal settings are equal.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        week::sort(&mut self.hours);
        week::sort_days(&mut self.holidays);
        if let Some(hours) = &mut self.call_hours {
            week::sort(hours);
        }
        for queue in self.queues.iter_mut().flatten() {
            queue.name = queue.name.trim().to_owned();
        }
        for subject in self.subjects.iter_mut().flatten() {
            subject.name = subject.name.trim().to_owned();
        }
        self
    }

    /// The first setting that cannot be kept, by its name; `self` is whole.
    pub fn fault(&self, around: &Around<'_>) -> Option<String> {
        fn entries<E: Entry>(name: &str, list: &Option<Vec<E>>, around: &Around<'_>) -> Option<String> {
            lists::fault(name, list.as_deref().unwrap_or_default(), around)
        }
        fn part<P>(name: &str, part: &Option<P>, fault: impl Fn(&P) -> Option<&'static str>) -> Option<String> {
            part.as_ref().and_then(fault).map(|field| format!("{name}.{field}"))
        }
        let nobody = |list: bool, name: &str| list.then(|| name.to_owned());
        week::fault("hours", &self.hours)
            .or_else(|| week::holidays_fault(&self.holidays))
            .or_else(|| week::fault("call_hours", self.call_hours.as_deref().unwrap_or_default()))
            .or_else(|| part("look", &self.look, Look::fault))
            .or_else(|| nobody(self.queues.as_ref().is_some_and(Vec::is_empty), "queues"))
            .or_else(|| nobody(self.subjects.as_ref().is_some_and(Vec::is_empty), "subjects"))
            .or_else(|| entries("queues", &self.queues, around))
            .or_else(|| entries("subjects", &self.subjects, around))
            .or_else(|| entries("language_skills", &self.language_skills, around))
            .or_else(|| entries("reason_codes", &self.reason_codes, around))
            .or_else(|| entries("dispositions", &self.dispositions, around))
            .or_else(|| entries("canned", &self.canned, around))
            .or_else(|| entries("faq", &self.faq, around))
            .or_else(|| part("calls", &self.calls, |calls| calls.fault(around)))
            .or_else(|| part("chats", &self.chats, ChatRules::fault))
            .or_else(|| part("offers", &self.offers, |offers| offers.fault(around)))
            .or_else(|| entries("queue_rules", &self.queue_rules, around))
            .or_else(|| entries("numbers", &self.numbers, around))
            .or_else(|| numbers::fault(self.numbers.as_deref().unwrap_or_default()))
            .or_else(|| part("inbound", &self.inbound, InboundRules::fault))
            .or_else(|| entries("caller_ids", &self.caller_ids, around))
            .or_else(|| entries("prompts", &self.prompts, around))
            .or_else(|| part("retention", &self.retention, Retention::fault))
            .or_else(|| part("portal", &self.portal, |portal| portal.fault(around)))
            .or_else(|| entries("portal_keys", &self.portal_keys, around))
            .or_else(|| nobody(self.asks_too_many(), "portal_keys"))
            .or_else(|| part("dialling", &self.dialling, |dialling| dialling.fault(around.bounds)))
    }

    fn asks_too_many(&self) -> bool {
        let addresses = self.portal_keys.iter().flatten().filter(|key| key.address.is_some());
        addresses.count() > portal_keys::MOST_ADDRESSES
    }

    /// The same, with nothing looser than the operator allows now.
    #[must_use]
    pub fn within(self, bounds: &Bounds) -> Self {
        let dialling = self.dialling.as_ref().map(|dialling| dialling.within(bounds));
        Self { dialling, ..self }
    }

    /// What is otherwise in `self` than in `before`; a part that a former version did not have yet is not compared.
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let (old, new) = (before.clone().over(self).by_name(), self.by_name());
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let names = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        names
            .map(|name| Difference {
                what: name.clone(),
                before: old.get(name).cloned(),
                after: new.get(name).cloned(),
            })
            .collect()
    }

    fn by_name(&self) -> BTreeMap<String, Value> {
        let mut by_name = BTreeMap::new();
        by_name.insert("callback".to_owned(), self.callback.into());
        by_name.insert("chat".to_owned(), self.chat.into());
        if let Some(closure) = &self.closure {
            by_name.insert("closure".to_owned(), json(closure));
        }
        let weeks = [("hours", Some(&self.hours)), ("call_hours", self.call_hours.as_ref())];
        for (name, at) in
            weeks.into_iter().flat_map(|(name, week)| week.into_iter().flatten().map(move |at| (name, at)))
        {
            let day = by_name.entry(format!("{name}.{}", String::from(at.day)));
            if let Value::Array(times) = day.or_insert_with(|| Value::Array(Vec::new())) {
                times.push(json(&(at.from, at.to)));
            }
        }
        for day in &self.holidays {
            by_name.insert(format!("holidays.{}", day.date), json(day));
        }
        fn entries<E: Entry>(by_name: &mut BTreeMap<String, Value>, name: &str, list: &Option<Vec<E>>) {
            by_name.extend(list.iter().flatten().map(|entry| (format!("{name}.{}", entry.key()), json(entry))));
        }
        entries(&mut by_name, "queues", &self.queues);
        entries(&mut by_name, "subjects", &self.subjects);
        entries(&mut by_name, "language_skills", &self.language_skills);
        entries(&mut by_name, "reason_codes", &self.reason_codes);
        entries(&mut by_name, "dispositions", &self.dispositions);
        entries(&mut by_name, "canned", &self.canned);
        entries(&mut by_name, "faq", &self.faq);
        entries(&mut by_name, "queue_rules", &self.queue_rules);
        entries(&mut by_name, "portal_keys", &self.portal_keys);
        entries(&mut by_name, "numbers", &self.numbers);
        entries(&mut by_name, "caller_ids", &self.caller_ids);
        entries(&mut by_name, "prompts", &self.prompts);
        for (name, part) in [
            ("look", json(&self.look)),
            ("portal", json(&self.portal)),
            ("dialling", json(&self.dialling)),
            ("forms", json(&self.forms)),
            ("calls", json(&self.calls)),
            ("chats", json(&self.chats)),
            ("offers", json(&self.offers)),
            ("closing", json(&self.closing)),
            ("inbound", json(&self.inbound)),
            ("retention", json(&self.retention)),
        ] {
            spread(&mut by_name, name, part);
        }
        by_name
    }
}

/// Each value of a part under a name of its own.
fn spread(by_name: &mut BTreeMap<String, Value>, name: &str, value: Value) {
    match value {
        Value::Object(fields) => {
            fields.into_iter().for_each(|(field, value)| spread(by_name, &format!("{name}.{field}"), value));
        }
        Value::Null => {}
        other => {
            by_name.insert(name.to_owned(), other);
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn is_name(name: &str) -> bool {
    let letters = name.chars().count();
    !name.trim().is_empty() && letters <= MAX_NAME && !name.chars().any(char::is_control)
}

fn secs(seconds: u32) -> Millis {
    Millis::from_secs(i64::from(seconds))
}

/// Whole seconds; what is longer than any setting can be counts as the longest.
fn seconds(span: Millis) -> u32 {
    u32::try_from(span.0 / 1000).unwrap_or(if span.0 < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests;
