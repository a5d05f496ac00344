//! Records leave on time: what each tenant keeps for how long is its setting, a legal hold wins, and the audit tells what
//! went. The work is cut into small transactions, so that nobody who calls waits for it.

use std::time::Duration;

use ringback_routing::{
    ids::TenantId,
    time::{Millis, Timestamp},
};
use ringback_store::{Removed, RetentionCut, StoreError};

use crate::{config::tenant::Retention, state::App};

const DAY_SECS: i64 = 86_400;
/// Transactions of one tenant in one round: what is left goes in the next, and every tenant has its turn.
const BATCHES: usize = 50;
/// Between two transactions: the writer serves those who call meanwhile.
const BREATH: Duration = Duration::from_millis(50);
/// Files taken from the disk in one round.
const FILES: u32 = 1_000;

/// Looks every `limits.retention_seconds`, until the server goes down.
pub async fn keep(app: App) {
    let mut every = tokio::time::interval(Duration::from_secs(u64::from(app.limits().retention_seconds.max(1))));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut draining = app.draining.subscribe();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let now = app.now();
        for tenant in app.faces.tenants() {
            if let Err(error) = of_tenant(&app, &tenant, now).await {
                tracing::warn!(%tenant, %error, "records whose time is over could not be removed; it is tried again");
            }
        }
        take_files(&app).await;
    }
}

/// What is due at `now`, by days after the closing.
pub fn cut(retention: &Retention, now: Timestamp) -> RetentionCut {
    let before = |days: Option<u32>| days.map(|days| now - Millis::from_secs(i64::from(days) * DAY_SECS));
    RetentionCut {
        recordings: before(retention.recordings_days),
        transcripts: before(retention.transcripts_days),
        personal: before(retention.personal_days),
        directory: before(retention.directory_days),
    }
}

/// Removes what of a tenant is due at `now`, at most [`BATCHES`] transactions of it.
pub async fn of_tenant(app: &App, tenant: &TenantId, now: Timestamp) -> Result<Removed, StoreError> {
    let mut all = Removed::default();
    let Some(face) = app.faces.get(tenant) else { return Ok(all) };
    let cut = cut(&face.retention, now);
    if cut == RetentionCut::default() {
        return Ok(all);
    }
    for _ in 0..BATCHES {
        let removed = app.store.retain(tenant, cut, app.limits().retention_contacts.max(1), now).await?;
        all.recordings += removed.recordings;
        all.transcripts += removed.transcripts;
        all.personal += removed.personal;
        all.cases += removed.cases;
        all.people += removed.people;
        all.journal += removed.journal;
        all.more = removed.more;
        if !removed.more {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    Ok(all)
}

/// Takes the files of removed recordings from this node's disk; one that refuses is tried again in the next round.
pub async fn take_files(app: &App) {
    let files = match app.store.removed_files(&app.config.file.server.node, FILES).await {
        Ok(files) => files,
        Err(error) => return tracing::warn!(%error, "removed recordings cannot be looked up"),
    };
    for file in files {
        let recording = file.recording;
        let gone = match app.engine.remove_recording_file(file.path.clone()).await {
            Ok(()) => app.store.file_removed(file).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = gone {
            tracing::warn!(%recording, error, "the file of a removed recording is still there; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_closing_and_nothing_is_due_without_a_setting() {
        let now = Timestamp::from_millis(10 * DAY_SECS * 1000);
        let retention = Retention { recordings_days: Some(3), ..Retention::default() };
        let due =
            RetentionCut { recordings: Some(Timestamp::from_millis(7 * DAY_SECS * 1000)), ..RetentionCut::default() };
        assert_eq!(cut(&retention, now), due);
        assert_eq!(cut(&Retention::default(), now), RetentionCut::default());
    }
}
