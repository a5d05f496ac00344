//! SQLite's connection for writing, called directly: whoever runs a statement waits for it on the thread it is on.
//!
//! The driver that reads hands each statement to a thread and back. For a write of a dozen statements that costs more than
//! all the database does, so the writer has a thread of its own instead (`writer.rs`) and nothing is handed anywhere.

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OpenFlags, Statement, config::DbConfig, types::ValueRef};
use sqlx::error::{DatabaseError, ErrorKind};

use crate::sql::Arg;

/// SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE.
const NOT_UNIQUE: [i32; 2] = [1555, 2067];

#[derive(Debug)]
pub(crate) struct SqliteConn(Connection);

/// A value of a row, in the two forms the ledger has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
}

/// A row, no longer bound to its statement.
#[derive(Debug)]
pub(crate) struct OwnRow {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl SqliteConn {
    /// Opens the file, which is made if it is missing. `busy`: how long another process that holds it is waited for.
    /// `settings`: pragmas in their order. `statements`: so many are kept prepared.
    pub(crate) fn open(
        path: &Path,
        busy: Duration,
        settings: &[(&str, &str)],
        statements: usize,
    ) -> Result<Self, sqlx::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(fault)?;
        conn.busy_timeout(busy).map_err(fault)?;
        conn.set_prepared_statement_cache_capacity(statements);
        // A pattern that comes as an argument would have its statement made anew each time.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fault)?;
        for (name, value) in settings {
            conn.execute_batch(&format!("PRAGMA {name} = {value}")).map_err(fault)?;
        }
        Ok(Self(conn))
    }

    pub(crate) fn script(&mut self, text: &str) -> Result<(), sqlx::Error> {
        self.0.execute_batch(text).map_err(fault)
    }

    /// Statements that come again and again, such as those that begin and end a transaction: each is kept prepared.
    pub(crate) fn steps(&mut self, texts: &[&str]) -> Result<(), sqlx::Error> {
        texts.iter().try_for_each(|text| self.run(text, &[], true).map(drop))
    }

    /// Runs it to its end and says how many rows it touched.
    pub(crate) fn run(&mut self, text: &str, args: &[Arg], lasting: bool) -> Result<u64, sqlx::Error> {
        self.with(text, args, lasting, |statement| {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        })?;
        Ok(self.0.changes())
    }

    /// The first `most` rows.
    pub(crate) fn rows(
        &mut self,
        text: &str,
        args: &[Arg],
        lasting: bool,
        most: usize,
    ) -> Result<Vec<OwnRow>, sqlx::Error> {
        self.with(text, args, lasting, |statement| {
            let columns: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
            let mut found = Vec::new();
            let mut rows = statement.raw_query();
            while found.len() < most
                && let Some(row) = rows.next()?
            {
                let values =
                    (0..columns.len()).map(|at| Ok(value(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
                found.push(OwnRow { columns: Arc::clone(&columns), values });
            }
            Ok(found)
        })
    }

    fn with<T>(
        &self,
        text: &str,
        args: &[Arg],
        lasting: bool,
        act: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, sqlx::Error> {
        let done = match lasting {
            true => {
                self.0.prepare_cached(text).and_then(|mut kept| bind(&mut kept, args).and_then(|()| act(&mut kept)))
            }
            false => self.0.prepare(text).and_then(|mut once| bind(&mut once, args).and_then(|()| act(&mut once))),
        };
        done.map_err(fault)
    }

    /// # Errors
    /// What was still to be written when the file was closed.
    pub(crate) fn close(self) -> Result<(), sqlx::Error> {
        self.0.close().map_err(|(_, error)| fault(error))
    }
}

/// SQLite counts `$3` by where it stands; the ledger means the third argument, wherever it stands.
fn bind(statement: &mut Statement<'_>, args: &[Arg]) -> rusqlite::Result<()> {
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let arg = number.and_then(|number| args.get(number.checked_sub(1)?));
        match arg.ok_or(rusqlite::Error::InvalidParameterCount(place, args.len()))? {
            Arg::Text(text) => statement.raw_bind_parameter(place, text)?,
            Arg::Int(number) => statement.raw_bind_parameter(place, number)?,
        }
    }
    Ok(())
}

/// The ledger has no other types; a number with a fraction or bytes would read as no value, which its reader reports.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
    }
}

impl OwnRow {
    /// # Errors
    /// When there is no such column.
    pub(crate) fn value(&self, column: &str) -> Result<&Value, sqlx::Error> {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.values.get(at)).ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }
}

/// SQLite's own word on what went wrong, in the form that errors of the ledger are sorted by.
#[derive(Debug, thiserror::Error)]
#[error("(code: {code}) {message}")]
struct Fault {
    /// The extended result code.
    code: i32,
    message: String,
}

impl DatabaseError for Fault {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match NOT_UNIQUE.contains(&self.code) {
            true => ErrorKind::UniqueViolation,
            false => ErrorKind::Other,
        }
    }
}

fn fault(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            sqlx::Error::Database(Box::new(Fault { code: failure.extended_code, message }))
        }
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(folder: &tempfile::TempDir) -> SqliteConn {
        let path = folder.path().join("ledger.sqlite");
        let mut conn = SqliteConn::open(&path, Duration::from_millis(10), &[("foreign_keys", "on")], 8).unwrap();
        conn.script("CREATE TABLE IF NOT EXISTS things (id TEXT PRIMARY KEY, size BIGINT)").unwrap();
        conn
    }

    #[test]
    fn arguments_are_counted_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = opened(&folder);
        let args = [Arg::Int(Some(7)), Arg::Text(Some("one".to_owned()))];
        for lasting in [true, false] {
            assert_eq!(
                conn.run("DELETE FROM things WHERE id = $2 OR size = $1", &args, lasting).unwrap(),
                u64::from(!lasting)
            );
            assert_eq!(conn.run("INSERT INTO things (id, size) VALUES ($2, $1)", &args, lasting).unwrap(), 1);
        }
        let rows = conn.rows("SELECT size, id, NULL AS none FROM things WHERE id = $1", &args[1..], true, 9).unwrap();
        assert_eq!(rows[0].value("id").unwrap(), &Value::Text("one".to_owned()));
        assert_eq!(rows[0].value("size").unwrap(), &Value::Int(7));
        assert_eq!(rows[0].value("none").unwrap(), &Value::Null);
        assert!(matches!(rows[0].value("colour"), Err(sqlx::Error::ColumnNotFound(_))));
        assert!(conn.run("DELETE FROM things WHERE id = $3", &args, true).is_err(), "an argument too few");
    }

    #[test]
    fn what_is_there_twice_is_told_by_its_column() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = opened(&folder);
        let insert = "INSERT INTO things (id) VALUES ($1)";
        let args = [Arg::Text(Some("one".to_owned()))];
        conn.run(insert, &args, true).unwrap();
        let error = conn.run(insert, &args, true).unwrap_err();
        assert!(crate::error::violates(&error, "an index", "things.id"), "{error}");
        let error = conn.run("INSERT INTO nothing (id) VALUES ($1)", &args, true).unwrap_err();
        assert!(!crate::error::violates(&error, "an index", "things.id"), "{error}");
    }

    #[test]
    fn a_file_that_is_held_is_not_waited_for_longer_than_said() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (opened(&folder), opened(&folder));
        one.script("BEGIN IMMEDIATE").unwrap();
        assert!(other.script("BEGIN IMMEDIATE").is_err());
        one.script("COMMIT").unwrap();
        other.script("BEGIN IMMEDIATE; COMMIT").unwrap();
        assert!(other.close().is_ok());
    }
}
