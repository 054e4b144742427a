//! Where a collector keeps its data, for the commands that work on it from outside.

use anyhow::{Context, ensure};
use collector::store::{Options, Place as Database, Store};
use std::{
    env,
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The collector's data folder, for SQLite. Without --data and --database: SEXTANT_DATABASE_URL, else SEXTANT_DATA, else
    /// sextant-data.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The PostgreSQL database. Rather give it by SEXTANT_DATABASE_URL: other users of the machine can read flags.
    #[arg(long, alias = "database-url", value_name = "URL", conflicts_with = "data")]
    database: Option<String>,
}

/// A database, chosen.
pub enum Chosen {
    Folder(PathBuf),
    Postgres(String),
}

impl Place {
    /// What was said on the command line goes before the environment, so that both databases of a move can be named.
    pub fn choose(self) -> Chosen {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        match (self.data, self.database) {
            (Some(folder), _) => Chosen::Folder(folder),
            (None, Some(url)) => Chosen::Postgres(url),
            (None, None) => match variable("SEXTANT_DATABASE_URL") {
                Some(url) => Chosen::Postgres(url),
                None => {
                    let folder = variable("SEXTANT_DATA").unwrap_or_else(|| "sextant-data".into());
                    Chosen::Folder(folder.into())
                }
            },
        }
    }

    /// The database, which must be there.
    fn existing(self) -> anyhow::Result<Database> {
        match self.choose() {
            Chosen::Postgres(url) => Ok(Database::Postgres(url)),
            Chosen::Folder(folder) => {
                let file = folder.join("sextant.db");
                found(&folder, file.try_exists())?;
                Ok(Database::Sqlite(file))
            }
        }
    }

    /// Opens the database as it is, only to read; a collector may be running on it.
    ///
    /// # Errors
    /// When there is none, it cannot be opened, or its schema is another version's.
    pub async fn read(self) -> anyhow::Result<Store> {
        Ok(Store::read_only(&self.existing()?).await?)
    }

    /// Opens the database to change something in it; a collector may be running on it.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn open(self) -> anyhow::Result<Store> {
        Ok(Store::open(Options::new(self.existing()?)).await?)
    }

    /// Opens the database for a program that has it alone, making it if need be. A folder stays locked, as by a
    /// collector, until the file that comes with it is dropped.
    ///
    /// # Errors
    /// When it cannot be made or opened, or a collector runs on the folder.
    pub async fn make(self) -> anyhow::Result<(Store, Option<File>)> {
        let (place, lock) = match self.choose() {
            Chosen::Postgres(url) => (Database::Postgres(url), None),
            Chosen::Folder(folder) => {
                let lock = collector::app::lock_folder(&folder)?;
                (Database::Sqlite(folder.join("sextant.db")), Some(lock))
            }
        };
        Ok((Store::open(Options::new(place)).await?, lock))
    }
}

/// Whether the database was found in a folder. What may not be read is not called missing.
fn found(folder: &Path, looked: io::Result<bool>) -> anyhow::Result<()> {
    let there = looked.with_context(|| {
        format!(
            "cannot look for the database in {}: check that this user may read the folder",
            folder.display()
        )
    })?;
    ensure!(
        there,
        "there is no database in {}: name the collector's data folder with --data, or its PostgreSQL database with \
         --database",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::found;
    use collector::store::Store;
    use std::{io, path::Path};
    use tempfile::TempDir;
    use wire::Micros;

    /// A data folder with the database of a shop that nothing was measured of.
    pub async fn shop() -> (TempDir, Store) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("a new database");
        let document = "version: 1\nregions: { north: {} }\nprobes: { probe-north: { region: north, token: { env: T } } }\n\
                        services: { shop: { regions: { north: http://n.test } } }\n\
                        checks: { shop-health: { service: shop, http: { path: / } } }\n";
        store.revise(document, Micros(1)).await.expect("revised");
        (folder, store)
    }

    #[test]
    fn what_may_not_be_read_is_not_called_missing() {
        let said = |looked| found(Path::new("ro"), looked).expect_err("not found").to_string();
        assert!(said(Ok(false)).starts_with("there is no database in ro"), "{}", said(Ok(false)));
        let hidden = said(Err(io::ErrorKind::PermissionDenied.into()));
        assert!(hidden.contains("may read the folder") && !hidden.contains("there is no"), "{hidden}");
        assert!(found(Path::new("data"), Ok(true)).is_ok());
    }
}
