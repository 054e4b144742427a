//! Everybody on stage: the lab's world, the collector, and a probe in each region, each behind its own links.

use super::{
    Stage,
    folder::{Folder, probe_host},
    panel::Panel,
};
use anyhow::{Context, anyhow, bail};
use collector::{Collector, board::Board};
use lab::world::{World, WorldConfig};
use probe::{App, Settings, Token, net::Override};
use runtime::{clock::SystemClock, random::Random};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wire::RegionId;

/// The running demo.
pub struct Cast {
    pub world: Arc<World>,
    pub board: Board,
    pub folder: Folder,
    pub dashboard: SocketAddr,
    /// The newest timeline entry that was told.
    told: AtomicI64,
    stop_probes: CancellationToken,
    stop_collector: CancellationToken,
    probes: Mutex<JoinSet<anyhow::Result<()>>>,
    collector: Mutex<JoinSet<anyhow::Result<()>>>,
}

impl Cast {
    /// Starts everybody.
    pub async fn start(stage: &Stage) -> anyhow::Result<Cast> {
        let random = Random::from_os();
        let folder = Folder::prepare(&stage.dir)?;
        let config = WorldConfig::new(stage.seed, folder.webhook_secret(&random)?);
        let regions = ids(&config.regions)?;
        let shops = ids(&config.shop_regions)?;
        let world = Arc::new(World::start(config).await?);
        let mut tokens = Vec::new();
        for region in &regions {
            tokens.push((region.clone(), folder.token(region, &random)?));
        }
        folder.mesh_key(&random)?;
        let mut seats = Vec::new();
        for region in &regions {
            seats.push((region.clone(), free_address()?));
        }
        folder.document(&seats, &shops, world.entrance().addr())?;

        let settings = collector::Settings {
            config: folder.config(),
            data: folder.collector(),
            listen: stage.listen,
            database: None,
            seal_every: collector::history::SEAL_EVERY,
            extra_migrations: Vec::new(),
            lab: Some(Arc::new(Panel::new(Arc::clone(&world), folder.config()))),
        };
        let collector = Collector::build(settings, SystemClock::shared(), random.clone()).await?;
        let (dashboard, board) = (collector.address(), collector.board());
        folder.announce(dashboard)?;
        let (stop_probes, stop_collector) = (CancellationToken::new(), CancellationToken::new());
        let mut collectors = JoinSet::new();
        let stop = stop_collector.clone();
        collectors
            .spawn(async move { collector.run(stop.cancelled()).await.context("the collector failed") });

        let mut probes = JoinSet::new();
        for (region, token) in tokens {
            let probe = start_probe(&world, &folder, dashboard, (&region, &seats), &token, &random).await?;
            let stop = stop_probes.clone();
            probes.spawn(async move {
                probe.run(stop.cancelled()).await.with_context(|| format!("the probe in {region} failed"))
            });
        }
        Ok(Cast {
            world,
            board,
            folder,
            dashboard,
            told: AtomicI64::new(0),
            stop_probes,
            stop_collector,
            probes: Mutex::new(probes),
            collector: Mutex::new(collectors),
        })
    }

    /// The newest timeline entry that was told.
    pub fn told(&self) -> i64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Remembers it, for whoever goes on telling.
    pub fn set_told(&self, id: i64) {
        self.told.store(id, Ordering::Relaxed);
    }

    /// Completes when a part of the cast ends although nobody asked it to.
    pub async fn ended(&self) -> anyhow::Result<()> {
        let (mut probes, mut collector) = (self.probes.lock().await, self.collector.lock().await);
        let ended = tokio::select! {
            Some(ended) = probes.join_next() => ended,
            Some(ended) = collector.join_next() => ended,
        };
        ended??;
        Err(anyhow!("a part of the demo ended early; set SEXTANT_LOG=info to see why"))
    }

    /// Stops probes first, so that their last samples are committed, then the collector.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.world.heal();
        self.stop_probes.cancel();
        let mut probes = self.probes.lock().await;
        while let Some(ended) = probes.join_next().await {
            ended??;
        }
        self.stop_collector.cancel();
        let mut collector = self.collector.lock().await;
        while let Some(ended) = collector.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// A production probe whose every connection crosses the links of its region.
async fn start_probe(
    world: &World,
    folder: &Folder,
    dashboard: SocketAddr,
    (region, seats): (&RegionId, &[(RegionId, SocketAddr)]),
    token: &str,
    random: &Random,
) -> anyhow::Result<App> {
    let uplink = world.link_to_edge(region.as_str(), dashboard).await?;
    let mut resolve = Vec::new();
    for (host, address) in world.resolve_for(region.as_str()).await? {
        resolve.push(format!("{host}={address}").parse::<Override>()?);
    }
    for (other, address) in seats.iter().filter(|(other, _)| other != region) {
        let link = world.wan().connect_udp(region.as_str(), other.as_str(), *address).await?;
        let (host, port) = (probe_host(other), wire::mesh::PORT);
        resolve.push(format!("{host}:{port}={link}").parse::<Override>()?);
    }
    let settings = Settings {
        region: region.clone(),
        collectors: vec![format!("http://{uplink}").parse()?],
        token: Token::new(token),
        data: folder.probe(region),
        resolve,
        listen: None,
        spool_bytes: probe::settings::DEFAULT_SPOOL_BYTES,
        control: Vec::new(),
        runs_most: None,
        secrets: None,
        evidence: Default::default(),
    };
    Ok(App::build(settings, SystemClock::shared(), random.clone())?)
}

/// An address of this machine whose port is free for UDP and for TCP. Somebody else may take it before the probe does;
/// then its part of the mesh is not measured, and the log says so.
fn free_address() -> anyhow::Result<SocketAddr> {
    const TRIES: u8 = 20;
    for _ in 0..TRIES {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = udp.local_addr()?;
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of 127.0.0.1 is free for UDP and TCP: stop some programs and start the demo again")
}

fn ids(names: &[String]) -> anyhow::Result<Vec<RegionId>> {
    names.iter().map(|name| Ok(name.parse()?)).collect()
}
