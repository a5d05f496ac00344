//! Queues that treat offers and wrap-up otherwise than the rest of the tenant (section 2 of the requirements: per tenant,
//! and per queue where it is otherwise).

use std::collections::BTreeMap;

use ringback_routing::{config::QueuePolicy, ids::QueueId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AfterMiss, Around, lists::Entry, outside, rules::DAY, seconds, secs};

/// What holds for one queue in place of the rules of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueRules {
    pub queue: String,
    pub offer_seconds: u32,
    pub wrap_up_seconds: u32,
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
        let misses = [("no_answer", &self.no_answer), ("reject", &self.reject), ("media_error", &self.media_error)];
        odd.or_else(|| misses.into_iter().find(|(_, miss)| miss.fault(around)).map(|(name, _)| name))
    }
}

pub(super) fn of(policies: &BTreeMap<QueueId, QueuePolicy>) -> Vec<QueueRules> {
    let one = |(queue, policy): (&QueueId, &QueuePolicy)| QueueRules {
        queue: queue.to_string(),
        offer_seconds: seconds(policy.offer_timeout),
        wrap_up_seconds: seconds(policy.wrap_up_timeout),
        no_answer: AfterMiss::of(&policy.on_no_answer),
        reject: AfterMiss::of(&policy.on_reject),
        media_error: AfterMiss::of(&policy.on_media_error),
    };
    policies.iter().map(one).collect()
}

pub(super) fn policies(rules: &[QueueRules]) -> BTreeMap<QueueId, QueuePolicy> {
    let one = |rules: &QueueRules| QueuePolicy {
        offer_timeout: secs(rules.offer_seconds),
        on_no_answer: rules.no_answer.aftermath(),
        on_reject: rules.reject.aftermath(),
        on_media_error: rules.media_error.aftermath(),
        wrap_up_timeout: secs(rules.wrap_up_seconds),
    };
    rules.iter().map(|entry| (QueueId::new(&entry.queue), one(entry))).collect()
}
