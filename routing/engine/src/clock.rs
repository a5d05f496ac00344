//! The engine's only clock: monotonic, mapped to UTC once at start, so a stepped system clock moves no timer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringback_routing::time::Timestamp;

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    utc_at_start: i64,
}

impl Clock {
    pub fn start() -> Self {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), utc_at_start: i64::try_from(utc.as_millis()).unwrap_or(i64::MAX) }
    }

    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.utc_at_start.saturating_add(elapsed))
    }

    /// When the monotonic clock shows `at`; instants already gone give the start.
    pub fn instant_of(&self, at: Timestamp) -> tokio::time::Instant {
        let ahead = at.as_millis().saturating_sub(self.utc_at_start).max(0);
        tokio::time::Instant::from_std(self.started + Duration::from_millis(ahead as u64))
    }
}
