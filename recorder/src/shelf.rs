//! Where finished recordings are read from: by name and byte range, so that sealing at rest and object storage can take
//! the place of a folder.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Largest range answered at once.
pub const MAX_RANGE_BYTES: u64 = 16 << 20;
/// Folders and name of a recording's path.
const MAX_DEPTH: usize = 8;
/// Characters of one of them.
const MAX_PART_LEN: usize = 128;

/// A store of finished recordings. Names are the `path` of their summaries.
pub trait Shelf: Send + Sync {
    /// Bytes of the file.
    ///
    /// # Errors
    /// No such recording, a name that cannot be one, or the store fails.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// The bytes `from..to`, fewer where the file ends before `to`, none beyond its end.
    ///
    /// # Errors
    /// As `len`; a range above [`MAX_RANGE_BYTES`] or turned around is `InvalidInput`.
    fn read_range(&self, name: &str, from: u64, to: u64) -> io::Result<Vec<u8>>;
}

/// A folder. Never reads a file outside of it: names hold no `..`, and links that lead out are refused.
#[derive(Debug, Clone)]
pub struct DirShelf {
    root: PathBuf,
}

impl DirShelf {
    /// # Errors
    /// The folder does not exist.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { root: dir.as_ref().canonicalize()? })
    }

    /// As a shared trait object, as [`crate::stereo`] takes it.
    ///
    /// # Errors
    /// As [`DirShelf::open`].
    pub fn shared(dir: impl AsRef<Path>) -> io::Result<Arc<dyn Shelf>> {
        Ok(Arc::new(Self::open(dir)?))
    }

    /// Removes a recording and its sidecar, for retention. One that is gone already is no error.
    ///
    /// # Errors
    /// The name cannot be one, or the folder is not writable.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let path = match self.path(name) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for path in [path.with_extension("json"), path.clone()] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // The contact's folder goes with its last recording; one that is not empty refuses.
        if let Some(folder) = path.parent().filter(|folder| **folder != self.root) {
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// The file's true path, if it lies within the folder.
    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let relative = Path::new(name);
        if !is_safe_path(relative) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a recording"));
        }
        let path = self.root.join(relative).canonicalize()?;
        if !path.starts_with(&self.root) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(path)
    }
}

impl Shelf for DirShelf {
    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.path(name)?.metadata()?.len())
    }

    fn read_range(&self, name: &str, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let wanted = checked_range(from, to)?;
        let file = File::open(self.path(name)?)?;
        let len = file.metadata()?.len();
        let mut bytes = vec![0; wanted.min(len.saturating_sub(from)) as usize];
        file.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }
}

/// The length of a range, if it may be asked for.
pub(crate) fn checked_range(from: u64, to: u64) -> io::Result<u64> {
    match to.checked_sub(from) {
        Some(len) if len <= MAX_RANGE_BYTES => Ok(len),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "range too large")),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "range turned around")),
    }
}

/// Whether this is `folder/…/name.wav` of plain characters.
pub(crate) fn is_safe_path(path: &Path) -> bool {
    let Some(text) = path.to_str() else { return false };
    let Some(stem) = text.strip_suffix(".wav") else { return false };
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= MAX_PART_LEN
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    stem.split('/').count() <= MAX_DEPTH
        && stem.split('/').all(plain)
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}
