//! The whole world of the demo: shops, network, entrance and users, and the ways to break it.

mod fault;
mod how;
mod status;

pub use how::{How, UnknownHow};
pub use status::{FaultStatus, RegionStatus, WorldStatus};

use crate::{
    entrance::{Entrance, EntranceConfig, EntranceError, Upstream},
    link::any_port,
    shop::Shop,
    users::{Users, UsersError},
    wan::{EDGE, REGIONS, Wan, WanError},
};
use fault::Broken;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use wire::{RegionId, ServiceId};

/// The host name of the public entrance.
pub const PUBLIC_HOST: &str = "shop.demo.test";

/// The host name of a region's shop.
pub fn shop_host(region: &RegionId) -> String {
    format!("shop.{region}.demo.test")
}

/// Why the world cannot be made or changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("a name in the world's configuration is not an id")]
    Id(#[from] wire::id::BadId),
    #[error("there is no region {region:?} in this world: use one of {choices}")]
    UnknownRegion { region: String, choices: String },
    #[error(
        "{region} has no shop, so it cannot be broken by {how}: use partition, or one of the shops of {choices}"
    )]
    NoShop { region: RegionId, how: How, choices: String },
    #[error(transparent)]
    Wan(#[from] WanError),
    #[error("the shop of {region} did not start")]
    Shop { region: RegionId, source: io::Error },
    #[error(transparent)]
    Entrance(#[from] EntranceError),
    #[error(transparent)]
    Users(#[from] UsersError),
}

/// What a world is made of. It has no `Debug`, so that the secret is not printed by accident.
#[derive(Clone)]
pub struct WorldConfig {
    pub seed: u64,
    /// Each must be one of [`REGIONS`].
    pub regions: Vec<String>,
    /// Those with a shop; each must be one of `regions`.
    pub shop_regions: Vec<String>,
    pub service: String,
    /// The secret of the entrance's reroute webhook, `whsec_` and base64.
    pub secret: String,
    /// Where the public entrance listens; port 0 takes a free port of 127.0.0.1.
    pub entrance: SocketAddr,
    pub users_per_second: f64,
}

impl WorldConfig {
    /// Five regions, three shops and 40 users per second.
    pub fn new(seed: u64, secret: impl Into<String>) -> WorldConfig {
        WorldConfig {
            seed,
            regions: REGIONS.map(String::from).to_vec(),
            shop_regions: ["us-east-1", "eu-west-1", "ap-northeast-1"].map(String::from).to_vec(),
            service: "shop".into(),
            secret: secret.into(),
            entrance: any_port(),
            users_per_second: 40.0,
        }
    }
}

/// What breaks and heals; the timers of faults hold it weakly.
struct Inner {
    regions: Vec<RegionId>,
    wan: Wan,
    shops: BTreeMap<RegionId, Shop>,
    broken: Mutex<Broken>,
}

/// A running world. Dropping it stops everything.
pub struct World {
    inner: Arc<Inner>,
    entrance: Entrance,
    users: Users,
}

impl World {
    /// Starts the shops, connects them, and lets the users in.
    ///
    /// # Errors
    /// For a configuration that names what does not exist, or when something cannot start.
    pub async fn start(config: WorldConfig) -> Result<World, WorldError> {
        let regions = ids(&config.regions, &REGIONS)?;
        let shop_regions = ids(&config.shop_regions, &config.regions)?;
        let wan = Wan::new(config.seed);
        let mut shops = BTreeMap::new();
        for region in shop_regions {
            let shop = Shop::start(region.clone(), any_port()).await;
            shops.insert(region.clone(), shop.map_err(|source| WorldError::Shop { region, source })?);
        }
        for (from, shop) in &shops {
            let mut peers = Vec::new();
            for (to, peer) in shops.iter().filter(|(to, _)| *to != from) {
                let addr = wan.connect(from.as_str(), to.as_str(), peer.addr()).await?;
                peers.push((to.clone(), format!("http://{addr}")));
            }
            shop.set_peers(peers);
        }
        let mut upstreams = BTreeMap::new();
        for (region, shop) in &shops {
            let link = wan.connect(EDGE, region.as_str(), shop.addr()).await?;
            let url = format!("http://{}", shop_host(region));
            upstreams.insert(region.clone(), Upstream { url, resolve: Some(link) });
        }
        let entrance = Entrance::start(EntranceConfig {
            listen: config.entrance,
            service: config.service.parse::<ServiceId>()?,
            upstreams,
            secret: config.secret,
            seed: config.seed,
            timeout: EntranceConfig::TIMEOUT,
        })
        .await?;
        let url = format!("http://{}", entrance.addr());
        let users = Users::start(&url, config.users_per_second, config.seed)?;
        let inner = Inner { regions, wan, shops, broken: Mutex::default() };
        Ok(World { inner: Arc::new(inner), entrance, users })
    }

    /// What a vantage at `site` must dial instead of resolving names: `host:port` and the address of its own link.
    ///
    /// # Errors
    /// For an unknown site, or when no link can be made.
    pub async fn resolve_for(&self, site: &str) -> Result<Vec<(String, SocketAddr)>, WorldError> {
        let mut known = Vec::new();
        for (region, shop) in &self.inner.shops {
            let link = self.inner.wan.connect(site, region.as_str(), shop.addr()).await?;
            known.push((format!("{}:80", shop_host(region)), link));
        }
        let public = self.inner.wan.connect(site, EDGE, self.entrance.addr()).await?;
        known.push((format!("{PUBLIC_HOST}:80"), public));
        Ok(known)
    }

    /// The address to dial at `site` for a TCP server at the edge, for example the collector.
    ///
    /// # Errors
    /// For an unknown site, or when no link can be made.
    pub async fn link_to_edge(&self, site: &str, addr: SocketAddr) -> Result<SocketAddr, WorldError> {
        Ok(self.inner.wan.connect(site, EDGE, addr).await?)
    }

    /// The network, for further links.
    pub fn wan(&self) -> &Wan {
        &self.inner.wan
    }

    /// The shop of a region, if it has one.
    pub fn shop(&self, region: &str) -> Option<&Shop> {
        self.inner.shops.iter().find(|(id, _)| id.as_str() == region).map(|(_, shop)| shop)
    }

    /// The public entrance.
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// The users.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Stops everything and returns when the ports of the shops and of the entrance are closed.
    pub async fn shutdown(self) {
        let listening: Vec<_> =
            self.inner.shops.values().map(Shop::addr).chain([self.entrance.addr()]).collect();
        drop(self);
        for addr in listening {
            // Ports close when the runtime drops the tasks that hold them, which takes a moment.
            for _ in 0..100 {
                if tokio::net::TcpStream::connect(addr).await.is_err() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }
}

/// Reads the names of regions, each of which must be among the choices.
fn ids(names: &[String], choices: &[impl AsRef<str>]) -> Result<Vec<RegionId>, WorldError> {
    let choices: Vec<&str> = choices.iter().map(AsRef::as_ref).collect();
    names
        .iter()
        .map(|name| match choices.contains(&name.as_str()) {
            true => Ok(name.parse()?),
            false => Err(WorldError::UnknownRegion { region: name.clone(), choices: choices.join(", ") }),
        })
        .collect()
}
