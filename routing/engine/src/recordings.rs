//! Recordings between the core, the recorder and the ledger: opened, finished, found again, played.

use std::{sync::Arc, time::Duration};

use ringback_media::FrameSink;
use ringback_recorder::{RecordingSpec, Summary};
use ringback_routing::{
    event::Event,
    ids::{ContactId, LegId, RecordingId, TenantId},
    output::Party,
    time::Timestamp,
};
use ringback_store::{BegunRecording, RecordingEnd, RecordingRow, RecordingState, StoreError};
use tokio::sync::mpsc;

use crate::plant::Plant;

pub(crate) struct Opening {
    pub leg: LegId,
    pub contact: ContactId,
    pub recording: RecordingId,
    pub party: Party,
    /// Where the contact's recordings begin.
    pub started: Timestamp,
    pub now: Timestamp,
}

/// Starts a recording. Its row is written beside the sound, so that media never waits for the ledger.
pub(crate) fn open(plant: &Arc<Plant>, tenant: &TenantId, opening: Opening) -> Box<dyn FrameSink> {
    let offset = opening.now.since(opening.started);
    let (subdir, name) = place(tenant, opening.contact, opening.recording);
    let spec = RecordingSpec {
        key: opening.recording.0,
        name,
        subdir,
        offset: Duration::from_millis(u64::try_from(offset.0).unwrap_or(0)),
    };
    let Opening { leg, contact, recording, party, now, .. } = opening;
    let (path, node) = (spec.path(), plant.node.clone());
    let begun = BegunRecording { id: recording, contact, leg, party, path, node, started_at: now, offset_ms: offset.0 };
    let sink = plant.recorder.open(spec);
    let (plant, tenant) = (plant.clone(), tenant.clone());
    tokio::spawn(async move {
        if let Err(error) = plant.store.begin_recording(&tenant, begun).await {
            tracing::error!(%recording, %error, "a recording has no row yet; it is recorded all the same");
        }
    });
    sink
}

/// Folder and file stem of a recording, made of our own ids only. The contact's id begins with its time, so folders
/// fill in order.
pub(crate) fn place(tenant: &TenantId, contact: ContactId, recording: RecordingId) -> (String, String) {
    let clean: String =
        tenant.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let contact = contact.to_string();
    (format!("{clean}/{}/{contact}", &contact[3..9]), recording.to_string())
}

/// What closes within this time is filed in one go.
const GATHER: Duration = Duration::from_millis(200);
/// Closed files that wait to be filed before the recorder's word waits too; a quarter of what the ledger's queue takes.
pub(crate) const WAITING: usize = 256;
/// How often and how far apart the row of a finished recording is tried.
const FINISH_TRIES: usize = 10;
const FINISH_SPACING: Duration = Duration::from_millis(500);

/// A file that was closed, on its way to its row.
pub(crate) struct Closed {
    pub tenant: TenantId,
    pub leg: LegId,
    pub summary: Summary,
}

/// Files what the recorder has closed. What closes within [`GATHER`] is filed together, and the cores hear of it together:
/// nobody waits for it, and each turn of a core costs a transaction.
pub(crate) async fn file(plant: Arc<Plant>, mut closed: mpsc::Receiver<Closed>) {
    let mut batch = Vec::new();
    while closed.recv_many(&mut batch, WAITING).await > 0 {
        tokio::time::sleep(GATHER).await;
        while batch.len() < WAITING
            && let Ok(more) = closed.try_recv()
        {
            batch.push(more);
        }
        for one in batch.drain(..) {
            tokio::spawn(finished(plant.clone(), one));
        }
    }
}

/// The file is closed: its row says so, and the core hears of it.
async fn finished(plant: Arc<Plant>, closed: Closed) {
    let Closed { tenant, leg, summary } = closed;
    let recording = RecordingId(summary.key);
    let end = end_of(&summary, RecordingState::Finished);
    let mut settled = Err(StoreError::NotFound("recording"));
    // The row of a very short recording may still be on its way, and a full disk may have space soon.
    for _ in 0..FINISH_TRIES {
        settled = plant.store.finish_recording(&tenant, recording, end.clone()).await;
        if settled.is_ok() {
            break;
        }
        tokio::time::sleep(FINISH_SPACING).await;
    }
    match settled {
        Ok(()) => {
            plant.metrics.recordings_finished.add(1);
            plant.tell(&tenant, Event::RecordingFinished { leg, recording }).await;
        }
        Err(error) => {
            tracing::error!(%recording, %error, "a finished recording is not in the ledger; the next start finds it");
        }
    }
    plant.books.legs().recording_closed(summary.key);
}

fn end_of(summary: &Summary, state: RecordingState) -> RecordingEnd {
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    RecordingEnd {
        state,
        duration_ms: count(summary.duration_ms),
        bytes: count(summary.bytes),
        lost_frames: count(summary.lost_frames),
        chain: summary.sha256_chain.clone(),
        marks: serde_json::to_value(&summary.marks).unwrap_or_default(),
    }
}

/// Takes the recorder's word into the row.
pub(crate) fn settle(row: &mut RecordingRow, summary: &Summary, state: RecordingState) {
    let end = end_of(summary, state);
    row.state = end.state;
    row.duration_ms = end.duration_ms;
    row.bytes = end.bytes;
    row.lost_frames = end.lost_frames;
    row.chain = end.chain;
    row.marks = end.marks;
}
