//! What is known of a recording besides its sound: the summary for the ledger and the sidecar `<name>.json` beside it.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::timeline::SAMPLE_RATE;

/// Largest sidecar that is read; a day's recording has some 1,400 links of 64 characters.
const MAX_SIDECAR_BYTES: u64 = 1 << 20;

/// A stretch of the recording with a meaning: `announcement`, `pause`, `hold`, `transfer`, or `loss` (queue overflow,
/// full disk).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub name: String,
    /// Milliseconds from the beginning of this recording.
    pub begin_ms: u64,
    /// `None` while it lasts; a finished recording has none of these.
    pub end_ms: Option<u64>,
}

/// One recording as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The key given at opening. 32 hexadecimal digits in JSON.
    #[serde(with = "key_as_hex")]
    pub key: u128,
    /// Relative to the shelf's folder, `/` between folders.
    pub path: String,
    pub samples: u64,
    pub sample_rate: u32,
    pub duration_ms: u64,
    /// From the contact's start to the first sample.
    pub offset_ms: u64,
    /// Last link of the hash chain (see [`crate::integrity`]); empty while recording.
    pub sha256_chain: String,
    /// Frames that never arrived or found the queue full.
    pub lost_frames: u64,
    /// Silences filled in where nothing arrived.
    pub gaps: u64,
    pub marks: Vec<Mark>,
    /// Size of the WAV file.
    pub bytes: u64,
    /// Finished by [`crate::repair`] after a crash.
    pub repaired: bool,
}

impl Summary {
    pub(crate) fn empty(key: u128, path: String, offset_ms: u64) -> Self {
        Self {
            key,
            path,
            samples: 0,
            sample_rate: SAMPLE_RATE,
            duration_ms: 0,
            offset_ms,
            sha256_chain: String::new(),
            lost_frames: 0,
            gaps: 0,
            marks: Vec::new(),
            bytes: 0,
            repaired: false,
        }
    }

    /// Marks that still last end with the recording.
    pub(crate) fn close_marks(&mut self) {
        let end = self.duration_ms;
        for mark in &mut self.marks {
            let end_ms = mark.end_ms.unwrap_or(end.max(mark.begin_ms));
            mark.end_ms = Some(end_ms);
        }
    }

    pub(crate) fn set_samples(&mut self, samples: u64) {
        self.samples = samples;
        self.duration_ms = milliseconds(samples);
        self.bytes = crate::wav::HEADER_BYTES + samples * 2;
    }
}

/// Milliseconds that this many samples last.
pub(crate) fn milliseconds(samples: u64) -> u64 {
    samples * 1_000 / u64::from(SAMPLE_RATE)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Recording,
    Finished,
}

/// The file beside the sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    pub format: u32,
    pub stage: Stage,
    #[serde(flatten)]
    pub summary: Summary,
    /// The hash chain, one link for each MiB of samples.
    pub links: Vec<String>,
}

impl Sidecar {
    pub const FORMAT: u32 = 1;

    /// # Errors
    /// No such file, too large, or not a sidecar of this format.
    pub fn read(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.len() > MAX_SIDECAR_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a sidecar"));
        }
        let sidecar: Self = serde_json::from_slice(&fs::read(path)?)?;
        if sidecar.format != Self::FORMAT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "sidecar of another format"));
        }
        Ok(sidecar)
    }

    /// Replaces the file at once, so that a reader sees the old or the new one.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("json.part");
        fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&beside, path)
    }
}

mod key_as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(key: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{key:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
