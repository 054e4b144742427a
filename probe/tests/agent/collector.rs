//! A collector that can be away, busy, forgetful or strict. It lives on a runtime of its own, so that stopping it
//! cuts every connection, as the death of a process does.

use super::{TOKEN, soon};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use std::{
    collections::BTreeMap,
    io::Read,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};
use tokio::{runtime::Runtime, sync::watch};
use wire::{
    assignment::{Assignment, Directive},
    problem::Problem,
    report::{Accepted, Batch, PATH, Report, STREAM_PATH},
};

/// How the collector answers reports.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Mood {
    #[default]
    Takes,
    /// 503.
    Busy,
    /// Commits, and never answers.
    Mute,
    /// 403.
    Refuses,
    /// 422 when a report holds a sample of the check `poison`.
    Strict,
}

/// What the collector has and what it says.
#[derive(Default)]
pub struct Shown {
    pub mood: Mood,
    /// Committed reports by sequence.
    pub stored: BTreeMap<i64, Report>,
    /// Reports that came again.
    pub duplicates: usize,
    /// Posts, whatever became of them.
    pub posts: usize,
    /// Posts that were packed.
    pub packed: usize,
    /// It is one of before: what is packed is broken JSON to it.
    pub dated: bool,
    /// Reports in the last post.
    pub offered: usize,
    /// What the probe last said that it lost.
    pub lost: u64,
    /// Streams opened so far.
    pub streams: usize,
    /// Lines of the stream; each new stream begins with the first.
    lines: Vec<String>,
}

impl Shown {
    pub fn reports(&self) -> Vec<Report> {
        self.stored.values().cloned().collect()
    }

    pub fn samples(&self) -> usize {
        self.stored.values().map(|report| report.samples.len()).sum()
    }
}

type Shared = Arc<watch::Sender<Shown>>;

pub struct Collector {
    pub addr: SocketAddr,
    shown: Shared,
    runtime: Option<Runtime>,
}

impl Collector {
    /// A collector that hands out `assignment`.
    pub fn start(assignment: Assignment) -> Self {
        let any = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = any.local_addr().expect("bound");
        let mut collector = Self { addr, shown: Arc::new(watch::channel(Shown::default()).0), runtime: None };
        collector.assign(assignment);
        collector.serve(any);
        collector
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Dies: every connection breaks. What was committed stays.
    pub fn die(&mut self) {
        self.runtime.take().expect("alive").shutdown_background();
    }

    /// Lives again, at the same address.
    pub async fn revive(&mut self) {
        let addr = self.addr;
        // The dying runtime closes its socket when it gets to it.
        let bind = async {
            loop {
                match TcpListener::bind(addr) {
                    Ok(listener) => return listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let listener = soon(bind).await;
        self.serve(listener);
    }

    pub fn mood(&self, mood: Mood) {
        self.shown.send_modify(|shown| shown.mood = mood);
    }

    /// Does not take what is packed from now on, as collectors did not before.
    pub fn dated(&self) {
        self.shown.send_modify(|shown| shown.dated = true);
    }

    /// Replaces the assignment: new streams begin with it, open ones hear of it.
    pub fn assign(&self, assignment: Assignment) {
        self.say(&Directive::Assignment(assignment));
    }

    pub fn say(&self, directive: &Directive) {
        self.say_line(serde_json::to_string(directive).expect("JSON"));
    }

    /// Says what only a newer collector would.
    pub fn say_line(&self, line: String) {
        self.shown.send_modify(|shown| shown.lines.push(line));
    }

    /// Waits until `is` holds for what the collector has, and tells something about it then.
    pub async fn when<T>(&self, is: impl FnMut(&Shown) -> bool, tell: impl FnOnce(&Shown) -> T) -> T {
        let mut changes = self.shown.subscribe();
        tell(&soon(changes.wait_for(is)).await.expect("the sender lives"))
    }

    /// What is committed now.
    pub fn reports(&self) -> Vec<Report> {
        self.shown.borrow().reports()
    }

    fn serve(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).expect("a socket");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let router = Router::new()
            .route(PATH, post(reports))
            .route(STREAM_PATH, get(directives))
            .with_state(self.shown.clone());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("non-blocking");
            axum::serve(listener, router).await
        });
        self.runtime = Some(runtime);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // A runtime must not be dropped where tasks run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    let problem = Problem::new(status.as_u16(), "test", "Refused", detail);
    (status, [(header::CONTENT_TYPE, wire::problem::MEDIA_TYPE)], Json(problem)).into_response()
}

fn knows(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes() == format!("Bearer {TOKEN}").as_bytes())
}

async fn reports(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut mood = Mood::Takes;
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    if packed && shared.borrow().dated {
        shared.send_modify(|shown| shown.packed += 1);
        return refuse(StatusCode::BAD_REQUEST, "expected value at line 1 column 1");
    }
    let mut plain = body.to_vec();
    if packed {
        plain.clear();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
        assert!(body.len() < plain.len(), "packed for nothing");
    }
    let batch: Batch = serde_json::from_slice(&plain).expect("a batch");
    shared.send_modify(|shown| {
        shown.posts += 1;
        shown.packed += usize::from(packed);
        shown.offered = batch.reports.len();
        mood = shown.mood;
    });
    let poisoned =
        batch.reports.iter().flat_map(|r| &r.samples).any(|sample| sample.check.as_str() == "poison");
    match mood {
        _ if !knows(&headers) => return refuse(StatusCode::UNAUTHORIZED, "this token is not known here"),
        Mood::Busy => return refuse(StatusCode::SERVICE_UNAVAILABLE, "busy"),
        Mood::Refuses => return refuse(StatusCode::FORBIDDEN, "the token was revoked"),
        Mood::Strict if poisoned => return refuse(StatusCode::UNPROCESSABLE_ENTITY, "what is this"),
        _ => {}
    }
    let mut accepted = Accepted { stored: 0, duplicates: 0 };
    shared.send_modify(|shown| {
        shown.lost = batch.lost;
        for report in batch.reports {
            if let Some(known) = shown.stored.get(&report.sequence) {
                assert_eq!(*known, report, "a number means the same report for ever");
                shown.duplicates += 1;
                accepted.duplicates += 1;
            } else {
                shown.stored.insert(report.sequence, report);
                accepted.stored += 1;
            }
        }
    });
    if mood == Mood::Mute {
        std::future::pending::<()>().await;
    }
    Json(accepted).into_response()
}

async fn directives(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if !knows(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "this token is not known here");
    }
    if query.get("region").map(String::as_str) != Some("north") {
        return refuse(StatusCode::FORBIDDEN, "this token belongs to region north");
    }
    shared.send_modify(|shown| shown.streams += 1);
    let lines = stream::unfold((shared.subscribe(), 0), async |(mut changes, next)| {
        let line = {
            let shown = changes.wait_for(|shown| shown.lines.len() > next).await.ok()?;
            format!("{}\n", shown.lines[next])
        };
        Some((Ok::<_, std::convert::Infallible>(line), (changes, next + 1)))
    });
    Body::from_stream(lines).into_response()
}
