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
use ringback_store::{RecordingRow, RecordingState, StoreError};

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
    let path = spec.path();
    let sink = plant.recorder.open(spec);
    let (plant, tenant) = (plant.clone(), tenant.clone());
    tokio::spawn(async move {
        let recording = opening.recording;
        if let Err(error) = write_row(&plant, &tenant, opening, path, offset.0).await {
            tracing::error!(%recording, %error, "a recording has no row yet; it is recorded all the same");
        }
    });
    sink
}

async fn write_row(
    plant: &Plant,
    tenant: &TenantId,
    opening: Opening,
    path: String,
    offset_ms: i64,
) -> Result<(), StoreError> {
    let contact = plant.store.contact(tenant, opening.contact).await?.ok_or(StoreError::NotFound("contact"))?;
    let agent = match &opening.party {
        Party::Agent { agent } => Some(agent.clone()),
        Party::Customer | Party::Outside => contact.segments.last().map(|segment| segment.agent.clone()),
    };
    let digits = contact.customer.number.as_str();
    let row = RecordingRow {
        id: opening.recording,
        contact: opening.contact,
        leg: opening.leg,
        party: opening.party,
        agent,
        queue: contact.queue,
        number_last4: digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned(),
        number_key: contact.customer.number_key.clone(),
        path,
        node: plant.node.clone(),
        state: RecordingState::Recording,
        started_at: opening.now,
        offset_ms,
        duration_ms: 0,
        bytes: 0,
        lost_frames: 0,
        chain: String::new(),
        marks: serde_json::Value::Array(Vec::new()),
    };
    plant.store.save_recording(tenant, &row).await
}

/// Folder and file stem of a recording, made of our own ids only. The contact's id begins with its time, so folders
/// fill in order.
pub(crate) fn place(tenant: &TenantId, contact: ContactId, recording: RecordingId) -> (String, String) {
    let clean: String =
        tenant.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let contact = contact.to_string();
    (format!("{clean}/{}/{contact}", &contact[3..9]), recording.to_string())
}

/// How often and how far apart the row of a finished recording is tried.
const FINISH_TRIES: usize = 10;
const FINISH_SPACING: Duration = Duration::from_millis(500);

async fn finish_row(
    plant: &Plant,
    tenant: &TenantId,
    recording: RecordingId,
    summary: &Summary,
) -> Result<(), StoreError> {
    let mut row = plant.store.recording(tenant, recording).await?.ok_or(StoreError::NotFound("recording"))?;
    settle(&mut row, summary, RecordingState::Finished);
    plant.store.save_recording(tenant, &row).await
}

/// The file is closed: its row says so, and the core hears of it.
pub(crate) async fn finished(plant: Arc<Plant>, tenant: TenantId, leg: LegId, summary: Summary) {
    let (plant, tenant) = (&plant, &tenant);
    let recording = RecordingId(summary.key);
    let mut settled = Err(StoreError::NotFound("recording"));
    // The row of a very short recording may still be on its way, and a full disk may have space soon.
    for _ in 0..FINISH_TRIES {
        settled = finish_row(plant, tenant, recording, &summary).await;
        if settled.is_ok() {
            break;
        }
        tokio::time::sleep(FINISH_SPACING).await;
    }
    if let Err(error) = settled {
        tracing::error!(%recording, %error, "a finished recording is not in the ledger; the next start finds it");
        return;
    }
    plant.metrics.recordings_finished.add(1);
    plant.tell(tenant, Event::RecordingFinished { leg, recording }).await;
}

/// Takes the recorder's word into the row.
pub(crate) fn settle(row: &mut RecordingRow, summary: &Summary, state: RecordingState) {
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    row.state = state;
    row.duration_ms = count(summary.duration_ms);
    row.bytes = count(summary.bytes);
    row.lost_frames = count(summary.lost_frames);
    row.chain = summary.sha256_chain.clone();
    row.marks = serde_json::to_value(&summary.marks).unwrap_or_default();
}
