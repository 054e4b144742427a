//! Two regions, a probe in each, a server in each that says its word wherever it can, and the search for it.

use crate::harness::{LONG, Process, api::Api, eventually, port::Port, process::sextant};
use anyhow::{Context, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use collector::{decide::Event, store::Store};
use futures_util::SinkExt;
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::process::Command;
use tokio_tungstenite::{
    accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use wire::{
    residency::Withheld,
    view::{Page, SeriesView},
};

/// What the server of region `a`, which has a policy, says.
pub const WITHHELD: &str = "zq-withheld-4711";
/// What the server of region `b`, whose evidence travels, says.
pub const FREE: &str = "zq-free-0815";

/// Two checks of two regions and one of one, each from two probes.
const SERIES: usize = 10;

type Exports = Arc<Mutex<Vec<Vec<u8>>>>;

pub struct Place {
    folder: TempDir,
    collector: Process,
    probes: BTreeMap<&'static str, Process>,
    api: Api,
    probe_apis: Vec<Api>,
    exports: Exports,
    _ports: Vec<Port>,
}

/// Answers with its word: in a redirect, a header, a value to capture and a body.
async fn speak(State(word): State<&'static str>, uri: Uri) -> Response {
    let named = [("x-region", word)];
    match uri.path() {
        "/hop" => {
            let to = format!("/landing-{word}?{word}");
            (StatusCode::FOUND, [(header::LOCATION, to)], named, word).into_response()
        }
        "/newest" => (named, format!("{{\"name\":\"{word}\"}}")).into_response(),
        // The landing page, and what the journey asks for by that name.
        _ => (named, format!("{{\"state\":\"{word}\"}}")).into_response(),
    }
}

async fn export(State(exports): State<Exports>, body: Bytes) {
    exports.lock().expect("no panic").push(body.to_vec());
}

/// A WebSocket that says the word in a message and when it closes; the port.
async fn talk() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = accept_async(stream).await?;
                socket.send(Message::text(WITHHELD)).await?;
                let close = CloseFrame { code: CloseCode::Normal, reason: WITHHELD.into() };
                socket.close(Some(close)).await
            });
        }
    });
    port
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn document(policy: &str, a: SocketAddr, b: SocketAddr, port: u16) -> String {
    format!(
        "version: 1
regions: {{ a: {{ {policy} }}, b: {{}} }}
probes:
  north: {{ region: a, token: {{ file: north.token }} }}
  south: {{ region: b, token: {{ file: south.token }} }}
services:
  s: {{ region_header: x-region, regions: {{ a: 'http://{a}', b: 'http://{b}' }} }}
  w: {{ regions: {{ a: 'http://127.0.0.1:{port}' }} }}
checks:
  hop:
    service: s
    interval: 1s
    redirects: 2
    http: {{ path: /hop, expect: {{ json: {{ $.state: well }} }} }}
  talk: {{ service: w, interval: 1s, websocket: {{ expect: well }} }}
  tour:
    service: s
    interval: 1s
    journey:
      steps:
        - {{ name: take it, get: /newest, capture: {{ name: {{ json: $.name }} }} }}
        - {{ name: use it, get: '/item/{{{{ name }}}}', expect: {{ json: {{ $.state: well }} }} }}
"
    )
}

impl Place {
    /// Starts everything; `policy` is region `a`'s.
    pub async fn start(policy: &str) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let [a, b] = [WITHHELD, FREE].map(|word| serve(Router::new().fallback(speak).with_state(word)));
        let (a, b) = tokio::join!(a, b);
        let exports = Exports::default();
        let otlp = serve(Router::new().fallback(export).with_state(Arc::clone(&exports))).await;
        let key = sextant().args(["secret", "evidence"]).output().await.expect("it runs");
        fs::write(path.join("a.key"), key.stdout).expect("written");
        fs::write(path.join("sextant.yaml"), document(policy, a, b, talk().await)).expect("written");
        let ports: Vec<Port> = (0..3).map(|_| Port::reserve().expect("a free port")).collect();
        let listen = |n: usize| ports[n].address.to_string();
        let start = |name: &str, arguments: &[&str]| {
            let mut command = sextant();
            command.args(arguments).current_dir(path);
            // All that anybody in there has to say, and all spans.
            command.env("SEXTANT_LOG", "trace");
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp}"));
            command.env("OTEL_METRIC_EXPORT_INTERVAL", "500").env("OTEL_BSP_SCHEDULE_DELAY", "200");
            Process::start(name, path, command).expect("it starts")
        };
        for name in ["north", "south"] {
            fs::write(path.join(format!("{name}.token")), format!("token-of-{name}")).expect("written");
        }
        let checked = sextant().arg("check").arg(path.join("sextant.yaml")).output().await.expect("it runs");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let (address, url) = (listen(0), format!("http://{}", listen(0)));
        let collector =
            ["collector", "--config", "sextant.yaml", "--data", "collector", "--listen", &address];
        let collector = start("collector-log", &collector);
        let api = Api::new(ports[0].address).expect("a client");
        let probe = |name: &'static str, region: &str, n: usize| {
            let (token, own) = (format!("{name}.token"), listen(n));
            let arguments = ["probe", "--region", region, "--token-file", &token, "--collector", &url];
            (
                name,
                start(
                    &format!("{name}-log"),
                    &[&arguments[..], &["--data", name, "--listen", &own]].concat(),
                ),
            )
        };
        let probes = [probe("north", "a", 1), probe("south", "b", 2)].into();
        let probe_apis = ports[1..].iter().map(|port| Api::new(port.address).expect("a client")).collect();
        Place { collector, probes, api, probe_apis, exports, _ports: ports, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder of a probe, as an argument.
    pub fn data(&self, probe: &str) -> String {
        self.path().join(probe).display().to_string()
    }

    /// Waits until every series has failed and spans were exported, and returns the series.
    pub async fn settle(&mut self) -> Vec<SeriesView> {
        let (api, exports) = (&self.api, &self.exports);
        let (probes, collector) = (&mut self.probes, &mut self.collector);
        eventually("every series has failed, and spans are exported", LONG, async || {
            collector.check_running()?;
            probes.values_mut().try_for_each(Process::check_running)?;
            let mut series = api.get::<Page<SeriesView>>("/api/v1/services/s/series").await?.items;
            series.extend(api.get::<Page<SeriesView>>("/api/v1/services/w/series").await?.items);
            let failing = series.iter().filter(|series| series.outcome.is_fail() && series.failures > 1);
            ensure!(failing.count() == SERIES, "{series:?}");
            let exports = exports.lock().expect("no panic");
            ensure!(exports.iter().any(|body| has(body, FREE)), "no span says the free word");
            Ok(series)
        })
        .await
    }

    /// Looks for the word in the folders of `data`, all logs, exports, and what the API and the pages say; and for the
    /// free word where it must be.
    pub async fn search(&self, series: &[SeriesView], data: &[&str]) {
        for name in data {
            for (file, bytes) in files(&self.path().join(name)) {
                assert!(!has(&bytes, WITHHELD), "the word is in {file}");
            }
        }
        let database = files(&self.path().join("collector"));
        assert!(database.iter().any(|(_, bytes)| has(bytes, FREE)), "the search does not find what is there");
        for (file, bytes) in files(self.path()).iter().filter(|(file, _)| file.contains("-log.")) {
            assert!(!has(bytes, WITHHELD), "the word is in {file}");
        }
        {
            let exports = self.exports.lock().expect("no panic");
            assert!(exports.iter().any(|body| has(body, "check.run")), "nothing is exported");
            assert!(!exports.iter().any(|body| has(body, WITHHELD)), "the word is exported");
        }
        if !self.probes.is_empty() {
            self.search_answers(series).await;
        }
    }

    async fn search_answers(&self, series: &[SeriesView]) {
        let mut found = 0;
        let paths = [
            "overview",
            "regions",
            "probes",
            "services",
            "services/s",
            "services/s/series",
            "services/w/series",
            "timeline",
        ];
        let paths = paths.map(|path| format!("/api/v1/{path}"));
        let regions = ["a", "b"].map(|region| format!("/api/v1/services/s/regions/{region}"));
        for path in paths.iter().chain(&regions).map(String::as_str).chain(["/", "/metrics", "/readyz"]) {
            let text = self.api.text(path).await.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(!text.contains(WITHHELD), "{path} says {text}");
            found += usize::from(text.contains(FREE));
        }
        assert!(found > 0 && series.len() == SERIES, "the search does not find what is there");
        for api in &self.probe_apis {
            for path in ["/metrics", "/readyz"] {
                let text = api.text(path).await.expect("an answer");
                assert!(!text.contains(WITHHELD), "{path} says {text}");
            }
        }
    }

    /// Looks for the word in the data of a probe outside of its evidence, where it must be.
    pub fn search_the_rest_of(&self, probe: &str) {
        let (kept, rest): (Vec<_>, Vec<_>) =
            files(&self.path().join(probe)).into_iter().partition(|(file, _)| file.ends_with(".evidence"));
        assert!(kept.iter().any(|(_, bytes)| has(bytes, WITHHELD)), "it is kept nowhere");
        assert!(rest.iter().any(|(file, _)| file.ends_with(".seg")), "there is a spool to search");
        for (file, bytes) in rest {
            assert!(!has(&bytes, WITHHELD), "the word is in {file}");
        }
    }

    /// What stands in the log for evidence that was withheld.
    pub async fn withheld(&self) -> Vec<Withheld> {
        let store = Store::sqlite(&self.path().join("collector/sextant.db")).await.expect("the database");
        let logged = store.log_after(0, 100_000).await.expect("the log");
        store.close().await;
        let samples = logged.into_iter().flat_map(|entry| match &*entry.event {
            Event::Report { report, .. } => report.samples.clone(),
            _ => Vec::new(),
        });
        samples.filter_map(|sample| sample.evidence?.withheld).collect()
    }

    /// What a command says.
    pub async fn ask(&self, arguments: &[&str]) -> String {
        let mut command: Command = sextant();
        let ended = command.args(arguments).output().await.expect("it runs");
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(ended.stdout).expect("text")
    }

    /// Stops all, probes first.
    pub async fn stop(&mut self) {
        for (_, mut probe) in std::mem::take(&mut self.probes) {
            assert_eq!(probe.stop().await.expect("it stops"), 0);
        }
        assert_eq!(self.collector.stop().await.expect("it stops"), 0);
    }
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// All files below a folder with their bytes; those that vanish meanwhile are not there any more.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string()).expect("a folder");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}
