//! The composition root: builds every part of a collector, in the order of the data, and runs them.

use crate::{
    api,
    assigned::Assignments,
    board::Board,
    config::{self, Config},
    deliver::{Dispatcher, Receivers},
    exchange::Exchange,
    fold::Fold,
    history::{
        self, History,
        query::{self, Queries},
    },
    hub::Hub,
    ingest::{self, Clocks, Intake, Room, Writer, auth::Tokens},
    mandate::Mandate,
    mesh,
    metrics::Metrics,
    residency::Residency,
    retention, store,
    store::{ExtraMigration, Options, Place, Store},
    tail::Tail,
};
use axum::Router;
use runtime::{
    clock::{SharedClock, SteadyClock},
    random::Random,
    tasks::{Stage, Stopped, Tasks},
};
use std::{
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

/// How long a stop may take.
const GRACE: Duration = Duration::from_secs(20);

/// The settings of a collector process.
#[derive(Clone)]
pub struct Settings {
    /// The configuration document.
    pub config: PathBuf,
    /// The folder for the database and the lock.
    pub data: PathBuf,
    /// Where pages, API and reports are served.
    pub listen: SocketAddr,
    /// A PostgreSQL URL, instead of SQLite in the data folder.
    pub database: Option<String>,
    /// How often each part of the history is sealed; [`history::SEAL_EVERY`] unless there is a reason.
    pub seal_every: Duration,
    /// Migrations after those of this program, as the next version would have; for tests of upgrades.
    pub extra_migrations: Vec<ExtraMigration>,
    /// The demo's world, shown as a panel on the first page.
    pub lab: Option<Arc<dyn web::Lab>>,
}

/// Why a collector cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Config(#[from] config::LoadError),
    #[error("secrets are missing:\n{}", .0.join("\n"))]
    Secrets(Vec<String>),
    #[error(
        "cannot use the data folder {path}: make it, and let this user write to it, or name another with --data"
    )]
    Folder { path: PathBuf, source: io::Error },
    #[error(
        "the data folder {path} is in use by another collector: stop that one, or name another with --data"
    )]
    InUse { path: PathBuf },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(
        "cannot listen on {address}: if another program uses the port, stop it or choose another with --listen"
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot build the webhook client")]
    Client(#[from] reqwest::Error),
}

/// What request handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub revision: i64,
    pub store: Store,
    pub tokens: Arc<Tokens>,
    pub intake: Intake,
    pub writer: Writer,
    pub mandate: Mandate,
    pub history: History,
    /// Whether the history in memory is complete.
    pub caught_up: watch::Receiver<bool>,
    pub hub: Hub,
    pub mesh: Arc<mesh::Plans>,
    /// Seals evidence on its way in, and opens it for people.
    pub residency: Arc<Residency>,
    pub board: Board,
    pub queries: Queries,
    pub clock: SharedClock,
    pub metrics: Metrics,
    /// Cancelled when the collector begins to stop: ends streams, so that nobody waits for them.
    pub closing: CancellationToken,
}

/// A collector that is ready to run: the port is bound, the database is open.
pub struct Collector {
    app: App,
    tasks: Tasks,
    listener: TcpListener,
    address: SocketAddr,
    lab: Option<Arc<dyn web::Lab>>,
    /// Held as long as the process lives, so that two collectors never share a folder.
    _lock: File,
}

impl Collector {
    /// Reads the configuration, opens the database, binds the port, and starts what works behind it.
    ///
    /// # Errors
    /// When any of that fails; the message says what to do.
    pub async fn build(
        settings: Settings,
        wall: SharedClock,
        random: Random,
    ) -> Result<Collector, BuildError> {
        // Everything is judged by a clock that never goes back; only receivers are told the wall clock's time, because
        // they compare it with their own.
        let clock = SteadyClock::over(wall.clone());
        let (config, document) = config::load(&settings.config)?;
        for warning in config::warnings(&config) {
            tracing::warn!("{warning}");
        }
        let config = Arc::new(config);
        let client = Receivers::client()?;
        let Secrets { tokens, receivers, mesh, residency } = secrets(&config, client, &random)?;
        let lock = lock_folder(&settings.data)?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|source| BuildError::Listen { address: settings.listen, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| BuildError::Listen { address: settings.listen, source })?;
        if !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "everybody who reaches this address can read the dashboard: nothing asks for a password yet"
            );
        }
        let place = match &settings.database {
            Some(url) => Place::Postgres(url.clone()),
            None => Place::Sqlite(settings.data.join("sextant.db")),
        };
        let extra_migrations = settings.extra_migrations;
        let store = Store::open(Options { extra_migrations, ..Options::new(place) }).await?;

        let now = clock.now();
        let (revision, _) = store.revise(&document, now).await?;
        let assignments = Assignments::open(&store, &config, &document).await?;
        let intake = Intake {
            assignments: assignments.clone(),
            clocks: Arc::new(Clocks::default()),
            room: Room::default(),
        };
        let hub = Hub::default();
        let tail = Tail::new(store.clone());
        let mandate = Mandate::default();
        let planned = Arc::new(Notify::new());
        // In containers every collector has the same address and process number.
        let own = format!(
            "{address}, process {}, start {:08x}",
            std::process::id(),
            u32::from_be_bytes(random.bytes())
        );
        let exchange = Exchange::new(store.clone(), hub.clone(), own.clone());
        let history = History::open(store.clone(), assignments, clock.clone()).await?;
        let fold = Fold::new(
            Arc::clone(&config),
            revision,
            store.clone(),
            tail.clone(),
            exchange.clone(),
            clock.clone(),
            mandate.clone(),
            Arc::clone(&planned),
            own,
        )
        .await?;
        let published = fold.published();

        let tasks = Tasks::default();
        let metrics = Metrics::new(published.clone());
        metrics.watch_storage(store.health());
        Metrics::observe_role(mandate.clone());
        Metrics::observe_start(clock.now());
        let changes = count_changes(&tasks, published.clone());
        let board = Board::new(
            Arc::clone(&config),
            revision,
            store.clone(),
            hub.clone(),
            history.clone(),
            clock.clone(),
            published,
            changes,
        );
        let writer = ingest::start(&tasks, store.clone(), tail.clone(), metrics.clone(), mandate.clone());
        let lease = mandate.clone();
        let term: history::Term = Arc::new(move || lease.term());
        let caught_up = history.start(&tasks, tail.clone(), Arc::clone(&term), settings.seal_every);
        let others = tail.clone();
        tasks.spawn(Stage::Intake, "exchange", |stop| exchange.run(others, stop));
        let dispatcher = Dispatcher {
            store: store.clone(),
            receivers: Arc::new(receivers),
            clock: clock.clone(),
            wall,
            random,
            planned,
            tail,
            mandate: mandate.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn(Stage::Output, "dispatcher", |stop| dispatcher.run(stop));
        tasks.spawn(Stage::Output, "decider", |stop| fold.run(stop));
        let keeper = retention::Keeper {
            store: store.clone(),
            retention: config.retention,
            clock: clock.clone(),
            term,
        };
        tasks.spawn(Stage::Intake, "retention", |stop| keeper.run(stop));
        let (healing, ready) = (store.clone(), caught_up.clone());
        let kept = board.clone();
        tasks.spawn(Stage::Intake, "overview", |stop| kept.keep(stop));
        tasks.spawn(Stage::Intake, "storage watch", |stop| healing.watch_over(ready, stop));

        let closing = tasks.stopping(Stage::Intake);
        let tokens = Arc::new(tokens);
        let queries = Queries::new(store.clone(), Arc::clone(&config), query::heads_of(&history));
        let app = App {
            config,
            revision,
            store,
            tokens,
            intake,
            writer,
            mandate,
            history,
            caught_up,
            hub,
            mesh: Arc::new(mesh),
            residency: Arc::new(residency),
            board,
            queries,
            clock,
            metrics,
            closing,
        };
        Ok(Collector { app, tasks, listener, address, lab: settings.lab, _lock: lock })
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The facts that its pages show.
    pub fn board(&self) -> Board {
        self.app.board.clone()
    }

    /// Runs until `asked` completes, then drains: listeners first, the last commit at the end.
    ///
    /// # Errors
    /// When a part of it ended early, or did not stop in time.
    pub async fn run(self, asked: impl Future) -> Result<(), Stopped> {
        let Collector { app, tasks, listener, lab, .. } = self;
        let store = app.store.clone();
        let mandate = app.mandate.clone();
        let closing = app.closing.clone();
        tracing::info!(address = %self.address, revision = app.revision, "collector listens");
        let routes = routes(app, lab);
        tasks.spawn(Stage::Intake, "listener", |stop| async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the listener failed");
            }
        });
        let ended = tasks.run_until(asked, GRACE).await;
        closing.cancel();
        // After the last answer of a receiver was recorded: another collector can decide at once.
        if let Some(term) = mandate.term()
            && let Err(error) = store.release(term).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the lease runs out by itself in some seconds"
            );
        }
        store.close().await;
        ended
    }
}

/// Pages and API on one address.
fn routes(app: App, lab: Option<Arc<dyn web::Lab>>) -> Router {
    let (stopped, stop) = watch::channel(false);
    let closing = app.closing.clone();
    tokio::spawn(async move {
        closing.cancelled().await;
        // An error only says that no page is open.
        let _ = stopped.send(true);
    });
    let site = web::Site { board: Arc::new(app.board.clone()), lab, stop };
    api::router(app)
        .merge(web::router(site))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(api::panicked))
}

/// What is made of the secrets that the configuration names.
struct Secrets {
    tokens: Tokens,
    receivers: Receivers,
    mesh: mesh::Plans,
    residency: Residency,
}

/// Reads all secrets, and tells of all that are missing at once.
fn secrets(config: &Arc<Config>, client: reqwest::Client, random: &Random) -> Result<Secrets, BuildError> {
    let mut problems = Vec::new();
    let tokens = Tokens::read(config).map_err(|found| {
        problems.extend(found.into_iter().map(|(id, problem)| format!("  probe {id}: {problem}")));
    });
    let receivers = Receivers::read(config, client).map_err(|found| {
        problems.extend(found.into_iter().map(|(id, problem)| format!("  receiver {id}: {problem}")));
    });
    let mesh = mesh::Plans::read(config).map_err(|problem| problems.push(format!("  mesh: {problem}")));
    let residency = Residency::read(config, random.clone()).map_err(|found| {
        problems.extend(found.into_iter().map(|(id, problem)| format!("  region {id}: {problem}")));
    });
    match (tokens, receivers, mesh, residency) {
        (Ok(tokens), Ok(receivers), Ok(mesh), Ok(residency)) => {
            Ok(Secrets { tokens, receivers, mesh, residency })
        }
        _ => Err(BuildError::Secrets(problems)),
    }
}

/// Makes the data folder, readable for this user only, and locks it until the file is dropped.
///
/// # Errors
/// When it cannot be made, or another process has the lock.
pub fn lock_folder(path: &Path) -> Result<File, BuildError> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |source| BuildError::Folder { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let lock = File::create(path.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(BuildError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A plain number that grows whenever the published state may have changed.
fn count_changes(
    tasks: &Tasks,
    mut published: watch::Receiver<crate::fold::Published>,
) -> watch::Receiver<u64> {
    let (sender, receiver) = watch::channel(0);
    tasks.spawn(Stage::Intake, "change counter", |stop| async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = published.changed() => {
                    if changed.is_err() {
                        // The decider is gone; the supervisor stops the rest.
                        stop.cancelled().await;
                        return;
                    }
                    let change = published.borrow_and_update().change;
                    sender.send_replace(change);
                }
            }
        }
    });
    receiver
}
