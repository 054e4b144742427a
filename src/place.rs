//! Where a collector keeps its data, for the commands that work on it from outside.

use collector::store::{Options, Place as Database, Store};
use std::{fs::File, path::PathBuf};

/// The same settings as the collector's.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The collector's data folder.
    #[arg(long, env = "SEXTANT_DATA", default_value = "sextant-data", value_name = "DIR")]
    data: PathBuf,
    /// The PostgreSQL database, when the collector keeps everything there.
    #[arg(long, alias = "database-url", env = "SEXTANT_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
}

impl Place {
    /// Opens the database; a collector may be running on it.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn open(&self) -> anyhow::Result<Store> {
        let place = match &self.database {
            Some(url) => Database::Postgres(url.clone()),
            None => {
                let file = self.data.join("sextant.db");
                anyhow::ensure!(
                    file.exists(),
                    "there is no database in {}: name the collector's data folder with --data, or its PostgreSQL \
                     database with --database",
                    self.data.display()
                );
                Database::Sqlite(file)
            }
        };
        Ok(Store::open(Options::new(place)).await?)
    }

    /// Opens the database for a program that has it alone, making it if need be. A folder stays locked, as by a
    /// collector, until the file that comes with it is dropped.
    ///
    /// # Errors
    /// When it cannot be made or opened, or a collector runs on the folder.
    pub async fn make(&self) -> anyhow::Result<(Store, Option<File>)> {
        let (place, lock) = match &self.database {
            Some(url) => (Database::Postgres(url.clone()), None),
            None => {
                let lock = collector::app::lock_folder(&self.data)?;
                (Database::Sqlite(self.data.join("sextant.db")), Some(lock))
            }
        };
        Ok((Store::open(Options::new(place)).await?, lock))
    }
}
