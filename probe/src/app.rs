//! One probe: its parts, put together, run and stopped.

use crate::{
    capacity::Capacity,
    collect, health, kept,
    link::Link,
    mesh::Participant,
    metrics::Metrics,
    net::{Net, NetError},
    pacer::Pacer,
    residency::{self, Keeper},
    runner::{Runner, Shared},
    secrets::{Secrets, SecretsError},
    selfcheck::{self, Condition, Control},
    settings::Settings,
    spool::{SharedSpool, SpoolError},
    stream::Stream,
    uplink::Uplink,
};
use runtime::{
    clock::SharedClock,
    random::Random,
    tasks::{Stage, Stopped, Tasks},
};
use std::{
    collections::HashSet,
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};
use url::Url;
use wire::{assignment::Assignment, problem::Problem};

/// How long a collector may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Samples on their way to the spool.
const SAMPLES: usize = 16_384;
/// Orders on their way to the pacer.
const ORDERS: usize = 64;
/// How long a stop may take: 5 s for runs, then the disk, then 3 s for the last try to send.
const GRACE: Duration = Duration::from_secs(15);

/// Why a probe cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("no collector is given: name at least one, for example https://sextant.example.org")]
    NoCollector,
    #[error(
        "{0} is not a collector's address: use http:// or https://, a host, and no user name or password"
    )]
    Collector(String),
    #[error("the token is empty or holds characters that no token has")]
    Token,
    #[error("cannot create the data folder {}: choose another with write permission", path.display())]
    Data { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("cannot set up the network for checks")]
    Net(#[from] NetError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("cannot set up the connection to the collector")]
    Client(#[source] reqwest::Error),
    #[error("cannot listen on {addr}: is the port in use, or is another address meant?")]
    Listen { addr: SocketAddr, source: io::Error },
}

/// Why a probe stopped other than by being asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// At the first contact; later the probe goes on by itself.
    #[error("the collector refuses this probe: correct the token or the region ({0})")]
    Refused(Problem),
    #[error("cannot answer on the health port")]
    Listener(#[source] io::Error),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A probe that is ready to run.
pub struct App {
    settings: Settings,
    clock: SharedClock,
    random: Random,
    net: Net,
    link: Arc<Link>,
    spool: SharedSpool,
    kept: Option<Assignment>,
    listener: Option<TcpListener>,
}

impl App {
    /// Opens everything that can fail, so that a mistake in the settings is an error at the start. Blocks on the
    /// disk for a moment.
    ///
    /// # Errors
    /// When a setting is wrong, the data folder is in use or not writable, or the port is in use.
    pub fn build(settings: Settings, clock: SharedClock, random: Random) -> Result<Self, BuildError> {
        check_collectors(&settings.collectors)?;
        if settings.token.reveal().is_empty()
            || !settings.token.reveal().bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(BuildError::Token);
        }
        let secrets = settings.secrets.as_deref().map(Secrets::load).transpose()?.unwrap_or_default();
        for warning in secrets.warnings() {
            warn!("{warning}");
        }
        let net = Net::new(settings.resolve.clone())?.with_secrets(secrets);
        let client = runtime::tls::http_client(CONNECT).map_err(BuildError::Client)?;
        let data = &settings.data;
        // The kept assignment holds the headers of checks, which nobody else needs to read.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .map_err(|source| BuildError::Data { path: data.clone(), source })?;
        let spool = SharedSpool::open(data.join("spool"), settings.spool_bytes, clock.clone())?;
        let kept = kept::load(data, &settings.region);
        let bind = |addr| {
            let listener = TcpListener::bind(addr)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = settings
            .listen
            .map(|addr| bind(addr).map_err(|source| BuildError::Listen { addr, source }))
            .transpose()?;
        let link = Arc::new(Link::new(client, settings.collectors.clone(), settings.token.clone()));
        Ok(Self { settings, clock, random, net, link, spool, kept, listener })
    }

    /// Where it answers about its health; tells the port when 0 was asked for.
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// Runs until `stop` completes. Then it starts no more runs, gives those under way up to 5 s, writes their
    /// samples to the disk, and tries for up to 3 s to send what is there.
    ///
    /// # Errors
    /// When the first collector that is reached refuses this probe, or a part of the probe failed.
    pub async fn run(self, stop: impl Future) -> Result<(), RunError> {
        let Self { settings, clock, random, net, link, spool, kept, listener } = self;
        let metrics = Metrics::new(&settings.region, spool.gauges());
        let (take, taken) = mpsc::channel(SAMPLES);
        let (order, orders) = mpsc::channel(ORDERS);
        let (assign, assigned) = watch::channel(None);
        let secrets = net.secrets().clone();
        let condition = Condition::default();
        let mesh_net = net.clone();
        let (mesh_trouble, mesh) = watch::channel(None);
        let shared = Shared {
            net,
            clock: clock.clone(),
            random: random.clone(),
            metrics: metrics.clone(),
            out: take,
            spool: spool.clone(),
            condition: condition.clone(),
        };
        let capacity = Capacity::of_this_process(settings.runs_most);
        info!(runs = capacity.runs, "at most so many runs at one time, as {} allows", capacity.set_by);
        let runner = Runner::new(shared, capacity);
        let mut controls: Vec<Control> = settings.collectors.iter().filter_map(Control::of).collect();
        controls.extend(settings.control);
        // The same place twice is one witness.
        let mut seen = HashSet::new();
        controls.retain(|control| seen.insert(control.clone()));
        let pacer = Pacer::new(clock.clone(), metrics.clone(), runner, orders, assign);
        let stream = Stream {
            link: link.clone(),
            region: settings.region.clone(),
            data: settings.data.clone(),
            clock: clock.clone(),
            random: random.clone(),
            metrics: metrics.clone(),
            orders: order,
            current: kept.clone().map(Arc::new),
        };
        let participant = Participant {
            region: settings.region.clone(),
            random: random.clone(),
            net: mesh_net,
            metrics: metrics.clone(),
            spool: spool.clone(),
            assigned: assigned.clone(),
            trouble: mesh_trouble,
        };
        let keeper = Keeper::new(
            settings.data.join(residency::FOLDER),
            settings.evidence,
            clock.clone(),
            random.clone(),
        );
        let uplink = Uplink::new(link.clone(), spool.clone(), clock.clone(), random, metrics.clone());

        let listener = match listener {
            Some(listener) => Some(tokio::net::TcpListener::from_std(listener).map_err(RunError::Listener)?),
            None => None,
        };
        let kept_samples = spool.clone();
        let gauges = spool.gauges();
        // Beside the work: a command that hangs delays no check but those that need it.
        tokio::spawn(async move { secrets.try_all().await });
        let tasks = Tasks::default();
        tasks.spawn(Stage::Intake, "pacer", |stop| pacer.run(kept, stop));
        tasks.spawn(Stage::Intake, "stream", |stop| stream.run(stop));
        let (at, own) = (settings.region, condition.clone());
        tasks.spawn(Stage::Intake, "self check", |stop| selfcheck::run(controls, at, clock, own, stop));
        tasks.spawn(Stage::Work, "mesh", |stop| participant.run(stop));
        tasks.spawn(Stage::Work, "collect", |stop| collect::run(taken, spool, keeper, stop));
        tasks.spawn(Stage::Output, "uplink", |stop| uplink.run(stop));
        if let Some(listener) = listener {
            tasks.spawn(Stage::Output, "health", |stop| {
                health::serve(
                    listener,
                    health::Health { assigned, metrics, condition, spool: kept_samples, mesh },
                    stop,
                )
            });
        }
        let asked = async {
            tokio::select! {
                _ = stop => {}
                () = link.refused() => {}
            }
        };
        let end = tasks.run_until(asked, GRACE).await;
        let held = gauges.held.load(Ordering::Relaxed);
        if held > 0 {
            error!(
                samples = held,
                "samples are lost: neither the disk nor a collector took them before the stop"
            );
        }
        match link.refusal() {
            Some(problem) => Err(RunError::Refused(problem)),
            None => Ok(end?),
        }
    }
}

fn check_collectors(collectors: &[Url]) -> Result<(), BuildError> {
    if collectors.is_empty() {
        return Err(BuildError::NoCollector);
    }
    let good = |url: &&Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match collectors.iter().find(|url| !good(url)) {
        // The path and the rest may hold a password.
        Some(url) => {
            Err(BuildError::Collector(format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())))
        }
        None => Ok(()),
    }
}
