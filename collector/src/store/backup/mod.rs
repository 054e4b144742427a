//! Backups: all rows of all tables out of one database, and into another one of either engine.
//!
//! [`dump`](Source::dump) reads under one snapshot and writes to an archive ([`crate::backup`]); it blocks nobody, so the
//! collector goes on. [`restore`](restore::restore) fills a database that is empty, as a whole or not at all. Which tables
//! and columns there are is asked of the databases themselves (`catalogue`), so that nothing is forgotten when a
//! migration adds some.

mod catalogue;
mod conn;
mod dump;
mod restore;
mod settle;

#[cfg(test)]
mod tests;

use crate::backup::{Corrupt, format::ROW_MOST, write};
use std::path::PathBuf;

pub use dump::{Progress, Source};
pub use restore::{Restored, Target, restore};

/// Why there is no backup, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "there is no database at {0}: name the collector's data folder with --data, or its database with --database"
    )]
    NoDatabase(PathBuf),
    #[error("the database has no tables of Sextant: it is another one, or no collector has used it yet")]
    NotOurs,
    #[error("cannot look for the database at {file}: check that this user may read its folder")]
    Hidden { file: PathBuf, source: std::io::Error },
    #[error("cannot open the database {what}: check that it is there and this user may use it")]
    Open { what: String, source: sqlx::Error },
    #[error("the database did not answer as it should")]
    Query(#[from] sqlx::Error),
    #[error(transparent)]
    Store(#[from] super::Error),
    #[error(
        "migration {0} of the database did not end well: start the collector, which says what is to be done"
    )]
    Dirty(i64),
    #[error(
        "the database is of schema {found}, and this program knows {known}: use the version of Sextant that runs on it"
    )]
    NewerDatabase { found: i64, known: i64 },
    #[error(
        "the archive is of schema {found}, made by version {program}, and this program knows {known}: restore it with that version or a newer one"
    )]
    NewerArchive { found: i64, known: i64, program: String },
    #[error(
        "the column {column} of {table} holds what a backup cannot carry ({what}): this is a mistake in the program"
    )]
    Column { table: String, column: String, what: String },
    #[error("the table {0} has no primary key, which a backup needs: this is a mistake in the program")]
    NoKey(String),
    #[error(
        "a row of {table} cannot be read: {column} holds {found}, rows of up to {ROW_MOST} bytes with the declared types are expected"
    )]
    Row { table: String, column: String, found: String },
    #[error(transparent)]
    Write(#[from] write::Error),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error("the archive's table {table} does not fit schema {schema}: {why}")]
    Misfit { table: String, schema: i64, why: &'static str },
    #[error(
        "{0} is there already: a backup is restored into a new place only. Name another folder, or move it away"
    )]
    Exists(PathBuf),
    #[error(
        "the database is not empty ({0} holds rows): a backup is restored into a new database only. Make one (`createdb NAME`) \
         and name it with --database"
    )]
    NotEmpty(String),
    #[error(
        "the database is empty, but of schema {found}, and the archive is of schema {wanted}: make a new database (`createdb \
         NAME`) and name it with --database; its tables are made as the archive needs them, and then brought up to date"
    )]
    OtherSchema { found: i64, wanted: i64 },
    #[error("cannot write {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Folder(Box<crate::BuildError>),
    #[error("the decider's state in the archive cannot be used")]
    State(#[source] super::Error),
}
