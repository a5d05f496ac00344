//! The one place where the two databases are told apart: a statement is the same `$1` text for both, its arguments are
//! text or integers, and a row is read by column name.

use sqlx::{
    PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    error::StoreError,
    sqlite::{OwnRow, SqliteConn, Value},
};

/// Which database the ledger lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// The writer's own connection. SQLite's is called directly: a statement holds the thread it runs on until it is done.
#[derive(Debug)]
pub(crate) enum Conn {
    Sqlite(Box<SqliteConn>),
    Postgres(Box<PgConnection>),
}

/// A connection lent by the read-only pool.
#[derive(Debug)]
pub(crate) enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// Where a statement runs.
pub(crate) enum On<'c> {
    Direct(&'c mut SqliteConn),
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl<'c> From<&'c mut Conn> for On<'c> {
    fn from(conn: &'c mut Conn) -> Self {
        match conn {
            Conn::Sqlite(conn) => On::Direct(conn),
            Conn::Postgres(conn) => On::Postgres(conn),
        }
    }
}

impl<'c> From<&'c mut Reader> for On<'c> {
    fn from(reader: &'c mut Reader) -> Self {
        match reader {
            Reader::Sqlite(conn) => On::Sqlite(conn),
            Reader::Postgres(conn) => On::Postgres(conn),
        }
    }
}

impl Conn {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Conn::Sqlite(_) => Dialect::Sqlite,
            Conn::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction for writing: SQLite takes its lock at once, so that no later statement can find it taken.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Conn::Sqlite(conn) => conn.steps(&["BEGIN IMMEDIATE"]),
            Conn::Postgres(_) => self.script("BEGIN").await,
        }
    }

    /// The same for several writes: with the savepoint of the first, in one exchange with the database.
    pub(crate) async fn begin_group(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Conn::Sqlite(conn) => conn.steps(&["BEGIN IMMEDIATE", "SAVEPOINT one"]),
            Conn::Postgres(_) => self.script("BEGIN; SAVEPOINT one").await,
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Conn::Sqlite(conn) => conn.steps(&["COMMIT"]),
            Conn::Postgres(_) => self.script("COMMIT").await,
        }
    }

    /// Statements without arguments, several at once if need be.
    pub(crate) async fn script(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Conn::Sqlite(conn) => conn.script(text),
            Conn::Postgres(conn) => sqlx::raw_sql(text).execute(&mut **conn).await.map(drop),
        }
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        use sqlx::Connection as _;
        match self {
            Conn::Sqlite(conn) => conn.close(),
            Conn::Postgres(conn) => conn.close().await,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

/// A statement being put together: `sql("… $1 … $2").text(a).int(b)`, then `run`, `all` or `first`.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    text: SqlStr,
    args: Vec<Arg>,
    /// Kept prepared on the connection.
    lasting: bool,
}

pub(crate) fn sql(text: impl SqlSafeStr) -> Statement {
    Statement { text: text.into_sql_str(), args: Vec::new(), lasting: true }
}

impl Statement {
    pub(crate) fn text(self, value: impl AsRef<str>) -> Self {
        self.opt_text(Some(value))
    }

    /// NUL is the one character PostgreSQL cannot keep; both databases get the replacement character for it.
    pub(crate) fn opt_text(mut self, value: Option<impl AsRef<str>>) -> Self {
        self.args.push(Arg::Text(value.map(|text| match text.as_ref() {
            text if text.contains('\0') => text.replace('\0', "\u{fffd}"),
            text => text.to_owned(),
        })));
        self
    }

    /// An id or anything else that is written as text.
    pub(crate) fn id(mut self, value: impl std::fmt::Display) -> Self {
        self.args.push(Arg::Text(Some(value.to_string())));
        self
    }

    pub(crate) fn int(self, value: i64) -> Self {
        self.opt_int(Some(value))
    }

    pub(crate) fn opt_int(mut self, value: Option<i64>) -> Self {
        self.args.push(Arg::Int(value));
        self
    }

    /// For a text made for this once: not kept prepared.
    pub(crate) fn once(mut self) -> Self {
        self.lasting = false;
        self
    }

    /// Runs it and says how many rows it touched.
    pub(crate) async fn run(self, on: impl Into<On<'_>>) -> Result<u64, sqlx::Error> {
        match on.into() {
            On::Direct(conn) => conn.run(self.text.as_str(), &self.args, self.lasting),
            On::Sqlite(conn) => Ok(self.sqlite().execute(conn).await?.rows_affected()),
            On::Postgres(conn) => Ok(self.postgres().execute(conn).await?.rows_affected()),
        }
    }

    pub(crate) async fn all(self, on: impl Into<On<'_>>) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match on.into() {
            On::Direct(conn) => self.direct(conn, usize::MAX)?,
            On::Sqlite(conn) => self.sqlite().fetch_all(conn).await?.into_iter().map(Row::Sqlite).collect(),
            On::Postgres(conn) => self.postgres().fetch_all(conn).await?.into_iter().map(Row::Postgres).collect(),
        })
    }

    pub(crate) async fn first(self, on: impl Into<On<'_>>) -> Result<Option<Row>, sqlx::Error> {
        Ok(match on.into() {
            On::Direct(conn) => self.direct(conn, 1)?.pop(),
            On::Sqlite(conn) => self.sqlite().fetch_optional(conn).await?.map(Row::Sqlite),
            On::Postgres(conn) => self.postgres().fetch_optional(conn).await?.map(Row::Postgres),
        })
    }

    fn direct(self, conn: &mut SqliteConn, most: usize) -> Result<Vec<Row>, sqlx::Error> {
        Ok(conn.rows(self.text.as_str(), &self.args, self.lasting, most)?.into_iter().map(Row::Direct).collect())
    }

    fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        self.args.into_iter().fold(sqlx::query(self.text).persistent(self.lasting), |query, arg| match arg {
            Arg::Text(value) => query.bind(value),
            Arg::Int(value) => query.bind(value),
        })
    }

    fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        self.args.into_iter().fold(sqlx::query(self.text).persistent(self.lasting), |query, arg| match arg {
            Arg::Text(value) => query.bind(value),
            Arg::Int(value) => query.bind(value),
        })
    }
}

pub(crate) enum Row {
    Direct(OwnRow),
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(match self {
            Row::Direct(row) => there(own_text(row, column)?, column)?,
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(match self {
            Row::Direct(row) => own_text(row, column)?,
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64, StoreError> {
        Ok(match self {
            Row::Direct(row) => there(own_int(row, column)?, column)?,
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(match self {
            Row::Direct(row) => own_int(row, column)?,
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A column holding the text form of an id.
    pub(crate) fn id<T: std::str::FromStr>(&self, column: &str, kind: &'static str) -> Result<T, StoreError> {
        let text = self.text(column)?;
        text.parse().map_err(|_| StoreError::corrupt(kind, text))
    }
}

fn own_text(row: &OwnRow, column: &str) -> Result<Option<String>, StoreError> {
    match row.value(column)? {
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Null => Ok(None),
        Value::Int(_) => Err(unfit(column)),
    }
}

fn own_int(row: &OwnRow, column: &str) -> Result<Option<i64>, StoreError> {
    match row.value(column)? {
        Value::Int(number) => Ok(Some(*number)),
        Value::Null => Ok(None),
        Value::Text(_) => Err(unfit(column)),
    }
}

fn there<T>(value: Option<T>, column: &str) -> Result<T, StoreError> {
    value.ok_or_else(|| unfit(column))
}

fn unfit(column: &str) -> StoreError {
    StoreError::Io(format!("column {column} holds a value of another type").into())
}
