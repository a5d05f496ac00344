//! What is wrong right now, for the operator: raised and cleared by those who notice, shown in readiness and metrics.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// Commits fail: no new request is acknowledged.
    LedgerRefuses,
    /// Recordings cannot be written.
    RecordingsRefused,
    /// Less free space than configured where recordings go.
    DiskLow,
    /// No trunk answers.
    TrunksDown,
    /// A new certificate for https cannot be used; the one from before stays in force.
    CertificateRefused,
    /// The server is finishing its calls and takes no new ones.
    Draining,
}

#[derive(Debug, Default)]
pub struct Alarms {
    raised: Mutex<BTreeMap<Alarm, String>>,
}

impl Alarms {
    pub fn raise(&self, alarm: Alarm, why: impl Into<String>) {
        let why = why.into();
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        if raised.insert(alarm, why.clone()).is_none() {
            tracing::error!(?alarm, why, "alarm raised");
        }
    }

    pub fn clear(&self, alarm: Alarm) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        if raised.remove(&alarm).is_some() {
            tracing::info!(?alarm, "alarm cleared");
        }
    }

    /// Alarms and their causes, worst first.
    pub fn raised(&self) -> Vec<(Alarm, String)> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.iter().map(|(alarm, why)| (*alarm, why.clone())).collect()
    }
}
