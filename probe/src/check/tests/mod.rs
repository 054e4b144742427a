//! Checks against real sockets on the loopback interface.

mod addresses;
mod authority;
mod cleanup;
mod dns;
mod grpc;
mod hostile;
mod http;
mod icmp;
mod journeys;
mod names;
mod redirects;
mod resolve;
mod reuse;
mod secrets;
mod tcp;
mod tls;
mod tls_check;
mod tls_matrix;
mod websocket;

use super::{Measured, Run, Trace, run};
use crate::net::{Net, Override};
use runtime::lock::lock;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, Reach, Request, Target},
    sample::{FailClass, Outcome},
};

const TRACE: Trace = Trace { trace_id: [0xab; 16], span_id: [0, 0, 0, 0, 0, 0, 0, 7] };
const SECOND: u32 = 1_000_000;

/// A server that reads one request from each connection and leaves the rest to the test.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `answer` gets the number of the request, its text, and the connection.
    async fn start<F, Done>(answer: F) -> Server
    where
        F: Fn(usize, String, TcpStream) -> Done + Send + Sync + 'static,
        Done: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                connections.spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let number = {
                        let mut log = lock(&log);
                        log.push(request.clone());
                        log.len() - 1
                    };
                    answer(number, request, stream).await;
                });
            }
        });
        Server { address, seen, task }
    }

    /// Answers every request with the same bytes and closes.
    async fn saying(bytes: impl Into<Vec<u8>>) -> Server {
        let bytes: Arc<[u8]> = Arc::from(bytes.into());
        Server::start(move |_, _, mut stream| {
            let bytes = bytes.clone();
            async move {
                let _client_may_be_gone = stream.write_all(&bytes).await;
            }
        })
        .await
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        lock(&self.seen).clone()
    }
}

/// Reads a head and as much body as its `content-length` says.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|n| n.parse().ok()).unwrap_or(0) {
                return Some(so_far);
            }
        }
    }
}

/// A whole response with a body, closing.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

pub(super) fn get(path: &str) -> Request {
    Request { path: path.into(), ..Request::default() }
}

pub(super) fn check(kind: CheckKind) -> AssignedCheck {
    AssignedCheck {
        id: "c".parse().expect("an id"),
        service: "s".parse().expect("an id"),
        kind,
        interval_us: 10 * SECOND,
        timeout_us: 5 * SECOND,
        budget_us: None,
        endpoints: Vec::new(),
        regions: Default::default(),
        region_header: Some("x-region".into()),
        places: Default::default(),
        reach: Reach::default(),
    }
}

pub(super) fn here(url: impl Into<String>) -> Endpoint {
    Endpoint {
        target: Target::Region("eu".parse().expect("an id")),
        url: url.into(),
        evidence: Default::default(),
    }
}

/// A network without certificates or with the given overrides.
fn net(resolve: &[&str]) -> Net {
    let resolve = resolve.iter().map(|text| text.parse::<Override>().expect("valid override"));
    Net::for_tests(resolve.collect(), rustls::RootCertStore::empty())
}

/// A run at the beginning of 2026-11-20.
pub(super) fn trace_run() -> Run {
    Run { trace: TRACE, started: wire::Micros(1_795_132_800_000_000), explain: false }
}

async fn run_one(check: &AssignedCheck, url: impl Into<String>) -> Measured {
    let found = run(check, &here(url), &net(&[]), &trace_run()).await;
    sound(check, &found);
    found
}

async fn run_http(request: Request, url: impl Into<String>) -> Measured {
    run_one(&check(CheckKind::Http(request)), url).await
}

/// What holds for every result, however the run went.
fn sound(check: &AssignedCheck, found: &Measured) {
    assert_eq!(found.evidence.is_some(), found.slow || found.outcome != Outcome::Ok, "{found:?}");
    assert!(found.total_us < check.timeout_us + SECOND, "{found:?}");
    if found.steps.is_empty() && found.phases.sum() > 0 {
        let hops: u32 = found.hops.iter().map(|hop| hop.phases.sum()).sum();
        assert_eq!(hops + found.phases.sum(), found.total_us, "phases tile the total: {found:?}");
    }
    for hop in &found.hops {
        assert_eq!(hop.phases.sum(), hop.total_us, "{hop:?}");
    }
    for address in found.addresses.iter().filter(|address| address.phases.sum() > 0) {
        assert_eq!(address.phases.sum(), address.total_us, "{address:?}");
    }
    for step in &found.steps {
        assert!(step.phases.sum() <= step.total_us, "{step:?}");
    }
    if let Some(evidence) = &found.evidence {
        assert!(!evidence.summary.is_empty() && evidence.summary.chars().count() <= 300);
        assert!(evidence.excerpt.as_ref().is_none_or(|text| text.len() <= 512));
    }
}

#[track_caller]
fn failed(found: &Measured, class: FailClass, word: &str) {
    assert_eq!(found.outcome, Outcome::Fail(class), "{found:?}");
    let summary = &found.evidence.as_ref().expect("failures have evidence").summary;
    assert!(summary.contains(word), "{summary}");
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
