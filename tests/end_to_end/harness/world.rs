//! A whole Sextant: a shop in three regions, its entrance, the collector and a probe in each region.
//!
//! Every request to a region's server crosses a link of its own, which can be cut or swallowed. Names are not
//! resolved: `--resolve` leads the probes to the links.

use super::{
    LONG, Process,
    api::Api,
    config,
    ending::proved,
    entrance::Entrance,
    eventually,
    port::Port,
    process::{print_logs, sextant},
    shop::Shop,
    story::Story,
};
use anyhow::{Context, ensure};
use lab::link::{Fault, Shape, TcpLink};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio::{
    process::Command,
    sync::{Semaphore, SemaphorePermit},
};
use wire::{
    RegionId,
    view::{PlanView, ServiceView, VerdictState},
};

/// Where the shop runs.
pub const SHOPS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-northeast-1"];
/// Worlds at a time; each is ten processes.
static ROOM: Semaphore = Semaphore::const_new(2);

/// What a world is made of.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Regions with a probe; the first three have a shop too.
    pub regions: &'static [&'static str],
    /// `steering.hold`; `None` leaves the default of production.
    pub hold: Option<&'static str>,
}

impl Default for Setup {
    /// Three probes, and a hold that does not make tests long.
    fn default() -> Self {
        Setup { regions: &SHOPS, hold: Some("3s") }
    }
}

/// Everything that runs. Dropping it kills every process and prints their logs (which the test runner shows only
/// when the test fails).
pub struct World {
    pub entrance: Entrance,
    pub(super) shops: BTreeMap<RegionId, Shop>,
    /// From each probe (and from the entrance, `None`) to each region's server.
    links: BTreeMap<(Option<RegionId>, RegionId), TcpLink>,
    port: Port,
    api: Api,
    collector: Option<Process>,
    probe_ports: BTreeMap<RegionId, Port>,
    pub(super) probes: BTreeMap<RegionId, Process>,
    /// Below those who write there, because fields are dropped from above.
    folder: TempDir,
    _room: SemaphorePermit<'static>,
}

/// An id from a text of the test.
pub fn id<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> T {
    text.to_owned().try_into().expect("tests use proper ids")
}

impl World {
    /// Starts the shop and its entrance, and writes the configuration. Collector and probes do not run yet.
    pub async fn prepare(setup: Setup) -> anyhow::Result<World> {
        let room = ROOM.acquire().await?;
        let folder = tempfile::Builder::new().prefix("sextant-world-").tempdir()?;
        let logs = folder.path().join("logs");
        fs::create_dir(&logs)?;
        let regions: Vec<RegionId> = setup.regions.iter().map(|region| id(region)).collect();
        let (mut shops, mut links, mut upstreams) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for region in &regions[..SHOPS.len()] {
            let shop = Shop::start(region.clone(), &logs).await?;
            for from in regions.iter().cloned().map(Some).chain([None]) {
                let link = TcpLink::listen(shop.address(), Shape::default(), Shape::default(), 0).await?;
                if from.is_none() {
                    upstreams.insert(region.clone(), link.addr());
                }
                links.insert((from, region.clone()), link);
            }
            shops.insert(region.clone(), shop);
        }
        let key = config::secret("webhook", &folder.path().join("entrance.whsec")).await?;
        let mut probe_ports = BTreeMap::new();
        for region in &regions {
            config::secret("token", &folder.path().join(format!("{region}.token"))).await?;
            probe_ports.insert(region.clone(), Port::reserve()?);
        }
        let entrance = Entrance::open(&key, upstreams).await?;
        let document = folder.path().join("sextant.yaml");
        config::write(&document, &setup, &regions[..SHOPS.len()], entrance.webhook()).await?;
        let port = Port::reserve()?;
        let api = Api::new(port.address)?;
        let (collector, probes) = (None, BTreeMap::new());
        Ok(World { folder, entrance, shops, links, port, api, collector, probe_ports, probes, _room: room })
    }

    /// Starts everything, and waits until it is steady (see [`World::settle`]).
    pub async fn start(setup: Setup) -> anyhow::Result<World> {
        let mut world = World::prepare(setup).await?;
        world.start_collector().await?;
        for region in setup.regions {
            world.start_probe(&id(region)).await?;
        }
        world.settle().await;
        Ok(world)
    }

    /// Starts the collector on the world's data and port, and waits until it is ready.
    pub async fn start_collector(&mut self) -> anyhow::Result<()> {
        let process = Process::start("collector", &self.logs(), self.collector_command(self.port.address))?;
        let process = self.collector.insert(process);
        let api = &self.api;
        eventually("the collector is ready", LONG, async || {
            process.check_running()?;
            api.text("/readyz").await
        })
        .await;
        let said = format!("Sextant's dashboard: http://{}/", self.port.address);
        ensure!(process.stdout().contains(&said), "the collector said {:?}", process.stdout());
        Ok(())
    }

    /// The command of a collector on the world's configuration and data.
    pub fn collector_command(&self, listen: SocketAddr) -> Command {
        let mut command = sextant();
        command.arg("collector").arg("--config").arg(self.path("sextant.yaml"));
        command.arg("--data").arg(self.data()).arg("--listen").arg(listen.to_string());
        command
    }

    /// Starts the probe of a region.
    pub async fn start_probe(&mut self, region: &RegionId) -> anyhow::Result<()> {
        let mut command = sextant();
        command.args(["probe", "--region", region.as_str()]);
        command.arg("--collector").arg(format!("http://{}", self.port.address));
        command.arg("--token-file").arg(self.path(&format!("{region}.token")));
        command.arg("--data").arg(self.probe_data(region));
        command.arg("--listen").arg(self.probe_ports[region].address.to_string());
        command.arg(format!("--resolve={}:80={}", config::PUBLIC_HOST, self.entrance.address()));
        for shop in self.shops.keys() {
            let link = self.links[&(Some(region.clone()), shop.clone())].addr();
            command.arg(format!("--resolve={}:80={link}", config::shop_host(shop)));
        }
        let process = Process::start(&format!("probe-{region}"), &self.logs(), command)?;
        self.probes.insert(region.clone(), process);
        Ok(())
    }

    /// Waits until every region is healthy and traffic was measured to follow the plan in force. Returns it.
    pub async fn settle(&self) -> PlanView {
        eventually("all is healthy and proved", LONG, async || {
            let service = self.service().await?;
            let sick = service.regions.iter().find(|region| region.verdict.state != VerdictState::Healthy);
            ensure!(sick.is_none(), "{sick:?}");
            proved(service.plan.context("no plan yet")?)
        })
        .await
    }

    /// The REST API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The API of a probe.
    pub fn probe_api(&self, region: &RegionId) -> anyhow::Result<Api> {
        Api::new(self.probe_ports[region].address)
    }

    /// The shop with its verdicts and its plan.
    pub async fn service(&self) -> anyhow::Result<ServiceView> {
        self.api.get("/api/v1/services/shop").await
    }

    /// The plan in force.
    pub async fn plan(&self) -> anyhow::Result<PlanView> {
        self.api.get("/api/v1/services/shop/plan").await
    }

    /// The timeline, oldest first.
    pub async fn story(&self) -> anyhow::Result<Story> {
        self.api.story().await
    }

    /// A region's server.
    pub fn shop(&mut self, region: &RegionId) -> &mut Shop {
        self.shops.get_mut(region).expect("a region with a shop")
    }

    /// The collector's process.
    pub fn collector(&mut self) -> &mut Process {
        self.collector.as_mut().expect("the collector was started")
    }

    /// A probe's process.
    pub fn probe(&mut self, region: &RegionId) -> &mut Process {
        self.probes.get_mut(region).expect("the probe was started")
    }

    /// Sets what is wrong with every way to a region's server.
    pub fn set_fault(&self, region: &RegionId, fault: Fault) {
        for (_, link) in self.links.iter().filter(|((_, to), _)| to == region) {
            link.control().set_fault(fault);
        }
    }

    /// The collector's data folder.
    pub fn data(&self) -> PathBuf {
        self.path("collector")
    }

    /// Where output goes.
    pub fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// A probe's data folder.
    pub fn probe_data(&self, region: &RegionId) -> PathBuf {
        self.path(&format!("probe-{region}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        print_logs(&self.logs());
    }
}
