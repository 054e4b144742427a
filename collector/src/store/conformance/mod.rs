//! Every function of the store, on SQLite and on PostgreSQL alike: one test body, two engines.

mod compaction;
mod complete;
mod erasure;
mod expiry;
mod faults;
mod hands;
mod history;
mod history_read;
mod integrity;
mod lease;
mod notices;
mod replay;
mod rollup_day;
pub mod stories;
mod upgrade;

use super::{Options, Place, Store};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use test_postgres::Cluster;

/// An empty store of one kind, and what keeps it alive.
pub(crate) enum Engine {
    Sqlite(tempfile::TempDir),
    Postgres(Cluster),
}

/// Waits for a condition for a minute.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < end, "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Engine {
    pub(crate) fn both() -> [Engine; 2] {
        [Engine::sqlite(), Engine::postgres()]
    }

    pub(crate) fn sqlite() -> Engine {
        Engine::Sqlite(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn postgres() -> Engine {
        Engine::Postgres(Cluster::start())
    }

    fn options(&self) -> Options {
        Options::new(match self {
            Engine::Sqlite(_) => Place::Sqlite(self.file()),
            Engine::Postgres(cluster) => Place::Postgres(cluster.url()),
        })
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.options()).await.expect("the store opens and migrates")
    }

    fn file(&self) -> PathBuf {
        match self {
            Engine::Sqlite(folder) => folder.path().join("sextant.db"),
            Engine::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }

    fn cluster(&self) -> &Cluster {
        match self {
            Engine::Sqlite(_) => panic!("SQLite has no server"),
            Engine::Postgres(cluster) => cluster,
        }
    }

    fn cluster_mut(&mut self) -> &mut Cluster {
        match self {
            Engine::Sqlite(_) => panic!("SQLite has no server"),
            Engine::Postgres(cluster) => cluster,
        }
    }
}

#[tokio::test]
async fn every_function_does_the_same_on_both_engines() {
    for engine in Engine::both() {
        let store = engine.open().await;
        stories::play(&store).await;
        store.close().await;
        // A second start finds everything in place.
        let store = engine.open().await;
        stories::still_there(&store).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_explained() {
    let error = Store::sqlite(Path::new("/proc/nowhere/sextant.db")).await.expect_err("not writable");
    assert!(error.to_string().contains("check that the folder exists and is writable"), "{error}");
}

#[tokio::test]
async fn the_password_of_a_database_is_not_repeated() {
    let url = "postgres://someone:hunter2@127.0.0.1:1/nowhere";
    let error = Store::postgres(url).await.expect_err("nothing listens there");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        text += &deeper.to_string();
        cause = deeper.source();
    }
    assert!(!text.contains("hunter2"), "{text}");
}
