//! The two engines, and everything that differs between them.

use sqlx::{
    PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// A store of one of the two kinds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) db: Db,
}

#[derive(Debug, Clone)]
pub(super) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the database {what}: check that the folder exists and is writable, or the address")]
    Open { what: String, source: sqlx::Error },
    #[error(
        "cannot bring the database up to date: it may be from a newer version of Sextant; start that version"
    )]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database did not answer as it should")]
    Query(#[from] sqlx::Error),
    #[error("{what} in the database cannot be read: it may be from a newer version of Sextant")]
    Stored { what: &'static str, source: serde_json::Error },
    #[error("{what} in the database is damaged, or from a newer version of Sextant")]
    Damaged { what: &'static str },
    #[error("another collector has taken over: term {term} is no longer in force")]
    Fenced { term: i64 },
}

/// Expands one body of portable SQL against whichever engine is open, with `$pool` bound to its pool.
macro_rules! on {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.db {
            crate::store::db::Db::Sqlite($pool) => $body,
            crate::store::db::Db::Postgres($pool) => $body,
        }
    };
}

/// Expands one body against a writing transaction and commits it. On SQLite it begins with `BEGIN IMMEDIATE`: a
/// transaction that reads first and writes later would fail when another writer was quicker.
macro_rules! write {
    ($store:expr, $tx:ident => $body:expr) => {
        match &$store.db {
            crate::store::db::Db::Sqlite(pool) => {
                let mut $tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            crate::store::db::Db::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

pub(super) use {on, write};

impl Store {
    /// Opens the SQLite database in a file, making it if need be, and migrates it. `FULL` synchronisation: what
    /// was answered with 2xx survives a power cut too.
    ///
    /// # Errors
    /// When the file cannot be opened or migrated.
    pub async fn sqlite(file: &Path) -> Result<Store, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(6)
            .connect_with(options)
            .await
            .map_err(|source| Error::Open { what: file.display().to_string(), source })?;
        let store = Store { db: Db::Sqlite(pool) };
        store.migrate().await?;
        Ok(store)
    }

    /// Opens a PostgreSQL database by its URL and migrates it.
    ///
    /// # Errors
    /// When it cannot be reached or migrated. The URL is not repeated, because it may hold a password.
    pub async fn postgres(url: &str) -> Result<Store, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(10))
            .connect(url)
            .await
            .map_err(|source| Error::Open { what: "at the PostgreSQL address".into(), source })?;
        let store = Store { db: Db::Postgres(pool) };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), Error> {
        let mut migrator = sqlx::migrate!("../migrations");
        let marker = match &self.db {
            Db::Sqlite(_) => "-- sqlite: ",
            Db::Postgres(_) => "-- postgres: ",
        };
        let migrations = migrator
            .migrations
            .iter()
            .map(|m| {
                let sql = m
                    .sql
                    .as_str()
                    .lines()
                    .map(|l| l.strip_prefix(marker).unwrap_or(l))
                    .collect::<Vec<_>>()
                    .join("\n");
                sqlx::migrate::Migration::new(
                    m.version,
                    m.description.clone(),
                    m.migration_type,
                    sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql)),
                    m.no_tx,
                )
            })
            .collect::<Vec<_>>();
        migrator.migrations = migrations.into();
        on!(self, pool => migrator.run(pool).await)?;
        if let Db::Postgres(pool) = &self.db {
            for table in ["report_log", "evidence"] {
                let sql = format!("CREATE TABLE IF NOT EXISTS {table}_rest PARTITION OF {table} DEFAULT");
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Whether other collectors may work on the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        on!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Closes all connections; SQLite writes its log back into the file.
    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

/// Reads a stored JSON document.
pub(super) fn document<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Stored { what, source })
}

/// Writes a JSON document. Our own types have string keys and finite numbers, so this cannot fail.
pub(super) fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types serialise to JSON")
}
