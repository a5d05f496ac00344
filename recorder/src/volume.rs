//! The disk below the recordings, behind a trait so that tests can fill it up.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

/// Where recordings are written.
pub trait Volume: Send + Sync {
    /// Makes a new file, and the folders above it. A file of that name must not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>>;

    /// Bytes that may still be written, if it can be told.
    fn free_bytes(&self) -> Option<u64>;

    /// All that was written survives a power failure when this returns. May take seconds.
    fn sync(&self) -> io::Result<()>;

    /// Gives a finished file its final name, durably.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename_durably(from, to)
    }
}

/// One file, read and written by position.
pub trait VolumeFile: Send {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize>;
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Data and length survive a power failure when this returns.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the file system.
pub struct DirVolume {
    root: std::path::PathBuf,
}

impl DirVolume {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl Volume for DirVolume {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        lock(&file)?;
        Ok(Box::new(file))
    }

    fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.root).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn sync(&self) -> io::Result<()> {
        let folder = File::open(&self.root)?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&folder)?;
        #[cfg(not(target_os = "linux"))]
        folder.sync_all()?;
        Ok(())
    }
}

impl VolumeFile for File {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Renames, and syncs the folder so that the new name survives a power failure.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Marks a file as being written, so that a repair by another process leaves it alone. The kernel lifts the lock when
/// the process dies, whatever kills it. File systems without locks are taken as they are.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::ResourceBusy, "being written")),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
