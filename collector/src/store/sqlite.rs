//! How SQLite is opened.

use super::{
    Error,
    db::{Db, Lite},
    trouble::Trouble,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a statement waits for another program's lock on the file.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits in the queue for the writer, or for a reader.
const QUEUE: Duration = Duration::from_secs(20);
/// Connections that read: more than the questions that are answered at a time, each of which holds one, so that deciding,
/// sealing and delivering never wait for them.
const READERS: u32 = 6;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;

/// Opens a file, making it if need be. Says also whether the last process that had it open ended without closing it.
///
/// `FULL` synchronisation: what was answered with 2xx survives a power cut too. No memory-mapping: an I/O error on a
/// mapped page ends the process instead of a statement.
pub async fn open(file: &Path) -> Result<(Db, bool), Error> {
    let unclean = fs::metadata(log_of(file)).is_ok_and(|log| log.len() > 0);
    let common = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .foreign_keys(true);
    let writer = common
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // KiB, when negative
        .pragma("cache_size", "-32768")
        // 32 MiB of log before it is written back, and what is left of a larger one
        .pragma("wal_autocheckpoint", "8192")
        .pragma("journal_size_limit", "67108864");
    let readers = common.read_only(true).pragma("cache_size", "-16384");
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(QUEUE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(writer)
        .await
        .map_err(|source| opening(file, source))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        // One at least: while it is there, a new writer needs no room on the disk to begin.
        .min_connections(1)
        .acquire_timeout(QUEUE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(readers)
        .await
        .map_err(|source| opening(file, source))?;
    let found = fs::metadata(file).map_err(|source| opening(file, source.into()))?;
    Ok((Db::Sqlite(Lite { file: file.to_owned(), identity: identity(&found), writer, readers }), unclean))
}

/// What tells a file from another one that took its place.
pub fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// The write-ahead log of a database file. It is gone when the last connection was closed in order.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn opening(file: &Path, source: sqlx::Error) -> Error {
    match Trouble::of(&source) {
        Some(Trouble::Damaged) => damaged(file, &source),
        _ => Error::Open { what: file.display().to_string(), source },
    }
}

/// Names the file when it turned out to be damaged.
pub fn explain(file: &Path, error: Error) -> Error {
    use sqlx::migrate::MigrateError;
    match &error {
        Error::Query(source)
        | Error::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))
            if Trouble::of(source) == Some(Trouble::Damaged) =>
        {
            damaged(file, source)
        }
        _ => error,
    }
}

fn damaged(file: &Path, source: &sqlx::Error) -> Error {
    Error::Damaged { what: format!("SQLite cannot read {}: {source}", file.display()) }
}
