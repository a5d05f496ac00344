//! Opening connections: from a URL to a migrated writer and a read-only pool.

use std::{path::Path, str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    StoreConfig,
    error::StoreError,
    log_room, migrate,
    sql::{Conn, Dialect, Reader},
    sqlite::SqliteConn,
};

/// How long a read may wait for one of the pool's connections.
const READER_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection; more than the ledger has.
const STATEMENT_CACHE: usize = 256;

/// What every connection to SQLite is set to, reading or writing.
const SETTINGS: &[(&str, &str)] = &[
    // Bytes the write-ahead log may keep after a burst.
    ("journal_size_limit", "67108864"),
    // What a savepoint keeps to undo a write stays in memory; written out, it doubled the cost of a turn.
    ("temp_store", "memory"),
    // What is erased is overwritten, not only let go: no row that went can be read from the file.
    ("secure_delete", "on"),
];
/// And what a writing one is set to before that: a commit is on disk when it returns.
const WRITER_SETTINGS: &[(&str, &str)] = &[
    ("journal_mode", "wal"),
    ("foreign_keys", "on"),
    ("synchronous", "full"),
    // Pages (16 MiB) until the log is carried over into the file: a page that was written often meanwhile is carried once.
    ("wal_autocheckpoint", "4000"),
    // KiB of pages at most in memory: what a busy hour writes again and again.
    ("cache_size", "-8000"),
];

/// Knows how to open the writer's connection, the first time and after a failure.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    target: Target,
    /// How long SQLite waits for another process that holds the file.
    busy: Duration,
    /// Bytes of the write-ahead log made ready.
    log_room: u64,
}

#[derive(Debug, Clone)]
enum Target {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

#[derive(Debug, Clone)]
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Connector {
    /// `sqlite:///absolute/path` or `sqlite://relative/path`, `postgres://…` or `postgresql://…`.
    pub(crate) fn new(url: &str, config: &StoreConfig) -> Result<Self, StoreError> {
        let target = if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err(StoreError::schema("the database URL names no file"));
            }
            let options = SqliteConnectOptions::new()
                .filename(path)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(config.busy_timeout)
                .statement_cache_capacity(STATEMENT_CACHE)
                .disable_statement_logging();
            let set = |options: SqliteConnectOptions, (name, value): &(&'static str, &'static str)| {
                options.pragma(*name, *value)
            };
            Target::Sqlite(Box::new(SETTINGS.iter().fold(options, set)))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            // The parser's message may repeat the URL, which holds a password.
            let options = PgConnectOptions::from_str(url)
                .map_err(|_| StoreError::schema("the database URL is not a PostgreSQL URL"))?;
            Target::Postgres(Box::new(
                options
                    .application_name("ringback")
                    .statement_cache_capacity(STATEMENT_CACHE)
                    .disable_statement_logging(),
            ))
        } else {
            return Err(StoreError::schema("the database URL must begin with sqlite:// or postgres://"));
        };
        Ok(Self { target, busy: config.busy_timeout, log_room: config.log_room })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.target {
            Target::Sqlite(_) => Dialect::Sqlite,
            Target::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The writer's connection; the file and its folder are created when missing.
    pub(crate) async fn writer(&self) -> Result<Conn, StoreError> {
        Ok(match &self.target {
            Target::Sqlite(options) => {
                let path = options.get_filename();
                create_private(path)?;
                let settings = [WRITER_SETTINGS, SETTINGS].concat();
                let mut conn = SqliteConn::open(path, self.busy, &settings, STATEMENT_CACHE)?;
                log_room::make(&mut conn, path, self.log_room)?;
                Conn::Sqlite(Box::new(conn))
            }
            Target::Postgres(options) => Conn::Postgres(Box::new(options.connect().await?)),
        })
    }

    /// A writer whose schema is at `schema`.
    pub(crate) async fn migrated(&self, schema: i64) -> Result<Conn, StoreError> {
        let mut conn = self.writer().await?;
        migrate::migrate(&mut conn, schema).await?;
        Ok(conn)
    }

    pub(crate) fn readers(&self, config: &StoreConfig) -> Readers {
        match &self.target {
            Target::Sqlite(options) => Readers::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(config.read_connections.max(1))
                    .acquire_timeout(READER_WAIT)
                    // A file does not hang up: to ask before each reading whether it is there would be as dear as the reading.
                    .test_before_acquire(false)
                    .connect_lazy_with(options.as_ref().clone().pragma("query_only", "on")),
            ),
            Target::Postgres(options) => Readers::Postgres(
                PgPoolOptions::new()
                    .max_connections(config.read_connections.max(1))
                    .acquire_timeout(READER_WAIT)
                    .connect_lazy_with(options.as_ref().clone().options([("default_transaction_read_only", "on")])),
            ),
        }
    }
}

impl Readers {
    pub(crate) async fn lend(&self) -> Result<Reader, StoreError> {
        Ok(match self {
            Readers::Sqlite(pool) => Reader::Sqlite(pool.acquire().await?),
            Readers::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
    }
}

/// Creates the database file readable by its owner alone; SQLite gives its companions the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    match private_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => Ok(made?),
    }
}

/// # Errors
/// `AlreadyExists` among others.
pub(crate) fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
