//! After a crash: what lies as `.part` becomes a recording that plays.
//!
//! The length of the file is the truth, the header follows it, cut to whole frames. Files that another process is still
//! writing are locked and left alone. A file that cannot be one of ours is set aside as `.damaged`, never deleted.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    integrity::chain_of,
    summary::{Sidecar, Stage, Summary},
    timeline::{FRAME_SAMPLES, SAMPLE_RATE},
    volume,
    wav::{HEADER_BYTES, MAX_PCM_BYTES, header},
};

/// Folders below the shelf's that are looked into.
const MAX_DEPTH: usize = 8;
const FRAME_BYTES: u64 = FRAME_SAMPLES as u64 * 2;

/// One `.part` file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairedRecording {
    /// The path the recording has, or would have, on the shelf.
    pub path: String,
    /// From the sidecar, if there is one.
    pub key: Option<u128>,
    pub outcome: RepairOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairOutcome {
    /// It plays. `links_intact` is false when sound that was already hashed before the crash has changed since.
    Repaired { summary: Summary, links_intact: bool },
    /// Not one whole frame; removed.
    Empty,
    /// Not a recording of ours, or the disk fails; set aside or left in place.
    Damaged { why: String },
}

/// Repairs every `.part` below `dir`. To be called at boot, before recordings are opened. A folder that does not exist
/// holds nothing to repair.
pub fn repair(dir: &Path) -> Vec<RepairedRecording> {
    let mut found = Vec::new();
    collect(dir, 0, &mut found);
    found.sort();
    found.iter().filter_map(|part| repair_one(dir, part)).collect()
}

/// The summary beside a finished recording, for a ledger that missed its event.
///
/// # Errors
/// No sidecar, or the recording is not finished.
pub fn finished_summary(dir: &Path, name: &str) -> io::Result<Summary> {
    if !crate::shelf::is_safe_path(Path::new(name)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a recording"));
    }
    let wav = dir.join(name);
    let sidecar = Sidecar::read(&wav.with_extension("json"))?;
    if sidecar.stage != Stage::Finished || !wav.exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "not finished"));
    }
    Ok(sidecar.summary)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() && depth < MAX_DEPTH {
            collect(&path, depth + 1, found);
        } else if kind.is_file() && name.ends_with(".wav.part") {
            found.push(path);
        }
    }
}

/// `None` when the file is being written.
fn repair_one(dir: &Path, part: &Path) -> Option<RepairedRecording> {
    let wav = part.with_extension("");
    let path = wav.strip_prefix(dir).unwrap_or(&wav).to_string_lossy().into_owned();
    let sidecar = Sidecar::read(&wav.with_extension("json")).ok();
    let key = sidecar.as_ref().map(|sidecar| sidecar.summary.key);
    let outcome = match mend(part, &wav, &path, sidecar) {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return None,
        Err(error) => RepairOutcome::Damaged { why: error.to_string() },
    };
    tracing::info!(path, outcome = outcome.word(), "recording left by a crash");
    Some(RepairedRecording { path, key, outcome })
}

fn mend(part: &Path, wav: &Path, path: &str, sidecar: Option<Sidecar>) -> io::Result<RepairOutcome> {
    let file = OpenOptions::new().read(true).write(true).open(part)?;
    volume::lock(&file)?;
    let len = file.metadata()?.len();
    if len > 0 && !looks_like_ours(&file)? {
        fs::rename(part, part.with_extension("damaged"))?;
        return Ok(RepairOutcome::Damaged { why: "not a recording".into() });
    }
    let pcm = len.saturating_sub(HEADER_BYTES).min(MAX_PCM_BYTES) / FRAME_BYTES * FRAME_BYTES;
    if pcm == 0 {
        fs::remove_file(part)?;
        let _ = fs::remove_file(wav.with_extension("json"));
        return Ok(RepairOutcome::Empty);
    }
    if wav.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a finished recording has this name"));
    }
    file.write_all_at(&header(1, pcm), 0)?;
    file.set_len(HEADER_BYTES + pcm)?;
    file.sync_all()?;
    let chain = chain_of(part)?;
    let (whole_links, links) = (chain.links(), chain.finish());
    let links_intact = sidecar.as_ref().is_none_or(|before| match before.stage {
        Stage::Recording => whole_links.starts_with(&before.links),
        Stage::Finished => before.links == links,
    });
    let sidecar = complete(sidecar, path, pcm / 2, links);
    // Without the sidecar the sound is still good.
    if let Err(error) = sidecar.write(&wav.with_extension("json")) {
        tracing::warn!(path, %error, "marks not written");
    }
    volume::rename_durably(part, wav)?;
    Ok(RepairOutcome::Repaired { summary: sidecar.summary, links_intact })
}

/// The sidecar of the mended file: what was noted before the crash, and what the file itself says.
fn complete(before: Option<Sidecar>, path: &str, samples: u64, links: Vec<String>) -> Sidecar {
    let mut summary = before.map(|sidecar| sidecar.summary).unwrap_or_else(|| Summary::empty(0, path.to_owned(), 0));
    summary.path = path.to_owned();
    summary.sample_rate = SAMPLE_RATE;
    summary.set_samples(samples);
    summary.close_marks();
    summary.repaired = true;
    summary.sha256_chain = links.last().cloned().unwrap_or_default();
    Sidecar { format: Sidecar::FORMAT, stage: Stage::Finished, summary, links }
}

/// Our header with any lengths, or one that a power failure left as zeros.
fn looks_like_ours(file: &File) -> io::Result<bool> {
    let mut beginning = Vec::new();
    file.take(HEADER_BYTES).read_to_end(&mut beginning)?;
    let ours = header(1, 0);
    let same = |range: std::ops::Range<usize>| beginning.get(range.clone()) == ours.get(range);
    let zeros = beginning.iter().all(|&byte| byte == 0);
    Ok(zeros || (same(0..4) && same(8..40)) || beginning.len() < 40 && ours.starts_with(&beginning))
}

impl RepairOutcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Repaired { links_intact: true, .. } => "repaired",
            Self::Repaired { links_intact: false, .. } => "repaired, but changed since it was written",
            Self::Empty => "empty",
            Self::Damaged { .. } => "damaged",
        }
    }
}
