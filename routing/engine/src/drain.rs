//! Going down with care: no new dialling, live calls finish, files are closed; at the deadline what still stands is
//! taken down in order.

use std::time::Duration;

use ringback_routing::ids::LegId;
use ringback_signaling::CallKey;
use tokio::time::{Instant, sleep};

use crate::{alarms::Alarm, face::Engine};

/// How often the state is looked at while draining.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What the last calls and files get after the deadline.
const LAST_GRACE: Duration = Duration::from_secs(3);

impl Engine {
    /// Returns when every call and file is closed, at the latest a few seconds after `patience`.
    pub async fn drain(&self, patience: Duration) {
        self.plant.books.channels().drain();
        self.plant.signaling.leave();
        self.plant.alarms.raise(Alarm::Draining, "the server is finishing its calls");
        let deadline = Instant::now() + patience;
        while self.calls() > 0 && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        let left = self.customer_legs();
        if !left.is_empty() {
            tracing::warn!(calls = left.len(), "the deadline has come; calls still standing are ended");
        }
        for leg in left {
            self.plant.signaling.hang_up(CallKey(leg.0));
        }
        let end = Instant::now() + LAST_GRACE;
        while (self.calls() > 0 || self.plant.books.legs().recordings_open() > 0) && Instant::now() < end {
            sleep(LOOK_EVERY).await;
        }
        self.plant.signaling.clone().shutdown().await;
        self.plant.media.clone().shutdown();
        let recorder = self.plant.recorder.clone();
        // Joins the writer thread, which blocks until the last file is closed.
        drop(tokio::task::spawn_blocking(move || recorder.shutdown()).await);
        self.plant.store.close().await;
    }

    /// Customer legs that stand.
    pub fn calls(&self) -> usize {
        self.plant.books.legs().calls()
    }

    fn customer_legs(&self) -> Vec<LegId> {
        let book = self.plant.books.legs();
        book.iter().filter(|(_, leg)| leg.kind.is_call()).map(|(id, _)| *id).collect()
    }
}
