//! The ledger: what was decided, kept so that an answer that was given still holds after a crash.
//!
//! SQLite in a file by default, PostgreSQL by URL; both serve the same hand-written SQL. All writes pass one writer
//! that commits them in groups (`writer.rs`), each answered only once it is on disk; reads have a pool of their own and see
//! every answered write. Whatever concerns a person is asked for with its tenant, and nothing of another tenant comes back.

mod api_key;
mod audit;
mod backup;
mod case;
mod chat;
mod connect;
mod contact;
mod county;
mod dialog;
mod digest;
mod directory;
mod error;
mod factor;
mod gate;
mod idempotency;
mod journal;
mod lease;
mod legal_hold;
mod log_room;
mod migrate;
mod number_lease;
mod outside;
mod person;
mod picture;
mod presence;
mod quality;
mod recording;
mod retention;
mod search;
mod settings;
mod sound;
mod sql;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod transcript;
mod trunk;
mod turn;
mod user;
mod user_version;
mod wait;
mod webhook;
mod writer;

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

pub use api_key::ApiKey;
pub use audit::{AuditEntry, AuditRow, AuditSearch, AuditVerdict, CheckedChain};
pub use backup::BackupReport;
pub use case::{CaseRecord, CaseState};
pub use chat::{ChatMark, ChatMarks, ChatMessage, ChatSender, ChatSide, Kept, NewMessage};
pub use contact::{ContactPage, ContactSearch, FactRow};
pub use county::{FoundedTenant, Founding};
pub use dialog::{DialogRow, KeptDialog};
pub use directory::{CustomerRecord, CustomerSearch, KnownNumber};
pub use error::{NumberInDialog, StoreError};
pub use gate::{DoNotCall, Proof, Rings, Usage};
pub use idempotency::Claim;
pub use journal::{JournalEntry, JournalKind, JournalRow};
pub use legal_hold::LegalHold;
pub use number_lease::NumberLease;
pub use person::{ErasedTraces, PersonFound, PersonKeys};
pub use picture::KeptPicture;
pub use presence::PresenceInterval;
pub use quality::{LegQuality, QualityFigures};
pub use recording::{BegunRecording, RecordedContact, RecordingEnd, RecordingPage, RecordingRow, RecordingState};
pub use retention::{Removal, Removed, RemovedFile, RetentionCut};
pub use search::RecordSearch;
pub use settings::{ConfigVersion, VersionNotice};
pub use sql::Dialect;
pub use transcript::{ChatPage, FoundChat};
pub use trunk::{ConnectedTrunk, TrunkChange, TrunkVersion};
pub use turn::TurnWrite;
pub use user::{Permission, Role, Session, User};
pub use user_version::{UserState, UserVersion};
pub use webhook::{Delivery, DeliveryEnd, DeliveryState, Webhook};

use connect::{Connector, Readers};
use ringback_routing::time::Timestamp;
use sql::{Conn, Reader, Statement};
use writer::{Doing, WriterHandle};

/// Most rows one page of any listing holds.
pub const MAX_PAGE: u32 = 500;

/// The bounds of the ledger.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Writes that may wait for the writer; one more is refused with [`StoreError::Full`].
    pub queue_limit: usize,
    /// Most writes in one transaction.
    pub group_limit: usize,
    /// Connections for reading.
    pub read_connections: u32,
    /// How long SQLite waits for another process that holds the file, such as a backup.
    pub busy_timeout: Duration,
    /// A transaction that takes longer is given up and its connection replaced; a database that hangs must not hang us.
    pub write_timeout: Duration,
    /// Bytes of SQLite's write-ahead log that are made ready when it is opened; 0: it grows as it is written. A sync of a file
    /// that grows costs twice that of one whose blocks are there.
    pub log_room: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            queue_limit: 1024,
            group_limit: 64,
            read_connections: 4,
            busy_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            log_room: 0,
        }
    }
}

/// The ledger's handle; clones share the same writer and readers.
#[derive(Debug, Clone)]
pub struct Store {
    connector: Connector,
    writer: WriterHandle,
    readers: Readers,
}

/// What the writer has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Writes that wait now.
    pub waiting: u64,
    /// Transactions, each of one or more writes.
    pub groups: u64,
    pub committed: u64,
    /// Refused by themselves: conflict, stale lease and the like.
    pub refused: u64,
    /// Lost with their transaction: disk full, connection gone.
    pub failed: u64,
    /// The last transaction found no space.
    pub disk_full: bool,
}

impl Store {
    /// Opens the ledger at `url` (`sqlite:///path/file.sqlite`, `postgres://user:password@host/database`), creates what
    /// is missing and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for an unusable URL or a schema of another build, [`StoreError::Io`] when the database
    /// cannot be reached.
    pub async fn open(url: &str, config: StoreConfig) -> Result<Self, StoreError> {
        Self::open_at(url, config, migrate::newest()).await
    }

    async fn open_at(url: &str, config: StoreConfig, schema: i64) -> Result<Self, StoreError> {
        let connector = Connector::new(url, &config)?;
        let conn = connector.migrated(schema).await?;
        let readers = connector.readers(&config);
        let writer = writer::start(conn, connector.clone(), &config)?;
        Ok(Self { connector, writer, readers })
    }

    pub fn dialect(&self) -> Dialect {
        self.connector.dialect()
    }

    /// Writes what waits, then closes all connections. Every later call gets [`StoreError::Closed`] or an I/O error.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }

    pub fn stats(&self) -> StoreStats {
        let counters = &self.writer.counters;
        StoreStats {
            waiting: self.writer.waiting() as u64,
            groups: counters.groups.load(Relaxed),
            committed: counters.committed.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            failed: counters.failed.load(Relaxed),
            disk_full: counters.disk_full.load(Relaxed),
        }
    }

    /// Writes a mark of no meaning, for readiness: Ok says that there are a writer, a database and space. Updates
    /// [`StoreStats::disk_full`] when nothing else is being written.
    pub async fn probe(&self, now: Timestamp) -> Result<(), StoreError> {
        self.save_setting(None, "probe", &now.as_millis().to_string()).await
    }

    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        self.writer.write(work).await
    }

    /// One statement that is a whole change by itself; says how many rows it touched.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64, StoreError> {
        self.write_again(move |conn| {
            let statement = statement.clone();
            Box::pin(async move { Ok(statement.run(conn).await?) })
        })
        .await
    }

    /// The same with its line in the scope's audit, which is left out when no row was touched.
    pub(crate) async fn run_noted(
        &self,
        scope: String,
        statement: Statement,
        entry: AuditEntry,
    ) -> Result<u64, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let touched = statement.run(&mut *conn).await?;
                if touched > 0 {
                    audit::append(conn, &scope, &entry).await?;
                }
                Ok(touched)
            })
        })
        .await
    }

    /// Work that can be done again after it was undone: in company it costs SQLite less.
    pub(crate) async fn write_again<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnMut(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        self.writer.write_again(work).await
    }

    /// For what goes on meanwhile: queued at once, in order with all others, and written together with them.
    pub(crate) fn write_soon<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + use<T, F>
    where
        T: Send + 'static,
        F: for<'c> FnMut(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        self.writer.write_soon(work)
    }

    /// The same of one statement.
    pub(crate) fn run_soon(&self, statement: Statement) -> impl Future<Output = Result<(), StoreError>> + use<> {
        self.write_soon(move |conn| {
            let statement = statement.clone();
            Box::pin(async move { Ok(statement.run(conn).await.map(drop)?) })
        })
    }

    pub(crate) async fn reader(&self) -> Result<Reader, StoreError> {
        self.readers.lend().await
    }
}

/// A page's size between one row and [`MAX_PAGE`].
pub(crate) fn page_size(asked: u32) -> i64 {
    i64::from(asked.clamp(1, MAX_PAGE))
}
