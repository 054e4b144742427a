//! What is measured while UDP is silent: the time of a TCP connection, and of an HTTP request on it.

use super::dial;
use crate::{
    clock::{self, Moment},
    session::Identity,
};
use runtime::lock::lock;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::mesh::{MeshMethod, MeshWindow};

/// From the start of one attempt to the next.
const EVERY: Duration = Duration::from_secs(1);

/// The fall-back of one session: idle until [`Fallback::start`].
pub(super) struct Fallback {
    target: String,
    denied: fn(IpAddr) -> Option<&'static str>,
    patience: Duration,
    running: Option<(Arc<Mutex<Results>>, DropGuard)>,
}

/// Results since the last window was taken.
#[derive(Debug)]
struct Results {
    since: Moment,
    tcp: Attempts,
    http: Attempts,
}

#[derive(Debug, Default)]
struct Attempts {
    sent: u32,
    not_sent: u32,
    took_ns: Vec<i64>,
}

impl Results {
    fn empty() -> Self {
        Self { since: clock::now(), tcp: Attempts::default(), http: Attempts::default() }
    }
}

impl Fallback {
    pub(super) fn new(
        target: String,
        denied: fn(IpAddr) -> Option<&'static str>,
        patience: Duration,
    ) -> Self {
        Self { target, denied, patience, running: None }
    }

    /// Begins to measure, if it does not yet.
    pub(super) fn start(&mut self) {
        if self.running.is_none() {
            let results = Arc::new(Mutex::new(Results::empty()));
            let stop = CancellationToken::new();
            let work = measure(self.target.clone(), self.denied, self.patience, Arc::clone(&results));
            let stopped = stop.clone();
            tokio::spawn(async move {
                tokio::select! { () = stopped.cancelled() => {}, () = work => {} }
            });
            self.running = Some((results, stop.drop_guard()));
        }
    }

    /// Ends measuring.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    /// What was measured since the last time, one window for each method that was tried.
    pub(super) fn take(&mut self, identity: &Identity) -> Vec<MeshWindow> {
        let Some((results, _)) = &self.running else { return Vec::new() };
        let Results { since, tcp, http } = std::mem::replace(&mut *lock(results), Results::empty());
        let ended = clock::now();
        let patience = self.patience;
        [(MeshMethod::Tcp, tcp), (MeshMethod::Http, http)]
            .into_iter()
            .filter(|(_, attempts)| attempts.sent + attempts.not_sent > 0)
            .map(|(method, attempts)| {
                let Attempts { sent, not_sent, took_ns } = attempts;
                crate::session::plain_window(
                    identity,
                    method,
                    (since, ended),
                    patience,
                    (sent, not_sent),
                    took_ns,
                )
            })
            .collect()
    }
}

async fn measure(
    target: String,
    denied: fn(IpAddr) -> Option<&'static str>,
    patience: Duration,
    results: Arc<Mutex<Results>>,
) {
    let mut turns = tokio::time::interval(EVERY);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let Ok(address) = dial::resolve(&target, denied).await else {
            lock(&results).tcp.not_sent += 1;
            continue;
        };
        attempt(address, &target, patience, &results).await;
    }
}

/// One connection and one request on it.
async fn attempt(address: SocketAddr, host: &str, patience: Duration, results: &Mutex<Results>) {
    let begun = Instant::now();
    let connected = timeout(patience, TcpStream::connect(address)).await;
    let took = elapsed_ns(begun);
    let mut stream = {
        let mut results = lock(results);
        match connected {
            Ok(Err(error)) if is_ours(&error) => {
                results.tcp.not_sent += 1;
                return;
            }
            Ok(Err(_refused)) => {
                results.tcp.sent += 1;
                return;
            }
            Err(_late) => {
                results.tcp.sent += 1;
                return;
            }
            Ok(Ok(stream)) => {
                results.tcp.sent += 1;
                results.tcp.took_ns.push(took);
                stream
            }
        }
    };
    let begun = Instant::now();
    let answered = matches!(timeout(patience, request(&mut stream, host)).await, Ok(Ok(true)));
    let took = elapsed_ns(begun);
    let mut results = lock(results);
    results.http.sent += 1;
    if answered {
        results.http.took_ns.push(took);
    }
}

/// Sends a request and waits for the first line of an answer, whatever its status.
async fn request(stream: &mut TcpStream, host: &str) -> std::io::Result<bool> {
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /mesh HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sextant-mesh\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    Ok(start.starts_with(b"HTTP/1."))
}

fn elapsed_ns(begun: Instant) -> i64 {
    i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

/// Whether an attempt failed before anything left this machine.
fn is_ours(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::NetworkUnreachable
            | ErrorKind::PermissionDenied
            | ErrorKind::AddrNotAvailable
            | ErrorKind::OutOfMemory
    )
}
