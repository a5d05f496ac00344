//! Recordings as they are heard: the whole call in stereo, or one leg, rendered while it is read.

use std::sync::Arc;

use ringback_recorder::{
    shelf::DirShelf,
    stereo::{Channel, Gaps, LegTrack, LegWav, StereoWav},
};
use ringback_routing::{
    ids::{ContactId, RecordingId, TenantId},
    output::Party,
};
use ringback_store::{RecordingRow, RecordingState};

use crate::{error::RecordingError, face::Engine};

/// What of a contact's recordings is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingView {
    /// Customer left, agents right.
    Call,
    Leg(RecordingId),
}

/// A WAV that is rendered as it is read.
#[derive(Clone)]
pub struct AudioFile(Sound);

#[derive(Clone)]
enum Sound {
    Call(StereoWav),
    Leg(Arc<LegWav>),
}

impl AudioFile {
    /// Bytes, header included.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Sound::Call(wav) => wav.len(),
            Sound::Leg(wav) => wav.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes `from..to`, at most 16 MiB apart. Blocking: call it from a blocking thread.
    ///
    /// # Errors
    /// The file is gone or cannot be read.
    pub fn read_range(&self, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
        match &self.0 {
            Sound::Call(wav) => wav.read_range(from, to),
            Sound::Leg(wav) => wav.read_range(from, to),
        }
    }
}

/// The picture of a call: loudness in two lanes, and what happened where.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Peaks {
    pub duration_ms: u64,
    /// (lowest, highest) sample of each bucket.
    pub left: Vec<(i16, i16)>,
    pub right: Vec<(i16, i16)>,
    pub marks: Vec<PlacedMark>,
}

/// A mark at its place in the rendered call.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlacedMark {
    pub name: String,
    pub begin_ms: u64,
    pub end_ms: Option<u64>,
    pub leg: RecordingId,
}

impl Engine {
    /// Opens the sound; reading it blocks, opening it does so briefly on a thread of its own.
    ///
    /// # Errors
    /// No such recording of that tenant, or it is still being written.
    pub async fn recording_audio(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        view: RecordingView,
    ) -> Result<AudioFile, RecordingError> {
        let rows = self.playable(tenant, contact).await?;
        let root = self.plant.recordings_root.clone();
        blocking(move || {
            let shelf = DirShelf::shared(root)?;
            Ok(AudioFile(match view {
                RecordingView::Call => Sound::Call(StereoWav::open(shelf, &tracks(&rows), Gaps::Shortened)?),
                RecordingView::Leg(id) => {
                    let row = rows.iter().find(|row| row.id == id).ok_or(RecordingError::NotFound)?;
                    Sound::Leg(Arc::new(LegWav::open(shelf, &row.path)?))
                }
            }))
        })
        .await
    }

    /// The call's waveform in `buckets` steps, with its marks.
    ///
    /// # Errors
    /// As [`Engine::recording_audio`].
    pub async fn recording_peaks(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        buckets: usize,
    ) -> Result<Peaks, RecordingError> {
        let rows = self.playable(tenant, contact).await?;
        let root = self.plant.recordings_root.clone();
        blocking(move || {
            let wav = StereoWav::open(DirShelf::shared(root)?, &tracks(&rows), Gaps::Shortened)?;
            let marks = rows.iter().flat_map(|row| placed_marks(row, &wav)).collect();
            let peaks = wav.peaks(buckets)?;
            Ok(Peaks { duration_ms: peaks.duration_ms, left: peaks.left, right: peaks.right, marks })
        })
        .await
    }

    /// Takes the file of a recording, and what stands beside it, from the disk; one that is gone is no error.
    ///
    /// # Errors
    /// The folder cannot be written, or the path is none of a recording.
    pub async fn remove_recording_file(&self, path: String) -> Result<(), RecordingError> {
        let root = self.plant.recordings_root.clone();
        blocking(move || Ok(DirShelf::open(root)?.remove(&path)?)).await
    }

    async fn playable(&self, tenant: &TenantId, contact: ContactId) -> Result<Vec<RecordingRow>, RecordingError> {
        let rows = self.plant.store.recordings_of(tenant, contact).await.map_err(|_| RecordingError::Store)?;
        if rows.is_empty() {
            return Err(RecordingError::NotFound);
        }
        if rows.iter().any(|row| row.state == RecordingState::Recording) {
            return Err(RecordingError::NotFinished);
        }
        let whole: Vec<_> = rows.into_iter().filter(|row| row.state != RecordingState::Failed).collect();
        if whole.is_empty() { Err(RecordingError::NotFound) } else { Ok(whole) }
    }
}

fn tracks(rows: &[RecordingRow]) -> Vec<LegTrack> {
    rows.iter()
        .map(|row| LegTrack {
            rel: row.path.clone(),
            offset_ms: row.offset_ms.max(0).unsigned_abs(),
            channel: match row.party {
                Party::Customer => Channel::Left,
                Party::Agent { .. } | Party::Outside => Channel::Right,
            },
        })
        .collect()
}

fn placed_marks(row: &RecordingRow, wav: &StereoWav) -> Vec<PlacedMark> {
    let marks: Vec<ringback_recorder::Mark> = serde_json::from_value(row.marks.clone()).unwrap_or_default();
    let offset = row.offset_ms.max(0).unsigned_abs();
    marks
        .into_iter()
        .map(|mark| PlacedMark {
            name: mark.name,
            begin_ms: wav.view_ms(offset + mark.begin_ms),
            end_ms: mark.end_ms.map(|end| wav.view_ms(offset + end)),
            leg: row.id,
        })
        .collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordingError> + Send + 'static,
) -> Result<T, RecordingError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panicked| RecordingError::Io(std::io::Error::other(panicked)))?
}
