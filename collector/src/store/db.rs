//! The two engines, and the macros that run one text of SQL on either.

use super::{
    Error,
    health::Monitor,
    migrate::{self, ExtraMigration},
    postgres, sqlite,
};
use runtime::clock::{SharedClock, SystemClock};
use sqlx::{PgPool, SqlitePool};
use std::{fmt, path::Path, path::PathBuf, sync::Arc, time::Duration};

/// How long a statement, or a transaction, may take on PostgreSQL before its connection is given up. Longer than the
/// server's own `statement_timeout`, so that this is only about links that are cut.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A store of one of the two kinds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) db: Db,
    pub(super) monitor: Arc<Monitor>,
}

#[derive(Debug, Clone)]
pub(super) enum Db {
    Sqlite(Lite),
    Postgres(PgPool),
}

/// SQLite has one writer at a time: one connection writes, with a fair queue before it, and others read beside it.
#[derive(Debug, Clone)]
pub(super) struct Lite {
    pub file: PathBuf,
    /// Device and number of the file when it was opened.
    pub identity: (u64, u64),
    pub writer: SqlitePool,
    pub readers: SqlitePool,
}

/// Where the database is.
#[derive(Clone)]
pub enum Place {
    /// A file, which is made if need be.
    Sqlite(PathBuf),
    /// A URL, which may hold a password.
    Postgres(String),
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    pub place: Place,
    /// Migrations after those of this program, as the next version would have; for tests of upgrades.
    pub extra_migrations: Vec<ExtraMigration>,
    /// Tells since when the store is degraded.
    pub clock: SharedClock,
}

impl Options {
    /// The options of production.
    pub fn new(place: Place) -> Options {
        Options { place, extra_migrations: Vec::new(), clock: SystemClock::shared() }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(file) => f.debug_tuple("Sqlite").field(file).finish(),
            Place::Postgres(_) => f.write_str("Postgres"),
        }
    }
}

/// Expands one body of portable SQL that reads, with `$pool` bound to the pool of whichever engine is open. On SQLite
/// that pool is read-only: what writes goes through [`write!`].
macro_rules! on {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.db {
            crate::store::db::Db::Sqlite(lite) => {
                let $pool = &lite.readers;
                $store.monitor.read(async { Ok::<_, crate::store::Error>($body) }.await)?
            }
            crate::store::db::Db::Postgres($pool) => {
                let read = async { Ok::<_, crate::store::Error>($body) };
                $store.monitor.read(crate::store::writing::within(crate::store::db::PATIENCE, read).await)?
            }
        }
    };
}

/// Expands one body against a writing transaction and commits it; an error in it, `?` or `return Err`, rolls it back.
/// On SQLite it begins with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would fail when another
/// writer was quicker.
macro_rules! write {
    ($store:expr, $tx:ident => $body:expr) => {
        match &$store.db {
            crate::store::db::Db::Sqlite(lite) => {
                let begun = crate::store::writing::Writing::begin(
                    &lite.writer,
                    &$store.monitor,
                    "BEGIN IMMEDIATE",
                    true,
                );
                let mut $tx = begun.await?;
                let done = async { Ok::<_, crate::store::Error>($body) }.await;
                $tx.finish(done).await?
            }
            crate::store::db::Db::Postgres(pool) => {
                let begun = crate::store::writing::Writing::begin(pool, &$store.monitor, "BEGIN", true);
                let mut $tx = begun.await?;
                let work = async { Ok::<_, crate::store::Error>($body) };
                let done = crate::store::writing::within(crate::store::db::PATIENCE, work).await;
                $tx.finish(done).await?
            }
        }
    };
}

pub(super) use {on, write};

impl Store {
    /// Opens a database, making it if need be, migrates it, and looks whether it is sound.
    ///
    /// # Errors
    /// When it cannot be opened, reached or migrated, is damaged, or was made by a newer version. The message says
    /// what to do; the URL is not repeated, because it may hold a password.
    pub async fn open(options: Options) -> Result<Store, Error> {
        let Options { place, extra_migrations, clock } = options;
        let (db, unclean) = match &place {
            Place::Sqlite(file) => sqlite::open(file).await?,
            Place::Postgres(url) => (postgres::open(url).await?, false),
        };
        let monitor = Arc::new(Monitor::new(matches!(db, Db::Sqlite(_)), unclean, clock));
        let store = Store { db, monitor };
        match (&store.db, &place) {
            (Db::Postgres(_), Place::Postgres(url)) => {
                migrate::postgres(&mut postgres::for_migrations(url).await?, &extra_migrations).await?;
            }
            (Db::Sqlite(lite), _) => {
                let mut writer = lite.writer.acquire().await?;
                migrate::sqlite(&mut writer, &extra_migrations)
                    .await
                    .map_err(|error| sqlite::explain(&lite.file, error))?;
            }
            _ => {}
        }
        store.make_partitions(store.monitor.now()).await?;
        store.look_over().await?;
        Ok(store)
    }

    /// Opens the SQLite database in a file, making it if need be, and migrates it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn sqlite(file: &Path) -> Result<Store, Error> {
        Store::open(Options::new(Place::Sqlite(file.to_owned()))).await
    }

    /// Opens a PostgreSQL database by its URL and migrates it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn postgres(url: &str) -> Result<Store, Error> {
        Store::open(Options::new(Place::Postgres(url.to_owned()))).await
    }

    /// Closes all connections; SQLite writes its log back into the file.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite(lite) => {
                // The writer last: the last connection writes the log back, which a reader cannot.
                lite.readers.close().await;
                lite.writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
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
