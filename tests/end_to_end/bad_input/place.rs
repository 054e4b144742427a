//! A folder with a small valid configuration and its secrets, and a collector that runs on it.

use super::program::Program;
use anyhow::Context;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::time::{Instant, interval};

/// Tokens that must never be printed.
pub const NORTH: &str = "sxt_north_0123456789abcdef0123456789abcdef";
pub const SOUTH: &str = "sxt_south_0123456789abcdef0123456789abcdef";
/// A webhook key that must never be printed.
pub const KEY: &str = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0MjQyNDI=";

/// How long the collector may take to do what normally takes a moment.
pub const SOON: Duration = Duration::from_secs(60);

const CONFIG: &str = "\
version: 1
regions: { north: {}, south: {} }
probes:
  probe-north: { region: north, token: { file: north.token } }
  probe-south: { region: south, token: { file: south.token } }
services:
  shop:
    public: http://127.0.0.1:1
    region_header: x-region
    regions: { north: http://127.0.0.1:1/north, south: http://127.0.0.1:1/south }
    receivers: [entrance]
checks:
  health: { service: shop, http: { path: /health } }
  from-north: { service: shop, http: { path: /health }, from: [north] }
  public: { service: shop, http: { path: / }, to: public }
receivers:
  # Nobody listens on port 1.
  entrance: { webhook: http://127.0.0.1:1/steer, secret: { file: entrance.whsec } }
";

/// A folder that is removed at the end.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// With a valid configuration.
    pub fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a temporary folder") };
        let files = [
            ("sextant.yaml", CONFIG),
            ("north.token", NORTH),
            ("south.token", SOUTH),
            ("entrance.whsec", KEY),
        ];
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).expect("a temporary folder can be written to");
    }

    /// The arguments of a collector on this folder.
    pub fn collector_args(&self) -> Vec<&'static str> {
        vec!["collector", "--config", "sextant.yaml", "--data", "data", "--listen", "127.0.0.1:0"]
    }

    /// Starts a collector and waits until it listens.
    pub async fn collector(&self) -> Collector {
        let mut program = Program::start(self.path(), &self.collector_args());
        let url = program.dashboard().await;
        runtime::tls::install();
        let client = runtime::tls::http_client(SOON).expect("a client");
        Collector { program, url, client }
    }
}

/// A collector that listens.
pub struct Collector {
    pub program: Program,
    pub url: String,
    client: Client,
}

impl Collector {
    pub async fn send(&self, method: Method, path: &str) -> anyhow::Result<Response> {
        Ok(self.client.request(method, format!("{}{path}", self.url)).send().await?)
    }

    /// The JSON of a resource that must be there.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(Method::GET, path).await?.error_for_status()?.json().await?)
    }

    /// The first page.
    pub async fn html(&self) -> anyhow::Result<String> {
        Ok(self.send(Method::GET, "/").await?.error_for_status()?.text().await?)
    }

    /// Posts a body where reports are taken.
    pub async fn report(&self, token: &str, body: impl Into<reqwest::Body>) -> anyhow::Result<Response> {
        let request = self.client.post(format!("{}/api/v1/reports", self.url)).body(body);
        Ok(request.bearer_auth(token).header("content-type", "application/json").send().await?)
    }

    /// Posts a batch and expects it to be taken.
    pub async fn accept(&self, token: &str, batch: &Value) -> anyhow::Result<()> {
        let answer = self.report(token, batch.to_string()).await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status == 200, "{status}: {text}");
        Ok(())
    }

    /// Looks until it is there.
    pub async fn eventually<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut(&Collector) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + SOON;
        let mut tick = interval(Duration::from_millis(50));
        loop {
            tick.tick().await;
            match look(self).await.with_context(|| format!("while waiting for {what}"))? {
                Some(found) => return Ok(found),
                None => anyhow::ensure!(Instant::now() < deadline, "no {what} within {SOON:?}"),
            }
        }
    }

    /// Proves that it still takes reports, and that what is decided on follows from them.
    pub async fn still_decides(&mut self) -> anyhow::Result<()> {
        let mark = format!("mark {}", now());
        let mut sample = sample("health", "south", "ok");
        sample["evidence"] = json!({ "summary": mark });
        self.accept(SOUTH, &batch("probe-south", vec![sample])).await?;
        self.eventually("newest run in the series", async |collector| {
            let series = collector.get("/api/v1/services/shop/series").await?;
            Ok(series.to_string().contains(&mark).then_some(()))
        })
        .await?;
        anyhow::ensure!(self.send(Method::GET, "/readyz").await?.status() == 200, "it is not ready");
        anyhow::ensure!(self.program.runs() && !self.program.said().contains("panicked"), "it panicked");
        Ok(())
    }
}

/// Microseconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 292000")
}

/// A run that was just made.
pub fn sample(check: &str, target: &str, outcome: &str) -> Value {
    let outcome = if outcome == "ok" { json!("ok") } else { json!({ "fail": outcome }) };
    json!({
        "check": check, "target": target, "scheduled": now(), "started": now(), "total_us": 1000, "outcome": outcome,
    })
}

/// A batch of one report with a number that was not used before.
pub fn batch(probe: &str, samples: Vec<Value>) -> Value {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let sequence = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({ "sent": now(), "reports": [{ "probe": probe, "sequence": sequence, "samples": samples }] })
}
