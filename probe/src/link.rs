//! The way to the collectors: addresses, token, and what their answers mean.

use crate::settings::Token;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use std::{
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::info;
use url::Url;
use wire::{
    RegionId,
    problem::{self, Problem},
    report::{HEARTBEAT_SECONDS, PATH, STREAM_PATH},
};

/// The longest a report may take to be answered.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest wait that a collector may ask for.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(30);
/// A stream without a line for this long is dead.
pub const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);
/// How the collector says that a report is another probe's.
const NOT_YOURS: &str = "/problems/not-your-report";
/// As much of a refusal is read, bytes.
const REFUSAL_MOST: usize = 64 << 10;

/// Batches that are smaller go as they are, bytes: they fit into one packet.
const PACK_FROM: usize = 1024;

/// How large an accepted batch was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// As it went.
    pub bytes: usize,
    /// Before it was packed.
    pub plain_bytes: usize,
}

/// Why a collector did not take or give something, named after the reaction.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Try the next collector, later.
    #[error("no answer from the collector")]
    Unreachable(#[source] reqwest::Error),
    /// Try the next collector, later.
    #[error("the collector took the connection and said nothing for {SILENCE:?}")]
    Silent,
    /// Try the next collector, later, and not before `after`.
    #[error("the collector cannot answer now ({problem})")]
    Unavailable { problem: Problem, after: Option<Duration> },
    /// A person must act: the token or the region is wrong.
    #[error("the collector refuses this probe ({0})")]
    Refused(Problem),
    /// Sending the same again is of no use.
    #[error("the collector does not accept this ({0})")]
    Unacceptable(Problem),
}

/// The collectors of one probe.
#[derive(Debug)]
pub struct Link {
    client: reqwest::Client,
    collectors: Vec<Url>,
    token: Token,
    known: AtomicBool,
    /// The collector at hand does not take packed batches.
    plain_only: AtomicBool,
    refusal: OnceLock<Problem>,
    refused: CancellationToken,
    reachable: Notify,
}

impl Link {
    /// `client` must not follow redirects, so that the token goes nowhere else.
    pub fn new(client: reqwest::Client, collectors: Vec<Url>, token: Token) -> Self {
        Self {
            client,
            collectors,
            token,
            known: AtomicBool::new(false),
            plain_only: AtomicBool::new(false),
            refusal: OnceLock::new(),
            refused: CancellationToken::new(),
            reachable: Notify::new(),
        }
    }

    /// The collector that is meant by the `turn`th try, for logs.
    pub fn collector(&self, turn: usize) -> &Url {
        &self.collectors[turn % self.collectors.len()]
    }

    /// Posts the JSON of a [`wire::report::Batch`], packed where that saves something; `Ok` means that it is committed.
    pub async fn post(&self, turn: usize, batch: Vec<u8>) -> Result<Sent, Failure> {
        let plain = Bytes::from(batch);
        let mut sent = Sent { bytes: plain.len(), plain_bytes: plain.len() };
        let packs = plain.len() >= PACK_FROM && !self.plain_only.load(Ordering::Relaxed);
        if packs && let Some(packed) = gzip(plain.clone()).await {
            sent.bytes = packed.len();
            match self.post_body(turn, packed.into(), true).await {
                // A collector of before takes gzip for broken JSON. If it takes the same unpacked, that was it.
                Err(Failure::Unacceptable(problem)) if matches!(problem.status, 400 | 415) => {}
                end => return end.map(|()| sent),
            }
            sent.bytes = sent.plain_bytes;
            self.post_body(turn, plain, false).await?;
            if !self.plain_only.swap(true, Ordering::Relaxed) {
                let collector = self.collector(turn);
                info!(%collector, "the collector does not take packed reports: sending them as they are");
            }
            return Ok(sent);
        }
        self.post_body(turn, plain, false).await.map(|()| sent)
    }

    async fn post_body(&self, turn: usize, body: Bytes, packed: bool) -> Result<(), Failure> {
        let mut request = self.client.post(self.url(turn, PATH)).timeout(ANSWER);
        request = request.header(CONTENT_TYPE, "application/json");
        if packed {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        self.send(request.body(body)).await.map(|_| ())
    }

    /// Opens the stream of directives; its head must come within the time of three heartbeats.
    pub async fn stream(&self, turn: usize, region: &RegionId) -> Result<Response, Failure> {
        let mut url = self.url(turn, STREAM_PATH);
        url.query_pairs_mut().append_pair("region", region.as_str());
        let Ok(response) = tokio::time::timeout(SILENCE, self.send(self.client.get(url))).await else {
            return Err(Failure::Silent);
        };
        let response = response?;
        // It may be a newer one than before.
        self.plain_only.store(false, Ordering::Relaxed);
        self.reachable.notify_one();
        Ok(response)
    }

    /// Completes when a collector has become reachable since the last call, so that an uplink need not wait longer.
    pub async fn reachable(&self) {
        self.reachable.notified().await;
    }

    /// Completes when the first collector that knew an answer refused this probe.
    pub async fn refused(&self) {
        self.refused.cancelled().await;
    }

    /// What the collector said then.
    pub fn refusal(&self) -> Option<Problem> {
        self.refusal.get().cloned()
    }

    fn url(&self, turn: usize, path: &str) -> Url {
        let mut url = self.collector(turn).clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let head = request.bearer_auth(self.token.reveal()).send();
        let response = head.await.map_err(Failure::Unreachable)?;
        let status = response.status();
        if status.is_success() {
            self.known.store(true, Ordering::Relaxed);
            return Ok(response);
        }
        let after = retry_after(&response);
        let failure = classify(status, explain(response).await, after);
        // Later refusals do not stop a probe that once was welcome: it must survive mistakes at the centre.
        if let Failure::Refused(problem) = &failure
            && !self.known.swap(true, Ordering::Relaxed)
            && self.refusal.set(problem.clone()).is_ok()
        {
            self.refused.cancel();
        }
        Err(failure)
    }
}

/// Packs a body on a thread that may be busy for a while; absent when that failed, which costs nothing but bytes.
async fn gzip(plain: Bytes) -> Option<Vec<u8>> {
    let pack = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
        encoder.write_all(&plain).and_then(|()| encoder.finish()).ok()
    };
    tokio::task::spawn_blocking(pack).await.ok().flatten()
}

fn classify(status: StatusCode, problem: Problem, after: Option<Duration>) -> Failure {
    match status {
        // The spool holds reports of the probe that had this folder before: they concern nobody any more.
        StatusCode::FORBIDDEN if problem.kind == NOT_YOURS => Failure::Unacceptable(problem),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Refused(problem),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Failure::Unacceptable(problem),
        _ => Failure::Unavailable { problem, after },
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MOST))
}

/// The problem document of a refusal, or one made of what came instead.
async fn explain(mut response: Response) -> Problem {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(problem::MEDIA_TYPE.as_bytes()));
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(REFUSAL_MOST - body.len())]);
            if body.len() == REFUSAL_MOST {
                break;
            }
        }
    };
    // What did not come in time only makes the explanation shorter.
    let _ = tokio::time::timeout(ANSWER, read).await;
    let parsed = if is_problem { serde_json::from_slice(&body).ok() } else { None };
    parsed.unwrap_or_else(|| {
        let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        Problem::new(status.as_u16(), "unexplained", &status.to_string(), text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(body.to_owned()).expect("a response").into()
    }

    #[test]
    fn a_wait_that_is_asked_for_is_bounded() {
        let asked = |value| retry_after(&response(503, &[("retry-after", value)], ""));
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("86400"), Some(RETRY_AFTER_MOST));
        assert_eq!(asked("Fri, 20 Nov 2026 23:43:42 GMT"), None);
        assert_eq!(retry_after(&response(503, &[], "")), None);
    }

    #[tokio::test]
    async fn a_refusal_is_explained_by_whoever_refused() {
        let problem = Problem::new(403, "wrong-region", "Wrong region", "this token belongs to south");
        let json = serde_json::to_string(&problem).expect("JSON");
        let kind = ("content-type", problem::MEDIA_TYPE);
        assert_eq!(explain(response(403, &[kind], &json)).await, problem);

        let proxy = explain(response(502, &[("content-type", "text/html")], "<h1>Bad gateway</h1>")).await;
        assert_eq!((proxy.status, proxy.detail.as_str()), (502, "<h1>Bad gateway</h1>"));
        let endless = explain(response(500, &[], &"x".repeat(1 << 20))).await;
        assert_eq!(endless.detail.len(), 300);
    }

    #[test]
    fn failures_are_named_after_the_reaction() {
        let judge = |status: u16, kind| {
            let status = StatusCode::from_u16(status).expect("a status");
            classify(status, Problem::new(status.as_u16(), kind, "No", "no"), None)
        };
        assert!(matches!(judge(401, "unknown-token"), Failure::Refused(_)));
        assert!(matches!(judge(403, "wrong-region"), Failure::Refused(_)));
        assert!(matches!(judge(403, "not-your-report"), Failure::Unacceptable(_)));
        for status in [400, 413, 415, 422] {
            assert!(matches!(judge(status, "report-refused"), Failure::Unacceptable(_)));
        }
        for status in [302, 404, 405, 409, 429, 500, 503] {
            assert!(matches!(judge(status, "other"), Failure::Unavailable { .. }));
        }
    }

    #[test]
    fn paths_are_appended_to_the_base() {
        let collectors = ["https://one.example", "https://two.example/sextant/"];
        let link = Link::new(
            runtime::tls::http_client(ANSWER).expect("a client"),
            collectors.iter().map(|url| url.parse().expect("a URL")).collect(),
            Token::new("t"),
        );
        assert_eq!(link.url(0, PATH).as_str(), "https://one.example/api/v1/reports");
        assert_eq!(link.url(3, PATH).as_str(), "https://two.example/sextant/api/v1/reports");
    }
}
