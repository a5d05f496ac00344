//! The whole ledger as one text file, the same from either database, so that what one wrote can be read into the other.
//!
//! A line of JSON each: a head, then for every table its name and columns followed by its rows as arrays, and at the end
//! the number of rows and a digest over all that stands before it. A file that was cut off or changed is refused before
//! anything is written.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use ringback_routing::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    Store, StoreConfig, StoreError,
    connect::{Connector, private_file},
    migrate,
    sql::{Conn, Dialect, Row, Statement, sql},
};

/// The layout of the file; counted up when an older program would misread it.
const FORMAT: u32 = 1;
/// Rows read at a time.
const PAGE: i64 = 500;
/// No row is longer: the longest are journal entries with a whole start, bounded by the contacts that may be open.
const LONGEST_LINE: u64 = 1 << 30;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The schema it was written with.
    pub schema: i64,
    pub at: Timestamp,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    ringback_backup: u32,
    schema: i64,
    at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableHead {
    table: String,
    columns: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rows: u64,
    sha256: String,
}

/// A table as the database has it.
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Of the primary key, in its order, as places in `columns`.
    key: Vec<usize>,
}

struct Column {
    name: String,
    number: bool,
}

impl Store {
    /// Writes the ledger as it is at this moment to a new file, readable by its owner alone, while others read and write.
    ///
    /// # Errors
    /// [`StoreError::Io`] also when there is a file of that name; what was begun is removed.
    pub async fn back_up(&self, path: &Path, now: Timestamp) -> Result<BackupReport, StoreError> {
        private_file(path)?;
        let written = self.write_backup(path, now).await;
        if written.is_err() {
            std::fs::remove_file(path)?;
        }
        written
    }

    async fn write_backup(&self, path: &Path, now: Timestamp) -> Result<BackupReport, StoreError> {
        let mut conn = self.connector.writer().await?;
        // One moment for all tables.
        conn.script(match conn.dialect() {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
        .await?;
        let file = std::fs::OpenOptions::new().write(true).open(path)?;
        let mut out = Hashed { out: BufWriter::new(file), hash: Sha256::new() };
        let report = dump(&mut conn, &mut out, now).await?;
        conn.script("COMMIT").await?;
        if let Err(error) = conn.close().await {
            tracing::warn!(%error, "closing the connection of a backup");
        }
        let file = out.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(report)
    }

    /// Reads a backup into the empty database at `url` and brings its schema up to date: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the file is not whole, is of a newer program, or the database is not empty.
    pub async fn restore(url: &str, config: &StoreConfig, path: &Path) -> Result<BackupReport, StoreError> {
        let head = checked(path)?;
        let mut conn = Connector::new(url, config)?.migrated(head.schema).await?;
        conn.begin().await?;
        let report = match read_in(&mut conn, path, &head).await {
            Ok(report) => report,
            Err(error) => {
                conn.script("ROLLBACK").await?;
                return Err(error);
            }
        };
        conn.script("COMMIT").await?;
        migrate::migrate(&mut conn, migrate::newest()).await?;
        conn.close().await?;
        Ok(report)
    }
}

struct Hashed<W: Write> {
    out: BufWriter<W>,
    hash: Sha256,
}

impl<W: Write> Hashed<W> {
    fn line(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let mut text = serde_json::to_string(value).map_err(|error| StoreError::Io(error.to_string().into()))?;
        text.push('\n');
        self.hash.update(text.as_bytes());
        Ok(self.out.write_all(text.as_bytes())?)
    }
}

async fn dump<W: Write>(conn: &mut Conn, out: &mut Hashed<W>, at: Timestamp) -> Result<BackupReport, StoreError> {
    let row = sql("SELECT MAX(version) AS version FROM schema_migrations").first(&mut *conn).await?;
    let schema = row.ok_or_else(|| StoreError::schema("there is no schema"))?.int("version")?;
    out.line(&Head { ringback_backup: FORMAT, schema, at })?;
    let mut report = BackupReport { schema, at, tables: BTreeMap::new() };
    for table in tables(conn).await? {
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        out.line(&TableHead { table: table.name.clone(), columns })?;
        let rows = dump_table(conn, out, &table).await?;
        report.tables.insert(table.name, rows);
    }
    let end = End { rows: report.tables.values().sum(), sha256: hex(out.hash.clone()) };
    out.line(&end)?;
    Ok(report)
}

/// Page by page along the primary key.
async fn dump_table<W: Write>(conn: &mut Conn, out: &mut Hashed<W>, table: &Table) -> Result<u64, StoreError> {
    let key: Vec<&str> = table.key.iter().map(|&at| table.columns[at].name.as_str()).collect();
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let (columns, order) = (columns.join(", "), key.join(", "));
    let first = format!("SELECT {columns} FROM {} ORDER BY {order} LIMIT {PAGE}", table.name);
    let places: Vec<String> = (1..=key.len()).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    let next =
        format!("SELECT {columns} FROM {} WHERE ({order}) > ({places}) ORDER BY {order} LIMIT {PAGE}", table.name);
    let (mut count, mut last): (u64, Option<Vec<Value>>) = (0, None);
    loop {
        let statement = match &last {
            None => sql(sqlx::AssertSqlSafe(first.clone())),
            Some(row) => table.key.iter().fold(sql(sqlx::AssertSqlSafe(next.clone())), |statement, &at| {
                bind(statement, table.columns[at].number, &row[at])
            }),
        };
        let rows = statement.once().all(&mut *conn).await?;
        for row in &rows {
            let values = table.columns.iter().map(|column| value_of(row, column)).collect::<Result<Vec<_>, _>>()?;
            out.line(&values)?;
            count += 1;
            last = Some(values);
        }
        if (rows.len() as i64) < PAGE {
            return Ok(count);
        }
    }
}

fn value_of(row: &Row, column: &Column) -> Result<Value, StoreError> {
    Ok(match column.number {
        true => row.opt_int(&column.name)?.map_or(Value::Null, Value::from),
        false => row.opt_text(&column.name)?.map_or(Value::Null, Value::from),
    })
}

fn bind(statement: Statement, number: bool, value: &Value) -> Statement {
    match number {
        true => statement.opt_int(value.as_i64()),
        false => statement.opt_text(value.as_str()),
    }
}

/// Every table but the record of migrations, by name.
async fn tables(conn: &mut Conn) -> Result<Vec<Table>, StoreError> {
    let (names, columns) = match conn.dialect() {
        Dialect::Sqlite => (
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            "SELECT name, type AS kind, CAST(pk AS BIGINT) AS key FROM pragma_table_info($1) ORDER BY cid",
        ),
        Dialect::Postgres => (
            "SELECT table_name::text AS name FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'",
            "SELECT c.column_name::text AS name, c.data_type::text AS kind,
                COALESCE((SELECT k.ordinal_position::bigint FROM information_schema.key_column_usage k
                    JOIN information_schema.table_constraints t ON t.constraint_name = k.constraint_name
                        AND t.table_schema = k.table_schema AND t.table_name = k.table_name
                    WHERE t.constraint_type = 'PRIMARY KEY' AND k.table_schema = c.table_schema
                        AND k.table_name = c.table_name AND k.column_name = c.column_name), 0) AS key
             FROM information_schema.columns c
             WHERE c.table_schema = current_schema() AND c.table_name = $1 ORDER BY c.ordinal_position",
        ),
    };
    let mut found = BTreeMap::new();
    for row in sql(names).once().all(&mut *conn).await? {
        let name = row.text("name")?;
        if name == "schema_migrations" {
            continue;
        }
        let (mut fields, mut key) = (Vec::new(), Vec::new());
        for (place, row) in sql(columns).text(&name).once().all(&mut *conn).await?.iter().enumerate() {
            let number = match row.text("kind")?.to_ascii_lowercase().as_str() {
                "bigint" => true,
                "text" => false,
                kind => return Err(StoreError::schema(format!("{name} has a column of kind {kind}"))),
            };
            fields.push(Column { name: row.text("name")?, number });
            let position = row.int("key")?;
            if position > 0 {
                key.push((position, place));
            }
        }
        key.sort_unstable();
        let key: Vec<usize> = key.into_iter().map(|(_, place)| place).collect();
        if key.is_empty() {
            return Err(StoreError::schema(format!("{name} has no primary key")));
        }
        found.insert(name.clone(), Table { name, columns: fields, key });
    }
    Ok(found.into_values().collect())
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

struct Lines {
    from: BufReader<std::fs::File>,
    line: String,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { from: BufReader::new(std::fs::File::open(path)?), line: String::new() })
    }

    /// The next line with its end; None at the end of the file.
    fn next(&mut self) -> Result<Option<&str>, StoreError> {
        self.line.clear();
        let mut bounded = std::io::Read::take(&mut self.from, LONGEST_LINE);
        let length = bounded.read_line(&mut self.line).map_err(|_| not_whole())?;
        Ok((length > 0).then_some(self.line.as_str()))
    }
}

fn not_whole() -> StoreError {
    StoreError::schema("the file is not a whole backup")
}

/// Reads the file once from end to end and compares what its last line says.
fn checked(path: &Path) -> Result<Head, StoreError> {
    let mut lines = Lines::open(path)?;
    let mut hash = Sha256::new();
    let first = lines.next()?.ok_or_else(not_whole)?;
    hash.update(first.as_bytes());
    let head: Head = serde_json::from_str(first).map_err(|_| not_whole())?;
    if head.ringback_backup != FORMAT || head.schema > migrate::newest() {
        return Err(StoreError::schema("the backup was written by a newer program"));
    }
    let mut rows = 0;
    while let Some(line) = lines.next()? {
        if line.starts_with("{\"rows\":") {
            let end: End = serde_json::from_str(line).map_err(|_| not_whole())?;
            let whole = end.rows == rows && end.sha256 == hex(hash) && lines.next()?.is_none();
            return if whole { Ok(head) } else { Err(not_whole()) };
        }
        rows += u64::from(line.starts_with('['));
        hash.update(line.as_bytes());
    }
    Err(not_whole())
}

async fn read_in(conn: &mut Conn, path: &Path, head: &Head) -> Result<BackupReport, StoreError> {
    let known: BTreeMap<String, Table> =
        tables(conn).await?.into_iter().map(|table| (table.name.clone(), table)).collect();
    for table in known.keys() {
        let any = sql(sqlx::AssertSqlSafe(format!("SELECT 1 AS one FROM {table} LIMIT 1"))).once();
        if any.first(&mut *conn).await?.is_some() {
            return Err(StoreError::schema(format!("the database is not empty: there are rows in {table}")));
        }
    }
    let mut report = BackupReport { schema: head.schema, at: head.at, tables: BTreeMap::new() };
    let (mut lines, mut into): (_, Option<Insertion>) = (Lines::open(path)?, None);
    // The head was read before.
    lines.next()?;
    while let Some(line) = lines.next()? {
        if line.starts_with("{\"rows\":") {
            break;
        }
        if line.starts_with('[') {
            let table = into.as_ref().ok_or_else(not_whole)?;
            let values: Vec<Value> = serde_json::from_str(line).map_err(|_| not_whole())?;
            table.of(&values)?.run(&mut *conn).await?;
            *report.tables.entry(table.name.clone()).or_default() += 1;
        } else {
            let next: TableHead = serde_json::from_str(line).map_err(|_| not_whole())?;
            let table = known.get(&next.table).ok_or_else(not_whole)?;
            into = Some(Insertion::new(table, &next.columns)?);
            report.tables.insert(next.table, 0);
        }
    }
    Ok(report)
}

/// How rows get into one table.
struct Insertion {
    name: String,
    text: String,
    numbers: Vec<bool>,
}

impl Insertion {
    /// Only names that the database itself has given become part of a statement.
    fn new(table: &Table, columns: &[String]) -> Result<Self, StoreError> {
        let find = |name: &String| table.columns.iter().find(|column| column.name == *name).ok_or_else(not_whole);
        let found = columns.iter().map(find).collect::<Result<Vec<&Column>, _>>()?;
        let names: Vec<&str> = found.iter().map(|column| column.name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let text = format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), places.join(", "));
        Ok(Self { name: table.name.clone(), text, numbers: found.iter().map(|column| column.number).collect() })
    }

    fn of(&self, values: &[Value]) -> Result<Statement, StoreError> {
        if values.len() != self.numbers.len() {
            return Err(not_whole());
        }
        let statement = sql(sqlx::AssertSqlSafe(self.text.clone()));
        Ok(self.numbers.iter().zip(values).fold(statement, |to, (number, value)| bind(to, *number, value)))
    }
}
