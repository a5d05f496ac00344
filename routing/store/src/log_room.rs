//! Room in SQLite's write-ahead log, made before it is needed.
//!
//! The log is written from its beginning again after each checkpoint, but begins empty with every start. While it grows, each sync
//! has the file system write down the new blocks as well. Zeros behind the last frame end what SQLite reads of the log:
//! their salt is not that of its header (SQLite's file format, section 4.1).

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use crate::sqlite::SqliteConn;

static PIECE: [u8; 1 << 16] = [0; 1 << 16];

/// Makes the log of the database at `path` at least `room` bytes long. A disk that has not so much is left as it was.
///
/// # Errors
/// When the log is held by somebody else for longer than the connection waits.
pub(crate) fn make(conn: &mut SqliteConn, path: &Path, room: u64) -> Result<(), sqlx::Error> {
    if room == 0 {
        return Ok(());
    }
    // Whoever has this lock is the only one to write to the log, in any process.
    conn.script("BEGIN IMMEDIATE")?;
    // Without the room the log grows as it always has.
    let _ = lengthen(&log_of(path), room);
    conn.script("ROLLBACK")
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn lengthen(log: &Path, room: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(log)?;
    let before = file.seek(SeekFrom::End(0))?;
    let filled = fill(&mut file, room.saturating_sub(before));
    if filled.is_err() {
        file.set_len(before)?;
    }
    filled
}

fn fill(file: &mut File, mut missing: u64) -> io::Result<()> {
    if missing == 0 {
        return Ok(());
    }
    while missing > 0 {
        let piece = missing.min(PIECE.len() as u64);
        // No longer than the array it was bounded by.
        file.write_all(PIECE.get(..piece as usize).unwrap_or(&PIECE))?;
        missing -= piece;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use crate::{Store, StoreConfig, testing::Database};

    #[tokio::test]
    async fn the_log_has_its_room_from_the_start_and_what_is_written_is_there_after_it() {
        const ROOM: u64 = 1 << 20;
        let database = Database::sqlite().expect("folder");
        let config = StoreConfig { log_room: ROOM, ..StoreConfig::default() };
        let store = Store::open(database.url(), config.clone()).await.expect("opens");
        let log = format!("{}-wal", database.url().strip_prefix("sqlite://").expect("a file"));
        let length = || std::fs::metadata(&log).map_or(0, |meta| meta.len());
        assert!(length() >= ROOM, "{} bytes", length());
        store.save_setting(None, "probe", "kept").await.expect("writes");
        // Another connection reads the same log: what is behind the zeros, and nothing of the zeros.
        let other = Store::open(database.url(), config.clone()).await.expect("opens beside it");
        assert_eq!(other.setting(None, "probe").await.expect("reads").as_deref(), Some("kept"));
        other.close().await;
        store.close().await;
        let again = Store::open(database.url(), config).await.expect("opens again");
        assert_eq!(again.setting(None, "probe").await.expect("reads").as_deref(), Some("kept"));
        assert!(length() >= ROOM);
        again.close().await;
    }
}
