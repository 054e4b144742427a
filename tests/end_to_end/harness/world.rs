//! A whole Sextant: a shop in three regions, its entrance, the collector and a probe in each region.
//!
//! Every request to a region's server crosses a link of its own, which can be cut or swallowed. Names are not
//! resolved: `--resolve` leads the probes to the links.

use super::{
    LONG, Process,
    api::Api,
    config,
    database::{Database, Engine},
    ending::proved,
    entrance::Entrance,
    eventually,
    port::Port,
    process::{print_logs, sextant},
    seat::Seat,
    shop::Shop,
    story::Story,
    witness::{self, Witness},
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
    pub engine: Engine,
    /// Collectors on that database; with SQLite one.
    pub collectors: usize,
    /// Whether the document has the probes of [`World::witness`].
    pub witness: bool,
    /// Whether collectors seal all of the history every second, and tell when they begin to.
    pub busy: bool,
}

impl Default for Setup {
    /// Three probes, and a hold that does not make tests long.
    fn default() -> Self {
        let (hold, engine) = (Some("3s"), Engine::Sqlite);
        Setup { regions: &SHOPS, hold, engine, collectors: 1, witness: false, busy: false }
    }
}

/// Everything that runs. Dropping it kills every process and prints their logs (which the test runner shows only
/// when the test fails).
pub struct World {
    pub entrance: Entrance,
    pub(super) shops: BTreeMap<RegionId, Shop>,
    /// From each probe (and from the entrance, `None`) to each region's server.
    links: BTreeMap<(Option<RegionId>, RegionId), TcpLink>,
    /// The collectors' places, in the order in which probes try them.
    seats: Vec<Seat>,
    /// Which of them [`World::api`] asks.
    asked: usize,
    pub database: Database,
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
        for probe in (0..witness::PROBES).map(config::witness).filter(|_| setup.witness) {
            config::secret("token", &folder.path().join(format!("{probe}.token"))).await?;
        }
        let entrance = Entrance::open(&key, upstreams).await?;
        let document = folder.path().join("sextant.yaml");
        config::write(&document, &setup, &regions[..SHOPS.len()], entrance.webhook()).await?;
        let data = |index: usize| folder.path().join(["collector", "collector-2", "collector-3"][index]);
        let database = Database::start(setup.engine, &data(0));
        let mut seats = Vec::new();
        for index in 0..setup.collectors {
            let link = database.link().await?;
            let url = database.url(link.as_ref());
            let data = data(index);
            let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut seat = Seat::new(name, data, link, url)?;
            seat.busy = setup.busy;
            seats.push(seat);
        }
        let probes = BTreeMap::new();
        Ok(World {
            folder,
            entrance,
            shops,
            links,
            seats,
            asked: 0,
            database,
            probe_ports,
            probes,
            _room: room,
        })
    }

    /// Starts everything, and waits until it is steady (see [`World::settle`]).
    pub async fn start(setup: Setup) -> anyhow::Result<World> {
        let mut world = World::prepare(setup).await?;
        world.start_all().await?;
        Ok(world)
    }

    /// Starts the collectors and the probes of a world that was prepared, and waits until it is steady.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        for seat in 0..self.seats.len() {
            self.start_seat(seat).await?;
        }
        self.start_probes().await?;
        self.settle().await;
        Ok(())
    }

    /// Starts the probe of each region.
    pub async fn start_probes(&mut self) -> anyhow::Result<()> {
        let regions: Vec<RegionId> = self.probe_ports.keys().cloned().collect();
        for region in &regions {
            self.start_probe(region).await?;
        }
        Ok(())
    }

    /// Keeps the data of the first collector in another folder. Call it before anything is started.
    pub fn keep_data_in(&mut self, folder: &Path) {
        self.seats[0].data = folder.to_owned();
        if let Database::Sqlite(data) = &mut self.database {
            *data = folder.to_owned();
        }
    }

    /// Starts the collector on the world's data and port, and waits until it is ready.
    pub async fn start_collector(&mut self) -> anyhow::Result<()> {
        self.start_seat(0).await
    }

    /// Starts the collector of a seat, and waits until it is ready.
    pub async fn start_seat(&mut self, seat: usize) -> anyhow::Result<()> {
        self.spawn_seat(seat)?;
        self.seats[seat].wait_until_ready().await
    }

    /// Starts the collector of a seat, without waiting for it.
    pub fn spawn_seat(&mut self, seat: usize) -> anyhow::Result<&mut Process> {
        let (document, logs) = (self.path("sextant.yaml"), self.logs());
        self.seats[seat].spawn(&document, &logs)
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
        let collectors: Vec<String> =
            self.seats.iter().map(|seat| format!("http://{}", seat.port.address)).collect();
        command.arg("--collector").arg(collectors.join(","));
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

    /// The REST API, of the first collector unless [`World::ask`] says otherwise.
    pub fn api(&self) -> &Api {
        &self.seats[self.asked].api
    }

    /// Says which collector is asked from now on.
    pub fn ask(&mut self, seat: usize) {
        self.asked = seat;
    }

    /// The place of a collector.
    pub fn seat(&mut self, seat: usize) -> &mut Seat {
        &mut self.seats[seat]
    }

    /// Begins to report as several more probes, and to remember what was acknowledged.
    pub fn witness(&self, seed: u64) -> anyhow::Result<Witness> {
        let collectors: Vec<SocketAddr> = self.seats.iter().map(|seat| seat.port.address).collect();
        Witness::start(self.folder.path(), &collectors, seed)
    }

    /// The API of a probe.
    pub fn probe_api(&self, region: &RegionId) -> anyhow::Result<Api> {
        Api::new(self.probe_ports[region].address)
    }

    /// The shop with its verdicts and its plan.
    pub async fn service(&self) -> anyhow::Result<ServiceView> {
        self.api().get("/api/v1/services/shop").await
    }

    /// The plan in force.
    pub async fn plan(&self) -> anyhow::Result<PlanView> {
        self.api().get("/api/v1/services/shop/plan").await
    }

    /// The timeline, oldest first.
    pub async fn story(&self) -> anyhow::Result<Story> {
        self.api().story().await
    }

    /// A region's server.
    pub fn shop(&mut self, region: &RegionId) -> &mut Shop {
        self.shops.get_mut(region).expect("a region with a shop")
    }

    /// The collector's process.
    pub fn collector(&mut self) -> &mut Process {
        self.seats[0].process()
    }

    /// Takes the collectors' processes out of their seats, so that they can be stopped for good.
    pub(super) fn leave_seats(&mut self) -> Vec<Process> {
        self.seats.iter_mut().filter_map(Seat::leave).collect()
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
        self.seats[0].data.clone()
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
