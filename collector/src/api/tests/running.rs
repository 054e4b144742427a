//! A collector that runs in this process, in a folder of its own.

use crate::{
    Collector, Settings,
    store::{Options, Place, Store},
};
use reqwest::{Client, Response};
use runtime::{
    clock::{Clock, SystemClock},
    random::Random,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

const TOKEN: &str = "sxt_north_0123456789abcdef0123456789abcdef";

const CONFIG: &str = "\
version: 1
regions: { north: {}, south: {} }
probes:
  probe-north: { region: north, token: { file: north.token } }
  probe-south: { region: south, token: { file: north.token } }
services:
  shop:
    regions: { north: http://127.0.0.1:1/north, south: http://127.0.0.1:1/south }
  other:
    regions: { north: http://127.0.0.1:1/other }
checks:
  health: { service: shop, http: { path: /health } }
  from-north: { service: shop, http: { path: /health }, from: [north] }
  elsewhere: { service: other, http: { path: /health } }
";

pub struct Running {
    /// Removed at the end.
    folder: TempDir,
    url: String,
    client: Client,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

/// Microseconds since the epoch.
pub fn now() -> i64 {
    SystemClock.now().0
}

impl Running {
    /// A folder with a configuration.
    pub fn folder() -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let other =
            CONFIG.replace("south, token: { file: north.token }", "south, token: { file: south.token }");
        for (name, text) in [
            ("sextant.yaml", other.as_str()),
            ("north.token", TOKEN),
            ("south.token", "sxt_south_0123456789abcdef"),
        ] {
            fs::write(folder.path().join(name), text).expect("a temporary folder can be written to");
        }
        fs::create_dir(folder.path().join("data")).expect("a temporary folder can be written to");
        folder
    }

    /// The database in a folder, before a collector runs on it.
    pub async fn store(folder: &TempDir) -> Store {
        let place = Place::Sqlite(data(folder.path()).join("sextant.db"));
        Store::open(Options::new(place)).await.expect("a new database")
    }

    pub async fn start(folder: TempDir) -> Running {
        Running::start_on(folder, None).await
    }

    /// Starts one with a PostgreSQL database, if one is named.
    pub async fn start_on(folder: TempDir, database: Option<String>) -> Running {
        runtime::tls::install();
        let settings = Settings {
            config: folder.path().join("sextant.yaml"),
            data: data(folder.path()),
            listen: ([127, 0, 0, 1], 0).into(),
            database,
            seal_every: crate::history::SEAL_EVERY,
            lab: None,
            extra_migrations: Vec::new(),
        };
        let built = Collector::build(settings, SystemClock::shared(), Random::from_os()).await;
        let collector = built.unwrap_or_else(|error| panic!("{error}"));
        let url = format!("http://{}/api/v1", collector.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move { collector.run(stopped).await.expect("it stops in order") });
        let client = runtime::tls::http_client(std::time::Duration::from_secs(60)).expect("a client");
        Running { folder, url, client, stop, ended }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}/{path}", self.url)).send().await.expect("an answer")
    }

    /// What a resource says.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Reports runs as the probe in the north.
    pub async fn report(&self, sequence: i64, samples: Vec<Value>) {
        let report = json!({ "probe": "probe-north", "sequence": sequence, "samples": samples });
        let batch = json!({ "sent": now(), "reports": [report] });
        let request = self.client.post(format!("{}/reports", self.url)).bearer_auth(TOKEN).json(&batch);
        let answer = request.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{text}");
    }

    /// Stops it, and gives the folder back.
    pub async fn stop(self) -> TempDir {
        self.stop.send(()).expect("it runs");
        self.ended.await.expect("it ends");
        self.folder
    }

    /// Its database.
    pub fn place(&self) -> Place {
        Place::Sqlite(data(self.folder.path()).join("sextant.db"))
    }
}

fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}
