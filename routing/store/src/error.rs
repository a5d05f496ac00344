//! What can go wrong, by what the caller can do about it; and the databases' own codes sorted into that.

use std::sync::Arc;

/// One live dialog per number: another attempt, of whichever tenant, holds this number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberInDialog {
    pub number_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue is at its limit: try again later (503).
    #[error("the ledger's queue is full")]
    Full,
    /// Nothing of this write was kept.
    #[error("the number is in a live dialog already")]
    Conflict(NumberInDialog),
    /// The disk is full; later writes work once there is space.
    #[error("no space left for the ledger")]
    DiskFull,
    /// Another owner took the tenant over; this one must stop at once.
    #[error("the tenant's lease was taken over")]
    Fenced,
    /// A row of that kind and name exists already.
    #[error("this {0} exists already")]
    Taken(&'static str),
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A page cursor that this ledger did not hand out.
    #[error("not a page cursor")]
    BadCursor,
    /// The database's schema is not one this build can work with.
    #[error("the ledger's schema does not fit: {0}")]
    Schema(Arc<str>),
    /// A stored document cannot be read. Names the kind and id, never the content.
    #[error("unreadable {kind} {id}")]
    Corrupt { kind: &'static str, id: Arc<str> },
    /// The store was closed.
    #[error("the ledger is closed")]
    Closed,
    /// Anything else; whether the write was kept is not known after a lost connection.
    #[error("the ledger failed: {0}")]
    Io(Arc<str>),
}

impl StoreError {
    pub(crate) fn corrupt(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self::Corrupt { kind, id: Arc::from(id.to_string()) }
    }

    pub(crate) fn schema(text: impl std::fmt::Display) -> Self {
        Self::Schema(Arc::from(text.to_string()))
    }

    /// True when the connection itself is in doubt and a fresh one is the cure.
    pub(crate) fn taints_connection(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// SQLITE_FULL, and SQLITE_IOERR_SHMSIZE, which is how a full disk shows while the WAL index grows.
const SQLITE_FULL: [&str; 2] = ["13", "4874"];
/// disk_full of class 53.
const POSTGRES_DISK_FULL: &str = "53100";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            let code = database.code().unwrap_or_default();
            if SQLITE_FULL.contains(&code.as_ref()) || code == POSTGRES_DISK_FULL {
                return Self::DiskFull;
            }
        }
        if let sqlx::Error::Io(io) = &error
            && io.kind() == std::io::ErrorKind::StorageFull
        {
            return Self::DiskFull;
        }
        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        // A driver's message names tables and constraints; bound values stay out of it.
        Self::Io(Arc::from(error.to_string()))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull,
            _ => Self::Io(Arc::from(error.to_string())),
        }
    }
}

/// True when `error` is the violation of the unique index `index` on `table.column`: PostgreSQL names the index,
/// SQLite the columns.
pub(crate) fn violates(error: &sqlx::Error, index: &str, column: &str) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    database.is_unique_violation()
        && match database.constraint() {
            Some(name) => name == index,
            None => database.message().ends_with(column),
        }
}
