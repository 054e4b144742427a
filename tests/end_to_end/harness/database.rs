//! Where a world's collectors keep everything: a SQLite file in their data folder, or a PostgreSQL cluster of the world's
//! own, which each collector reaches by a link that can be cut.

use anyhow::Context;
use collector::store::{Place, Store};
use lab::link::{Shape, TcpLink};
use std::path::{Path, PathBuf};
use test_postgres::Cluster;

/// Which database a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    #[default]
    Sqlite,
    Postgres,
}

/// The database of a world.
#[derive(Debug)]
pub enum Database {
    /// The data folder of the one collector.
    Sqlite(PathBuf),
    Postgres(Cluster),
}

impl Database {
    /// A new one. `data` is the folder of the first collector.
    pub fn start(engine: Engine, data: &Path) -> Database {
        match engine {
            Engine::Sqlite => Database::Sqlite(data.to_owned()),
            Engine::Postgres => Database::Postgres(Cluster::start()),
        }
    }

    /// A way to it for a collector of its own; none where there is no network in between.
    pub async fn link(&self) -> anyhow::Result<Option<TcpLink>> {
        Ok(match self {
            Database::Sqlite(_) => None,
            Database::Postgres(cluster) => {
                Some(TcpLink::listen(cluster.address(), Shape::default(), Shape::default(), 0).await?)
            }
        })
    }

    /// Its address by that way; none for a file in the data folder.
    pub fn url(&self, link: Option<&TcpLink>) -> Option<String> {
        match self {
            Database::Sqlite(_) => None,
            Database::Postgres(cluster) => {
                Some(cluster.url_by(link.map_or(cluster.address(), TcpLink::addr)))
            }
        }
    }

    /// Opens it as the product does. Of a SQLite file nobody else should be writing.
    pub async fn open(&self) -> anyhow::Result<Store> {
        Ok(match self {
            Database::Sqlite(data) => Store::sqlite(&data.join("sextant.db")).await?,
            Database::Postgres(cluster) => Store::postgres(&cluster.url()).await?,
        })
    }

    /// Opens it only to read: also beside a collector, or after one that was killed, which leaves its traces as they are.
    pub async fn read(&self) -> anyhow::Result<Store> {
        let place = match self {
            Database::Sqlite(data) => Place::Sqlite(data.join("sextant.db")),
            Database::Postgres(cluster) => Place::Postgres(cluster.url()),
        };
        Ok(Store::read_only(&place).await?)
    }

    /// The cluster, to break it and to look at its rows.
    pub fn cluster(&mut self) -> anyhow::Result<&mut Cluster> {
        match self {
            Database::Sqlite(_) => None,
            Database::Postgres(cluster) => Some(cluster),
        }
        .context("this world has no PostgreSQL")
    }
}
