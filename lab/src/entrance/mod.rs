//! The public entrance: a gateway that spreads its users over the regions by the weights it was last told.
//!
//! It has no health checks on purpose. A region that breaks goes on getting its share of requests, and these
//! fail, until a signed reroute webhook (`POST /_steer`) brings other weights.

mod proxy;
mod signature;
mod steer;
mod weights;

pub(crate) use proxy::X_TRIED;
pub use signature::{BadSecret, BadSignature, Secret};
pub use weights::{EntranceState, Refusals, RegionRequests};

use crate::http::client;
use axum::{Router, extract::DefaultBodyLimit, routing::get};
use proxy::Target;
use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};
use weights::Weights;
use wire::{RegionId, ServiceId};

/// How long a region may take to accept a connection.
const CONNECT: Duration = Duration::from_millis(1500);
/// Requests under way at once; more are refused with 503.
const MAX_IN_FLIGHT: usize = 1024;
/// The largest reroute webhook, bytes.
const MAX_STEER: usize = 64 << 10;

/// Where a region's endpoint is.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The base URL, `http://host[:port][/path]`.
    pub url: String,
    /// Dial this address instead of resolving the host; the `Host` header stays that of the URL.
    pub resolve: Option<SocketAddr>,
}

/// What an entrance needs to know. It has no `Debug`, so that the secret is not printed by accident.
#[derive(Clone)]
pub struct EntranceConfig {
    /// Port 0 takes a free port.
    pub listen: SocketAddr,
    pub service: ServiceId,
    pub upstreams: BTreeMap<RegionId, Upstream>,
    /// `whsec_` and the base64 of the key.
    pub secret: String,
    /// Decides which request goes where.
    pub seed: u64,
    /// How long a region may take to answer in full.
    pub timeout: Duration,
}

impl EntranceConfig {
    /// How long a region may take to answer, unless configured otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(3);
}

/// Why an entrance did not start.
#[derive(Debug, thiserror::Error)]
pub enum EntranceError {
    #[error("an entrance without upstreams serves nobody: give it the endpoint of at least one region")]
    NoUpstreams,
    #[error("the upstream of {region} has the URL {url:?}: use http://host[:port][/path] without a query")]
    Url { region: RegionId, url: String },
    #[error(transparent)]
    Secret(#[from] BadSecret),
    #[error("the entrance cannot listen on {addr}: choose a free port of this machine")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("no HTTP client for the upstreams")]
    Client(#[from] reqwest::Error),
}

/// What the handlers share.
struct Inner {
    service: ServiceId,
    targets: BTreeMap<RegionId, Target>,
    secret: Secret,
    weights: Weights,
    client: reqwest::Client,
    room: Semaphore,
}

/// A running entrance. Dropping it closes its port; requests under way may finish.
pub struct Entrance {
    inner: Arc<Inner>,
    addr: SocketAddr,
    _stop: DropGuard,
}

impl Entrance {
    /// Starts an entrance with a full weight for each region.
    ///
    /// # Errors
    /// For a configuration that cannot work, or when it cannot listen.
    pub async fn start(config: EntranceConfig) -> Result<Entrance, EntranceError> {
        if config.upstreams.is_empty() {
            return Err(EntranceError::NoUpstreams);
        }
        let targets: BTreeMap<_, _> = config
            .upstreams
            .into_iter()
            .map(|(region, upstream)| match Target::new(&upstream) {
                Some(target) => Ok((region, target)),
                None => Err(EntranceError::Url { region, url: upstream.url }),
            })
            .collect::<Result<_, _>>()?;
        let inner = Arc::new(Inner {
            weights: Weights::new(targets.keys().cloned(), config.seed),
            service: config.service,
            targets,
            secret: config.secret.parse()?,
            client: client(CONNECT, config.timeout)?,
            room: Semaphore::new(MAX_IN_FLIGHT),
        });
        let listen = |source| EntranceError::Listen { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let app = Router::new()
            .route("/_steer", get(steer::show).post(steer::take))
            .layer(DefaultBodyLimit::max(MAX_STEER))
            .fallback(proxy::pass)
            .with_state(inner.clone());
        let stop = CancellationToken::new();
        let serve = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the entrance stopped serving");
            }
        });
        Ok(Entrance { inner, addr, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it was told and what it did; the same as `GET /_steer`.
    pub fn state(&self) -> EntranceState {
        self.inner.weights.state(&self.inner.service)
    }
}
