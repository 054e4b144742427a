//! A small shop, deployed once in each region: products, carts, and carts copied to the other regions a little
//! later. It is what the demo breaks.
//!
//! The HTTP server listens on a private port behind a [`TcpLink`] without delay, because that link already knows
//! how to refuse connections and to swallow them.

mod api;
mod cart;
mod mode;
mod outbox;
mod replicate;

pub(crate) use api::X_REGION;
pub use cart::{CartView, LineView};
pub use mode::Mode;
pub use outbox::PeerStats;

use crate::{
    http::{client, lock},
    link::{LinkControl, Shape, TcpLink, any_port},
};
use cart::Store;
use outbox::Outbox;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use wire::RegionId;

/// How long a write waits before it is sent to the other regions, unless told otherwise.
pub const REPLICATION_DELAY: Duration = Duration::from_millis(50);
/// How long a peer may take to connect, and to answer.
const PEER_CONNECT: Duration = Duration::from_millis(1500);
const PEER_ANSWER: Duration = Duration::from_secs(5);

/// What a shop did since it started.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ShopStats {
    pub region: RegionId,
    /// `normal`, `errors`, `slow 1500ms`, `stopped` or `hang`.
    pub mode: String,
    /// Requests of every kind, replication included.
    pub requests: u64,
    pub carts: usize,
    pub replication_delay_ms: u64,
    /// Entries that wait for any peer.
    pub backlog: usize,
    /// Age of the oldest of them, milliseconds.
    pub oldest_ms: u64,
    pub peers: BTreeMap<RegionId, PeerStats>,
}

/// What the handlers of a shop share.
struct Inner {
    region: RegionId,
    mode: Mutex<Mode>,
    store: Mutex<Store>,
    requests: AtomicU64,
    peers: Mutex<BTreeMap<RegionId, Peer>>,
    delay: watch::Sender<Duration>,
}

/// Where copies for one region wait, and the task that sends them.
struct Peer {
    outbox: Arc<Outbox>,
    _task: AbortOnDropHandle<()>,
}

/// A running shop. Dropping it closes its port and its connections.
pub struct Shop {
    inner: Arc<Inner>,
    addr: SocketAddr,
    front: LinkControl,
    client: reqwest::Client,
    _door: TcpLink,
    _stop: DropGuard,
}

impl Shop {
    /// Starts a shop. Port 0 takes a free port. It has no peers yet.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(region: RegionId, listen: SocketAddr) -> io::Result<Shop> {
        let inner = Arc::new(Inner {
            region,
            mode: Mutex::new(Mode::Normal),
            store: Mutex::default(),
            requests: AtomicU64::new(0),
            peers: Mutex::default(),
            delay: watch::Sender::new(REPLICATION_DELAY),
        });
        let private = TcpListener::bind(any_port()).await?;
        let door = TcpLink::open(listen, private.local_addr()?, Shape::default(), Shape::default(), 0)?;
        let client = client(PEER_CONNECT, PEER_ANSWER).map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        let serve = axum::serve(private, api::router(inner.clone()))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "a shop stopped serving");
            }
        });
        let (addr, front) = (door.addr(), door.control());
        Ok(Shop { inner, addr, front, client, _door: door, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The region it serves.
    pub fn region(&self) -> &RegionId {
        &self.inner.region
    }

    /// Sets where carts are copied to: the regions with the base URLs (`http://host:port`) of their shops. What
    /// waits for a region that stays is kept.
    pub fn set_peers(&self, peers: Vec<(RegionId, String)>) {
        let mut present = lock(&self.inner.peers);
        let mut before = std::mem::take(&mut *present);
        for (region, base) in peers.into_iter().filter(|(region, _)| *region != self.inner.region) {
            let outbox = before.remove(&region).map_or_else(Arc::default, |peer| peer.outbox);
            let delay = self.inner.delay.subscribe();
            let task = replicate::run(outbox.clone(), base, delay, self.client.clone());
            let task = AbortOnDropHandle::new(tokio::spawn(task));
            present.insert(region, Peer { outbox, _task: task });
        }
    }

    /// Breaks or repairs it, within a scheduler turn.
    pub fn set_mode(&self, mode: Mode) {
        *lock(&self.inner.mode) = mode;
        self.front.set_fault(mode.fault());
    }

    /// How long each write waits before it is sent to the peers; also for those that wait already.
    pub fn set_replication_delay(&self, delay: Duration) {
        self.inner.delay.send_replace(delay);
    }

    /// What it did and what waits.
    pub fn stats(&self) -> ShopStats {
        let peers: BTreeMap<_, _> = lock(&self.inner.peers)
            .iter()
            .map(|(region, peer)| (region.clone(), peer.outbox.stats()))
            .collect();
        ShopStats {
            region: self.inner.region.clone(),
            mode: lock(&self.inner.mode).to_string(),
            requests: self.inner.requests.load(Relaxed),
            carts: lock(&self.inner.store).len(),
            replication_delay_ms: outbox::millis(*self.inner.delay.borrow()),
            backlog: peers.values().map(|peer| peer.backlog).sum(),
            oldest_ms: peers.values().map(|peer| peer.oldest_ms).max().unwrap_or(0),
            peers,
        }
    }
}
