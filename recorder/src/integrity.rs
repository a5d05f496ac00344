//! Tamper evidence: a hash chain over the samples of a recording, kept in the ledger and beside the file.
//!
//! The PCM bytes (without the WAV header) are cut into chunks of 1 MiB; `link[i] = SHA-256(link[i-1] || chunk[i])`, and
//! `link[-1]` is the hash of [`GENESIS`]. The last link stands for the whole recording, the ones before it say where it
//! was changed. Anybody can recompute it with `sha256sum` and this paragraph.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::{
    summary::Sidecar,
    wav::{HEADER_BYTES, PROBE_BYTES, Shape},
};

/// PCM bytes of one link, about 65 s.
pub const CHUNK_BYTES: usize = 1 << 20;
/// What the first link hangs on.
pub const GENESIS: &[u8] = b"ringback recording, chain 1";

/// A chain that grows with the recording.
#[derive(Clone)]
pub struct Chain {
    hasher: Sha256,
    filled: usize,
    links: Vec<[u8; 32]>,
}

impl Default for Chain {
    fn default() -> Self {
        Self { hasher: Sha256::new().chain_update(Sha256::digest(GENESIS)), filled: 0, links: Vec::new() }
    }
}

impl Chain {
    /// Takes the next PCM bytes; returns whether a link was completed.
    pub fn update(&mut self, mut bytes: &[u8]) -> bool {
        let before = self.links.len();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.filled));
            self.hasher.update(now);
            self.filled += now.len();
            bytes = later;
            if self.filled == CHUNK_BYTES {
                self.close_link();
            }
        }
        self.links.len() > before
    }

    /// The links of whole chunks so far, as hexadecimal.
    pub fn links(&self) -> Vec<String> {
        self.links.iter().map(|link| hex(link)).collect()
    }

    /// Closes the last, shorter chunk; the last link is the hash of the recording. An empty recording has one link.
    pub fn finish(mut self) -> Vec<String> {
        if self.filled > 0 || self.links.is_empty() {
            self.close_link();
        }
        self.links()
    }

    fn close_link(&mut self) {
        let link: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        self.hasher.update(link);
        self.filled = 0;
        self.links.push(link);
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Intact {
        sha256_chain: String,
    },
    /// The sound is not what was recorded. `from_ms` is the beginning of the first changed minute, when the links beside
    /// the file can tell.
    Changed {
        expected: String,
        found: String,
        from_ms: Option<u64>,
    },
    /// There is nothing to compare with: no sidecar and no expected hash.
    Unknown {
        found: String,
    },
}

/// Recomputes the chain of a finished recording. `expected` is the hash in the ledger; without it the sidecar's is
/// taken, which proves less: who can change the file can change what lies beside it.
///
/// # Errors
/// The file cannot be read or is not a recording.
pub fn verify(path: &Path, expected: Option<&str>) -> io::Result<Verdict> {
    let links = chain_of(path)?.finish();
    let found = links.last().cloned().unwrap_or_default();
    let sidecar = Sidecar::read(&path.with_extension("json")).ok();
    let Some(expected) =
        expected.map(str::to_owned).or_else(|| sidecar.as_ref().map(|sidecar| sidecar.summary.sha256_chain.clone()))
    else {
        return Ok(Verdict::Unknown { found });
    };
    if expected == found {
        return Ok(Verdict::Intact { sha256_chain: found });
    }
    // Links that do not lead to the expected hash are themselves not to be trusted.
    let recorded = sidecar.map(|sidecar| sidecar.links).filter(|recorded| recorded.last() == Some(&expected));
    let from_ms = recorded.map(|recorded| {
        let same = recorded.iter().zip(&links).take_while(|(a, b)| a == b).count();
        same as u64 * CHUNK_BYTES as u64 / 16
    });
    Ok(Verdict::Changed { expected, found, from_ms })
}

/// The chain over the samples of a file, read in pieces.
pub(crate) fn chain_of(path: &Path) -> io::Result<Chain> {
    let mut file = File::open(path)?;
    let mut beginning = Vec::new();
    (&mut file).take(PROBE_BYTES).read_to_end(&mut beginning)?;
    let shape = Shape::read(&beginning)?;
    file.seek(SeekFrom::Start(shape.pcm_at.max(HEADER_BYTES)))?;
    let mut pcm = file.take(shape.pcm_bytes);
    let mut chain = Chain::default();
    let mut block = vec![0; 1 << 16];
    loop {
        match pcm.read(&mut block) {
            Ok(0) => return Ok(chain),
            Ok(count) => {
                chain.update(&block[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
