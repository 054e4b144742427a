//! One connection of either engine, for statements that are put together from the catalogue.
//!
//! Names come from the catalogue of the database itself and are looked at by [`crate::backup::format::is_name`]; values
//! are always bound.

use super::Error;
use crate::{
    backup::{Kind, Value},
    store::{migrate, postgres},
};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ColumnIndex, ConnectOptions, Connection, Decode, PgConnection, Row, Sqlite,
    SqliteConnection, Type, TypeInfo, ValueRef,
    postgres::PgRow,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use std::{path::Path, time::Duration};

/// A connection.
#[derive(Debug)]
pub enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Binds values one after the other.
macro_rules! bind {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for (value, kind) in $values {
            query = match (value, kind) {
                (Value::Integer(number), _) => query.bind(*number),
                (Value::Float(number), _) => query.bind(*number),
                (Value::Boolean(truth), _) => query.bind(*truth),
                (Value::Text(text), _) => query.bind(text.as_str()),
                (Value::Bytes(bytes), _) => query.bind(bytes.as_slice()),
                // PostgreSQL wants to know of which type nothing is.
                (Value::Null, Kind::Integer) => query.bind(None::<i64>),
                (Value::Null, Kind::Float) => query.bind(None::<f64>),
                (Value::Null, Kind::Boolean) => query.bind(None::<bool>),
                (Value::Null, Kind::Text) => query.bind(None::<&str>),
                (Value::Null, Kind::Bytes) => query.bind(None::<&[u8]>),
            };
        }
        query
    }};
}

impl Conn {
    /// Opens the SQLite database in a file that is there already, for reading only. (It is opened for writing too where
    /// that is allowed: without that, SQLite could not read a database whose collector was killed.)
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub async fn sqlite(file: &Path) -> Result<Conn, Error> {
        match file.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(Error::NoDatabase(file.to_owned())),
            Err(source) => return Err(Error::Hidden { file: file.to_owned(), source }),
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(Duration::from_secs(10))
            .pragma("query_only", "on");
        let conn = options.connect().await;
        conn.map(Conn::Sqlite).map_err(|source| Error::Open { what: file.display().to_string(), source })
    }

    /// Makes a SQLite database in a file, without any care for a crash: whoever calls throws it away then.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn sqlite_new(file: &Path) -> Result<Conn, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .pragma("journal_mode", "off")
            .pragma("synchronous", "off")
            .pragma("locking_mode", "exclusive")
            .pragma("cache_size", "-65536")
            .foreign_keys(false);
        let conn = options.connect().await;
        conn.map(Conn::Sqlite).map_err(|source| Error::Open { what: file.display().to_string(), source })
    }

    /// Makes a SQLite database in memory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn memory() -> Result<Conn, Error> {
        Ok(Conn::Sqlite(SqliteConnection::connect("sqlite::memory:").await?))
    }

    /// Connects to a PostgreSQL database by its URL, without any time limit for statements.
    ///
    /// # Errors
    /// When it cannot be reached. The URL is not repeated, because it may hold a password.
    pub async fn postgres(url: &str) -> Result<Conn, Error> {
        let options = postgres::read_url(url)?.application_name("sextant backup").options([
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("lock_timeout", "0"),
        ]);
        Ok(Conn::Postgres(options.connect().await.map_err(postgres::failed)?))
    }

    /// The engine's name, as it stands in archives.
    pub fn engine(&self) -> &'static str {
        match self {
            Conn::Sqlite(_) => "sqlite",
            Conn::Postgres(_) => "postgres",
        }
    }

    /// Runs statements that return nothing, without arguments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Conn::Sqlite(conn) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)?,
            Conn::Postgres(conn) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs a statement with values, each of a kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execute<'v>(
        &mut self,
        sql: &str,
        values: impl Iterator<Item = (&'v Value, Kind)>,
    ) -> Result<(), Error> {
        match self {
            Conn::Sqlite(conn) => {
                bind!(sqlx::query(AssertSqlSafe(sql)), values).execute(conn).await.map(drop)?
            }
            Conn::Postgres(conn) => {
                bind!(sqlx::query(AssertSqlSafe(sql)), values).execute(conn).await.map(drop)?
            }
        }
        Ok(())
    }

    /// Reads rows whose columns are of these kinds, one by one.
    ///
    /// # Errors
    /// When the database fails, a value is of another kind (then the column's number is told), or `take` fails.
    pub async fn rows<'v>(
        &mut self,
        sql: &str,
        values: impl Iterator<Item = (&'v Value, Kind)>,
        kinds: &[Kind],
        mut take: impl FnMut(Result<Vec<Value>, Strange>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Conn::Sqlite(conn) => {
                let mut rows = bind!(sqlx::query(AssertSqlSafe(sql)), values).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    take(sqlite_row(&row, kinds))?;
                }
            }
            Conn::Postgres(conn) => {
                let mut rows = bind!(sqlx::query(AssertSqlSafe(sql)), values).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    take(postgres_row(&row, kinds))?;
                }
            }
        }
        Ok(())
    }

    /// Reads all rows of a small answer.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn all(&mut self, sql: &str, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, Error> {
        let mut all = Vec::new();
        self.rows(sql, std::iter::empty(), kinds, |row| {
            all.push(row.map_err(|strange| strange.named("the catalogue", sql))?);
            Ok(())
        })
        .await?;
        Ok(all)
    }

    /// Migrates up to a version.
    ///
    /// # Errors
    /// When it fails.
    pub async fn migrate(&mut self, version: i64) -> Result<(), Error> {
        match self {
            Conn::Sqlite(conn) => migrate::sqlite_to(conn, version).await?,
            Conn::Postgres(conn) => migrate::postgres_to(conn, version).await?,
        }
        Ok(())
    }

    /// Closes it; SQLite writes back what it holds.
    ///
    /// # Errors
    /// When that fails.
    pub async fn close(self) -> Result<(), Error> {
        match self {
            Conn::Sqlite(conn) => conn.close().await?,
            Conn::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }
}

/// A value of another kind than its column's.
#[derive(Debug)]
pub struct Strange {
    /// The column's place in the row.
    pub column: usize,
    pub found: String,
}

impl Strange {
    /// Tells of which table it is.
    pub fn named(self, table: &str, column: &str) -> Error {
        Error::Row { table: table.into(), column: column.into(), found: self.found }
    }
}

/// SQLite lets a column hold values of any type, so each is asked for its own.
fn sqlite_row(row: &SqliteRow, kinds: &[Kind]) -> Result<Vec<Value>, Strange> {
    let read = |(column, kind): (usize, &Kind)| {
        let strange = |found: &str| Strange { column, found: found.into() };
        let raw = row.try_get_raw(column).map_err(|_| strange("nothing"))?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        let found = raw.type_info().name().to_owned();
        let value = match (kind, found.as_str()) {
            (Kind::Integer, "INTEGER") => get::<Sqlite, i64, _>(row, column).map(Value::Integer),
            (Kind::Boolean, "INTEGER" | "BOOLEAN") => get::<Sqlite, i64, _>(row, column).and_then(|number| {
                let truth = u8::try_from(number).ok().filter(|number| *number < 2);
                truth.map(|number| Value::Boolean(number == 1))
            }),
            (Kind::Float, "REAL" | "INTEGER") => get::<Sqlite, f64, _>(row, column).map(Value::Float),
            (Kind::Text, "TEXT") => get::<Sqlite, String, _>(row, column).map(Value::Text),
            (Kind::Bytes, "BLOB") => get::<Sqlite, Vec<u8>, _>(row, column).map(Value::Bytes),
            _ => None,
        };
        value.ok_or_else(|| strange(&format!("a value of type {found}")))
    };
    kinds.iter().enumerate().map(read).collect()
}

fn get<'r, DB: sqlx::Database, T: Decode<'r, DB>, R: Row<Database = DB>>(
    row: &'r R,
    column: usize,
) -> Option<T>
where
    usize: ColumnIndex<R>,
{
    row.try_get_unchecked::<T, _>(column).ok()
}

fn postgres_row(row: &PgRow, kinds: &[Kind]) -> Result<Vec<Value>, Strange> {
    fn checked<'r, T: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>>(
        row: &'r PgRow,
        column: usize,
        value: fn(T) -> Value,
    ) -> Result<Value, Strange> {
        let found = row.try_get::<Option<T>, _>(column);
        let found =
            found.map_err(|error| Strange { column, found: format!("what cannot be read ({error})") })?;
        Ok(found.map_or(Value::Null, value))
    }
    let read = |(column, kind): (usize, &Kind)| match kind {
        Kind::Integer => checked(row, column, Value::Integer),
        Kind::Float => checked(row, column, Value::Float),
        Kind::Boolean => checked(row, column, Value::Boolean),
        Kind::Text => checked(row, column, Value::Text),
        Kind::Bytes => checked(row, column, Value::Bytes),
    };
    kinds.iter().enumerate().map(read).collect()
}
