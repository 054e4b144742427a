//! Opens a database only to read from it, beside a collector that runs on it or without one.

use super::{
    Error, Store,
    db::{Db, Lite, Place, on},
    health::Monitor,
    migrate, postgres,
};
use runtime::clock::SystemClock;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::{sync::Arc, time::Duration};

/// How long a statement waits for another program's lock on the file.
const BUSY: Duration = Duration::from_secs(10);

impl Store {
    /// Opens a database as it is: nothing is made, migrated or written.
    ///
    /// # Errors
    /// When there is none, it cannot be reached, or its schema is not the one of this program.
    pub async fn read_only(place: &Place) -> Result<Store, Error> {
        let db = match place {
            Place::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY);
                let pool = SqlitePoolOptions::new().max_connections(2);
                let opened = pool.connect_with(options.clone()).await;
                let readers = opened
                    .map_err(|source| Error::OpenToRead { what: file.display().to_string(), source })?;
                // Neither is used: it could not write, and nobody watches the file of what is only read.
                let writer = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
                Db::Sqlite(Lite { file: file.clone(), identity: (0, 0), writer, readers })
            }
            Place::Postgres(url) => postgres::open(url).await?,
        };
        let monitor = Arc::new(Monitor::new(matches!(db, Db::Sqlite(_)), false, SystemClock::shared()));
        let store = Store { db, monitor };
        store.has_our_schema().await?;
        Ok(store)
    }

    async fn has_our_schema(&self) -> Result<(), Error> {
        let known = migrate::newest();
        let found: Option<i64> = on!(self, pool => {
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(pool).await?
        });
        let found = found.unwrap_or(0);
        match found {
            _ if found > known => Err(Error::NewerSchema { found, known }),
            _ if found < known => Err(Error::OlderSchema { found, known }),
            _ => Ok(()),
        }
    }
}
