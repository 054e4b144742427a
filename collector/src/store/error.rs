//! Why the store did not do what was asked, and how to react.

use super::trouble::Trouble;

/// Why the store did not do what was asked. [`Error::reaction`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the database {what}: check that the folder exists and is writable")]
    Open { what: String, source: sqlx::Error },
    #[error(
        "cannot open the database {what} to read it: check that this user may read the file and its folder"
    )]
    OpenToRead { what: String, source: sqlx::Error },
    #[error("cannot open the database at the PostgreSQL address: {advice}")]
    Connect { advice: &'static str, source: sqlx::Error },
    #[error(
        "cannot open the database: {why}. --database, or SEXTANT_DATABASE_URL, takes the URL of a PostgreSQL database, as \
         postgres://sextant@db.example.com/sextant; for SQLite leave both out, and name the data folder with --data"
    )]
    Address { why: String },
    #[error(
        "the PostgreSQL server is version {found}; Sextant needs {least} or newer: upgrade the server, or name another \
         with --database"
    )]
    OldServer { found: String, least: u32 },
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: it was upgraded by a \
         newer Sextant. Start that version or a newer one, or restore a backup from before the upgrade"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database has schema version {found}, and this program reads version {known}: start its collector once, \
         which brings the database up to date"
    )]
    OlderSchema { found: i64, known: i64 },
    #[error(
        "migration {version} of the database was begun and not finished: restore the newest backup, or ask for help \
         with the row of that version in the table _sqlx_migrations"
    )]
    HalfMigrated { version: i64 },
    #[error(
        "migration {version} was applied to the database with another text than this program has: the database was \
         made by an unreleased version of Sextant. Start that version, or begin with an empty database"
    )]
    OtherMigration { version: i64 },
    #[error("cannot bring the database up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database is damaged: {what}. {advice}", advice = DAMAGED)]
    Damaged { what: String },
    #[error("the database did not answer as it should")]
    Query(#[from] sqlx::Error),
    #[error("{what} in the database cannot be read: it may be from a newer version of Sextant")]
    Stored { what: &'static str, source: serde_json::Error },
    #[error("{what} in the database cannot be read: it is damaged, or from a newer version of Sextant")]
    Unreadable { what: &'static str },
    #[error("a notification has {bytes} bytes; PostgreSQL carries less than {limit}", limit = super::notify::MAX_PAYLOAD)]
    TooLong { bytes: usize },
    #[error("another collector has taken over: term {term} is no longer in force")]
    Fenced { term: i64 },
}

/// What to do about a damaged database.
const DAMAGED: &str = "Stop Sextant, keep a copy of the files, and restore the newest backup; \
    without one, move the files away to begin anew";

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The same call may succeed later: disk full, locked, connection lost. Keep what was to be stored and try again.
    Retry,
    /// The same call will never succeed, and others may: leave this one out.
    Refuse,
    /// This process must not go on with this database: another has taken over, or what is stored cannot be read.
    Stop,
}

impl Error {
    /// What to do about it.
    pub fn reaction(&self) -> Reaction {
        match self {
            // This process closed it, because it ends.
            Error::Query(sqlx::Error::PoolClosed) => Reaction::Stop,
            Error::Query(error)
            | Error::Open { source: error, .. }
            | Error::OpenToRead { source: error, .. }
            | Error::Connect { source: error, .. } => match Trouble::of(error) {
                Some(Trouble::Damaged) => Reaction::Stop,
                Some(_) => Reaction::Retry,
                None => Reaction::Refuse,
            },
            Error::TooLong { .. } => Reaction::Refuse,
            Error::Address { .. }
            | Error::OldServer { .. }
            | Error::NewerSchema { .. }
            | Error::OlderSchema { .. }
            | Error::HalfMigrated { .. }
            | Error::OtherMigration { .. }
            | Error::Migrate(_)
            | Error::Damaged { .. }
            | Error::Stored { .. }
            | Error::Unreadable { .. }
            | Error::Fenced { .. } => Reaction::Stop,
        }
    }

    /// Whether what is stored contradicts itself.
    pub fn is_damage(&self) -> bool {
        self.trouble() == Some(Trouble::Damaged)
    }

    /// Whether nobody answered. A statement that the server ended, because it took too long, is an answer.
    pub(super) fn is_unanswered(&self) -> bool {
        let Error::Query(error) = self else { return false };
        match Trouble::of(error) {
            Some(Trouble::Lost) => true,
            Some(Trouble::Slow) => {
                !matches!(error, sqlx::Error::Database(of) if of.code().as_deref() == Some("57014"))
            }
            _ => false,
        }
    }

    /// What the machinery under the database has to do with it; absent when it is about the request itself.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self {
            Error::Query(error) => Trouble::of(error),
            Error::Damaged { .. } => Some(Trouble::Damaged),
            _ => None,
        }
    }
}
