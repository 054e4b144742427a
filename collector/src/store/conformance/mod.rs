//! Every function of the store, on SQLite and on PostgreSQL alike: one test body, two engines.

mod history;
mod postgres;
mod stories;

use super::Store;
use postgres::Cluster;
use std::path::Path;

/// An empty store of one kind, and what keeps it alive.
pub(crate) enum Engine {
    Sqlite(tempfile::TempDir),
    Postgres(Cluster),
}

impl Engine {
    pub(crate) fn both() -> [Engine; 2] {
        [Engine::Sqlite(tempfile::tempdir().expect("a temporary folder")), Engine::Postgres(Cluster::start())]
    }

    pub(crate) async fn open(&self) -> Store {
        let opened = match self {
            Engine::Sqlite(folder) => Store::sqlite(&folder.path().join("sextant.db")).await,
            Engine::Postgres(cluster) => Store::postgres(&cluster.url()).await,
        };
        opened.expect("the store opens and migrates")
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
