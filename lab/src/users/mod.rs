//! Simulated users: an open loop of requests, so that slow answers do not lower the load, and the count of those
//! that went wrong.

mod ring;

pub use ring::{Bucket, UsersSnapshot};

use crate::{
    entrance::X_TRIED,
    http::{client, lock, now},
    shop::X_REGION,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use ring::Ring;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use wire::{Micros, RegionId};

/// Users lose their patience after this long; that is a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests under way at once; further users stay away and are counted as skipped.
const MAX_IN_FLIGHT: usize = 2048;
/// The highest rate, requests per second.
const MAX_RATE: f64 = 2000.0;
/// The part of the requests that makes a cart.
const CARTS: f64 = 0.1;
/// Regions told apart; further ones are counted as `other`.
const MAX_REGIONS: usize = 16;

/// Why there are no users.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for the users")]
pub struct UsersError(#[from] reqwest::Error);

/// What users met since they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UsersStats {
    /// Requests that ended.
    pub total: u64,
    /// Those that failed: a status of 500 or above, no answer, or an answer after more than 5 s.
    pub failed: u64,
    /// Failed ones by what was wrong: `status`, `timeout` or `transport`.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Requests by the region that answered, or (for answers of the entrance itself) that it tried.
    pub regions: BTreeMap<String, u64>,
    /// Users who stayed away because too many requests were under way.
    pub skipped: u64,
    #[serde(with = "wire::instant::rfc3339::option")]
    pub last_failure: Option<Micros>,
}

#[derive(Default)]
struct Ledger {
    stats: UsersStats,
    ring: Ring,
}

/// Users at work. Dropping it sends them home.
pub struct Users {
    ledger: Arc<Mutex<Ledger>>,
    _task: AbortOnDropHandle<()>,
}

/// How a request ended.
struct Outcome {
    region: Option<String>,
    /// What was wrong.
    failed: Option<&'static str>,
}

impl Users {
    /// Starts users of the shop at `url` (`http://host:port`), who come at random at the given mean rate, 0 to
    /// 2000 per second. Most look at the products, some make a cart.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn start(url: &str, per_second: f64, seed: u64) -> Result<Users, UsersError> {
        let ledger = Arc::<Mutex<Ledger>>::default();
        let rate = if per_second.is_nan() { 0.0 } else { per_second.clamp(0.0, MAX_RATE) };
        let client = client(PATIENCE, PATIENCE)?;
        let url = url.trim_end_matches('/').to_owned();
        let task = tokio::spawn(arrive(client, url, rate, seed, ledger.clone()));
        Ok(Users { ledger, _task: AbortOnDropHandle::new(task) })
    }

    /// The totals.
    pub fn stats(&self) -> UsersStats {
        lock(&self.ledger).stats.clone()
    }

    /// The last two minutes, second by second.
    pub fn snapshot(&self) -> UsersSnapshot {
        lock(&self.ledger).ring.snapshot()
    }
}

async fn arrive(client: reqwest::Client, url: String, rate: f64, seed: u64, ledger: Arc<Mutex<Ledger>>) {
    if rate <= 0.0 {
        return;
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut requests = JoinSet::new();
    let mut next = Instant::now();
    loop {
        // Intervals of a Poisson process: many independent people.
        let gap = -(1.0 - rng.random::<f64>()).ln() / rate;
        next += Duration::try_from_secs_f64(gap).unwrap_or(PATIENCE);
        let cart = rng.random::<f64>() < CARTS;
        sleep_until(next).await;
        while requests.try_join_next().is_some() {}
        if requests.len() >= MAX_IN_FLIGHT {
            lock(&ledger).stats.skipped += 1;
            continue;
        }
        let (client, ledger) = (client.clone(), ledger.clone());
        let request =
            if cart { client.post(format!("{url}/carts")) } else { client.get(format!("{url}/products")) };
        requests.spawn(async move {
            let outcome = visit(request).await;
            lock(&ledger).enter(outcome, now());
        });
    }
}

async fn visit(request: reqwest::RequestBuilder) -> Outcome {
    match request.send().await {
        Ok(answer) => {
            let headers = answer.headers();
            let region = headers.get(X_REGION).or_else(|| headers.get(X_TRIED));
            let region = region.and_then(|name| name.to_str().ok()?.parse::<RegionId>().ok());
            let status = answer.status();
            let failed = match answer.bytes().await {
                _ if status.is_server_error() => Some("status"),
                Ok(_) => None,
                Err(error) => Some(reason(&error)),
            };
            Outcome { region: region.map(String::from), failed }
        }
        Err(error) => Outcome { region: None, failed: Some(reason(&error)) },
    }
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "timeout" } else { "transport" }
}

impl Ledger {
    fn enter(&mut self, outcome: Outcome, at: Micros) {
        let stats = &mut self.stats;
        stats.total += 1;
        if let Some(reason) = outcome.failed {
            stats.failed += 1;
            *stats.reasons.entry(reason).or_default() += 1;
            stats.last_failure = Some(at);
        }
        let region = outcome.region.map(|name| {
            let known = stats.regions.contains_key(&name) || stats.regions.len() < MAX_REGIONS;
            if known { name } else { "other".into() }
        });
        if let Some(region) = &region {
            *stats.regions.entry(region.clone()).or_default() += 1;
        }
        self.ring.enter(at, outcome.failed.is_some(), region);
    }
}
