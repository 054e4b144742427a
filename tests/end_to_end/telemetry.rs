//! What Sextant says of itself: with the standard variables set, traces and metrics leave by OTLP, and the trace
//! that a service is told of is the one that is exported.

use crate::harness::{
    LONG, Process, eventually,
    process::{collector, sextant},
};
use anyhow::ensure;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
};
use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{net::TcpListener, process::Command};

/// What arrived, at the OTLP receiver and at the monitored service.
#[derive(Default)]
struct Seen {
    /// Path and body of each export.
    exports: Vec<(String, Vec<u8>)>,
    /// Trace ids that requests carried, 16 bytes each.
    traces: Vec<Vec<u8>>,
}

type Shared = Arc<Mutex<Seen>>;

fn seen(shared: &Shared) -> MutexGuard<'_, Seen> {
    shared.lock().expect("no test thread panics while it holds this")
}

async fn export(State(shared): State<Shared>, uri: Uri, body: Bytes) {
    seen(&shared).exports.push((uri.path().to_owned(), body.to_vec()));
}

async fn service(State(shared): State<Shared>, headers: HeaderMap) -> &'static str {
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = parent.split('-').nth(1).unwrap_or_default().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    seen(&shared).traces.extend(id.chunks(2).map(byte).collect::<Option<Vec<u8>>>());
    "well"
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Our binary with telemetry sent to `otlp`, metrics twice a second.
fn observed(otlp: SocketAddr) -> Command {
    let mut command = sextant();
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp}"))
        .env("OTEL_METRIC_EXPORT_INTERVAL", "500")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200");
    command
}

#[tokio::test]
async fn traces_and_metrics_leave_by_otlp() {
    let shared = Shared::default();
    let otlp = serve(Router::new().fallback(export).with_state(Arc::clone(&shared))).await;
    let target = serve(Router::new().fallback(service).with_state(Arc::clone(&shared))).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let config = format!(
        "version: 1\nregions: {{ r1: {{}} }}\nprobes: {{ p1: {{ region: r1, token: {{ file: token }} }} }}\n\
         services: {{ s: {{ regions: {{ r1: 'http://{target}' }} }} }}\n\
         checks: {{ c: {{ service: s, http: {{ path: / }}, interval: 1s, timeout: 1s }} }}\n"
    );
    fs::write(path.join("sextant.yaml"), config).expect("written");
    fs::write(path.join("token"), "a-token-for-this-test").expect("written");

    let (mut collector, url) = collector(observed(otlp), path).await;
    let mut command = observed(otlp);
    command
        .args(["probe", "--region", "r1", "--collector", &url])
        .arg("--token-file")
        .arg(path.join("token"));
    command.arg("--data").arg(path.join("probe"));
    let mut probe = Process::start("probe", path, command).expect("it starts");

    eventually("both export, and the service's trace is among the exported ones", LONG, async || {
        probe.check_running()?;
        let seen = seen(&shared);
        let bodies =
            |path: &'static str| seen.exports.iter().filter(move |(p, _)| p == path).map(|(_, body)| body);
        let has = |body: &Vec<u8>, needle: &[u8]| body.windows(needle.len()).any(|window| window == needle);
        // Protobuf keeps names and ids as plain bytes, so no decoder is needed to find them.
        for name in [&b"sextant_probe_runs"[..], b"sextant_ingest_reports"] {
            let said = bodies("/v1/metrics").any(|body| has(body, name));
            ensure!(said, "no metric {}", String::from_utf8_lossy(name));
        }
        ensure!(bodies("/v1/traces").any(|body| has(body, b"check.run")), "no span of a run");
        let told = seen.traces.iter().any(|id| bodies("/v1/traces").any(|body| has(body, id)));
        ensure!(told, "none of {} traces that the service saw was exported", seen.traces.len());
        Ok(())
    })
    .await;
    assert_eq!(probe.stop().await.expect("it stops"), 0);
    assert_eq!(collector.stop().await.expect("it stops"), 0);
}
