//! Databases for tests: a SQLite file in a folder of its own, or a database in a private PostgreSQL cluster.
//!
//! The cluster is started once per test process, listens on a socket in its own temporary folder only, and is stopped and
//! removed when the process ends, however it ends: the shell that runs it waits for the end of our pipe. Missing
//! PostgreSQL fails the test; only `RINGBACK_SKIP_POSTGRES=1` skips it. `RINGBACK_POSTGRES_BIN` names the folder of
//! `initdb` and `postgres` when it is not under `/usr/lib/postgresql`.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::{
    Dialect, Store, StoreConfig, StoreError,
    migrate::{MIGRATIONS, Migration},
    sql::sql,
};

/// Most the cluster may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A fresh, empty database.
#[derive(Debug)]
pub struct Database {
    url: String,
    folder: Option<TempDir>,
}

impl Database {
    /// A SQLite file that goes with this value.
    pub fn sqlite() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("ledger.sqlite").display());
        Ok(Self { url, folder: Some(folder) })
    }

    /// A database of its own in this process's cluster; None only when `RINGBACK_SKIP_POSTGRES=1`.
    pub async fn postgres() -> io::Result<Option<Self>> {
        static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
        static NUMBER: AtomicU32 = AtomicU32::new(1);

        if std::env::var("RINGBACK_SKIP_POSTGRES").is_ok_and(|value| value == "1") {
            return Ok(None);
        }
        let cluster = CLUSTER
            .get_or_init(|| Cluster::start().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| io::Error::other(format!("no PostgreSQL for the tests: {error}")))?;
        let name = format!("ledger_{}", NUMBER.fetch_add(1, Relaxed));
        let mut admin = cluster.connect().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut admin)
            .await
            .map_err(io::Error::other)?;
        admin.close().await.map_err(io::Error::other)?;
        Ok(Some(Self { url: cluster.url(&name), folder: None }))
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of a SQLite database.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    pub async fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.url, StoreConfig::default()).await
    }

    /// As a program of an earlier day left it: only migrations up to `schema` applied.
    pub async fn open_at(&self, schema: i64) -> Result<Store, StoreError> {
        Store::open_at(&self.url, StoreConfig::default(), schema).await
    }
}

/// Number, and checksum on SQLite and on PostgreSQL, of every migration.
pub fn migration_checksums() -> Vec<(i64, String, String)> {
    let both = |one: &Migration| (one.version, one.checksum(Dialect::Sqlite), one.checksum(Dialect::Postgres));
    MIGRATIONS.iter().map(both).collect()
}

struct Cluster {
    folder: PathBuf,
    /// Its standard input is the pipe whose end stops the cluster.
    _shell: Child,
}

impl Cluster {
    fn start() -> io::Result<Self> {
        let bin = binaries()?;
        let folder = tempfile::Builder::new().prefix("ringback-pg-").tempdir()?;
        let runner = Runner::for_folder(folder.path())?;
        let data = folder.path().join("data");
        let made = runner
            .command(&bin.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=ringback", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        // The shell outlives this process just long enough to stop the server and take the folder away.
        let script = r#"
            trap '' INT TERM
            "$0/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
                -c full_page_writes=off -c max_connections=400 -c shared_buffers=32MB >"$1/log" 2>&1 &
            server=$!
            cat >/dev/null
            kill -INT $server
            wait $server
            rm -rf "$1"
        "#;
        let shell = runner
            .command(Path::new("/bin/sh"))
            .args(["-c", script])
            .arg(&bin)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // From here on the shell removes it.
        let cluster = Self { folder: folder.keep(), _shell: shell };
        cluster.wait()?;
        Ok(cluster)
    }

    fn wait(&self) -> io::Result<()> {
        let socket = self.folder.join(".s.PGSQL.5432");
        let since = Instant::now();
        while !socket.exists() {
            if since.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL does not start: {log}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The socket is there a moment before connections are taken.
    async fn connect(&self) -> io::Result<PgConnection> {
        let since = Instant::now();
        loop {
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return Ok(connection),
                Err(error) if since.elapsed() > START_LIMIT => return Err(io::Error::other(error)),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://ringback@localhost/{database}?host={}", self.folder.display())
    }
}

/// Runs PostgreSQL's programs as someone they accept: they refuse root.
enum Runner {
    Ourselves,
    Postgres,
}

impl Runner {
    fn for_folder(folder: &Path) -> io::Result<Self> {
        // A folder just made belongs to whoever runs this.
        if std::fs::metadata(folder)?.uid() != 0 {
            return Ok(Self::Ourselves);
        }
        let given = Command::new("chown").arg("postgres").arg(folder).status()?;
        match given.success() {
            true => Ok(Self::Postgres),
            false => Err(io::Error::other("the folder cannot be given to the user postgres")),
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => Command::new(program),
            Self::Postgres => {
                let mut runuser = Command::new("runuser");
                runuser.args(["-u", "postgres", "--"]).arg(program);
                runuser
            }
        };
        command.current_dir("/");
        command
    }
}

fn binaries() -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os("RINGBACK_POSTGRES_BIN") {
        return Ok(PathBuf::from(given));
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .map_err(|_| io::Error::other("not under /usr/lib/postgresql; set RINGBACK_POSTGRES_BIN or install it"))?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).ok_or_else(|| io::Error::other("no initdb under /usr/lib/postgresql"))
}

impl Store {
    /// Lets a SQLite file grow no further than `pages`, or than it has if that is more; None takes the limit away.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        // The smallest limit SQLite takes is the present size.
        let text = match pages {
            Some(pages) => format!("PRAGMA max_page_count = {}", pages.max(1)),
            None => "PRAGMA max_page_count = 1073741823".to_owned(),
        };
        self.write(move |conn| {
            Box::pin(async move {
                sql(sqlx::AssertSqlSafe(text)).once().all(conn).await?;
                Ok(())
            })
        })
        .await
    }
}
