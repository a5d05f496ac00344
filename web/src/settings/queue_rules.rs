//! Queues that treat offers and wrap-up otherwise than the rest of the tenant (section 2 of the requirements: per tenant,
//! and per queue where it is otherwise).

use std::collections::{BTreeMap, BTreeSet};

use ringback_routing::{
    config::{DispositionMode, EntryMode, QueuePolicy},
    ids::QueueId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AfterMiss, Around, lists::Entry, outside, rules::DAY, seconds, secs};
use crate::config::{AuthMode, Tenant};

/// What holds for one queue in place of the rules of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueRules {
    pub queue: String,
    pub offer_seconds: u32,
    pub wrap_up_seconds: u32,
    /// none, optional or required; null: as everywhere.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub disposition: Option<DispositionMode>,
    /// callback_agent_first or callback_customer_first; likewise.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub entry_mode: Option<EntryMode>,
    /// Who may ask for contacts of this queue: required, optional or none; likewise.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub auth: Option<AuthMode>,
    pub no_answer: AfterMiss,
    pub reject: AfterMiss,
    pub media_error: AfterMiss,
}

impl Entry for QueueRules {
    fn key(&self) -> &str {
        &self.queue
    }

    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        if !around.queues.contains(self.queue.as_str()) {
            return Some("queue");
        }
        let odd = outside(&[
            ("offer_seconds", self.offer_seconds, 1, 600),
            ("wrap_up_seconds", self.wrap_up_seconds, 0, DAY),
        ]);
        let nothing_to_choose = self.disposition == Some(DispositionMode::Required) && !around.has_dispositions;
        if nothing_to_choose {
            return Some("disposition");
        }
        if self.auth.is_some_and(|mode| mode != AuthMode::None) && !around.has_portal {
            return Some("auth");
        }
        let misses = [("no_answer", &self.no_answer), ("reject", &self.reject), ("media_error", &self.media_error)];
        odd.or_else(|| misses.into_iter().find(|(_, miss)| miss.fault(around)).map(|(name, _)| name))
    }
}

pub(super) fn of(tenant: &Tenant) -> Vec<QueueRules> {
    let policies = &tenant.core.queue_policies;
    let auth = &tenant.face.queue_auth;
    // A queue that has only its own way of signing in has the tenant's rules for the rest.
    let usual = tenant.core.policy.of_queue();
    let queues: BTreeSet<&QueueId> = policies.keys().chain(auth.keys()).collect();
    let one = |queue: &QueueId| {
        let policy = policies.get(queue).unwrap_or(&usual);
        QueueRules {
            queue: queue.to_string(),
            offer_seconds: seconds(policy.offer_timeout),
            wrap_up_seconds: seconds(policy.wrap_up_timeout),
            disposition: policy.disposition,
            entry_mode: policy.entry_mode,
            auth: auth.get(queue).copied(),
            no_answer: AfterMiss::of(&policy.on_no_answer),
            reject: AfterMiss::of(&policy.on_reject),
            media_error: AfterMiss::of(&policy.on_media_error),
        }
    };
    queues.into_iter().map(one).collect()
}

pub(super) fn policies(rules: &[QueueRules]) -> BTreeMap<QueueId, QueuePolicy> {
    let one = |rules: &QueueRules| QueuePolicy {
        offer_timeout: secs(rules.offer_seconds),
        on_no_answer: rules.no_answer.aftermath(),
        on_reject: rules.reject.aftermath(),
        on_media_error: rules.media_error.aftermath(),
        wrap_up_timeout: secs(rules.wrap_up_seconds),
        disposition: rules.disposition,
        entry_mode: rules.entry_mode,
    };
    rules.iter().map(|entry| (QueueId::new(&entry.queue), one(entry))).collect()
}

pub(super) fn auth(rules: &[QueueRules]) -> BTreeMap<QueueId, AuthMode> {
    rules.iter().filter_map(|entry| Some((QueueId::new(&entry.queue), entry.auth?))).collect()
}
