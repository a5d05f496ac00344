//! What became of the calls of each trunk since the start, for the operator's page.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ringback_routing::{contact::AttemptResult, ids::TrunkId};

/// Different failures counted per trunk; further ones count together without a status.
const MOST_KINDS: usize = 40;

/// The calls of one trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkCalls {
    pub placed: u64,
    pub answered: u64,
    /// Calls of customers.
    pub came_in: u64,
    /// By result and by the carrier's status, when it gave one.
    pub failures: BTreeMap<(AttemptResult, Option<u16>), u64>,
}

#[derive(Debug, Default)]
pub(crate) struct TrunkTally(Mutex<BTreeMap<TrunkId, TrunkCalls>>);

impl TrunkTally {
    pub fn placed(&self, trunk: &TrunkId) {
        self.book().entry(trunk.clone()).or_default().placed += 1;
    }

    pub fn answered(&self, trunk: &TrunkId) {
        self.book().entry(trunk.clone()).or_default().answered += 1;
    }

    pub fn came_in(&self, trunk: &TrunkId) {
        self.book().entry(trunk.clone()).or_default().came_in += 1;
    }

    pub fn failed(&self, trunk: &TrunkId, result: AttemptResult, status: Option<u16>) {
        let mut book = self.book();
        let failures = &mut book.entry(trunk.clone()).or_default().failures;
        let known = failures.len() < MOST_KINDS || failures.contains_key(&(result, status));
        *failures.entry((result, status.filter(|_| known))).or_default() += 1;
    }

    pub fn of(&self, trunk: &TrunkId) -> TrunkCalls {
        self.book().get(trunk).cloned().unwrap_or_default()
    }

    // A panic while the lock was held leaves counts as they were.
    fn book(&self) -> MutexGuard<'_, BTreeMap<TrunkId, TrunkCalls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_up_to_a_limit() {
        let (tally, trunk) = (TrunkTally::default(), TrunkId::new("t"));
        for status in 400..500 {
            tally.failed(&trunk, AttemptResult::Failed, Some(status));
            tally.failed(&trunk, AttemptResult::Failed, Some(400));
        }
        let failures = tally.of(&trunk).failures;
        assert_eq!(failures[&(AttemptResult::Failed, Some(400))], 101);
        assert!(failures.len() <= MOST_KINDS + 1);
        assert_eq!(failures.values().sum::<u64>(), 200);
        assert_eq!(tally.of(&TrunkId::new("other")), TrunkCalls::default());
    }
}
