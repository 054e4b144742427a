//! A board and a lab under the tests' control, and requests to their dashboard.

use crate::fixture::{self, World};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;
use tower::ServiceExt;
use web::{Board, BoardError, BoardFuture, Lab, Panel, PanelRegion, PanelUsers, Site};
use wire::{Micros, view::Overview};

/// Some instant after the fixture's first plan.
pub const NOW: Micros = Micros(1_795_000_600_000_000);

pub struct Stage {
    pub overview: Mutex<Result<Overview, BoardError>>,
    pub changes: watch::Sender<u64>,
    pub stop: watch::Sender<bool>,
    /// What the lab was asked to do.
    pub asked: Mutex<Vec<String>>,
}

impl Stage {
    pub fn new(overview: Overview) -> Arc<Self> {
        Arc::new(Self {
            overview: Mutex::new(Ok(overview)),
            changes: watch::Sender::new(0),
            stop: watch::Sender::new(false),
            asked: Mutex::new(Vec::new()),
        })
    }

    pub fn healthy() -> Arc<Self> {
        Self::new(fixture::overview(NOW, World::default()))
    }

    pub fn outage() -> Arc<Self> {
        Self::new(outage())
    }

    pub fn show(&self, overview: Result<Overview, BoardError>) {
        *self.overview.lock().expect("not poisoned") = overview;
        self.changes.send_modify(|v| *v += 1);
    }

    /// As in production.
    pub fn router(self: &Arc<Self>) -> Router {
        self.site(None)
    }

    /// As in the demo.
    pub fn demo(self: &Arc<Self>) -> Router {
        self.site(Some(Arc::clone(self) as Arc<dyn Lab>))
    }

    fn site(self: &Arc<Self>, lab: Option<Arc<dyn Lab>>) -> Router {
        web::router(Site { board: Arc::clone(self) as Arc<dyn Board>, lab, stop: self.stop.subscribe() })
    }
}

/// Eleven seconds into the outage, when it is proven that traffic moved.
pub fn outage() -> Overview {
    fixture::overview(NOW, World { broken_at: Some(NOW.plus_us(-11_000_000)), silent: false })
}

impl Board for Stage {
    fn overview(&self) -> BoardFuture<'_> {
        Box::pin(async { self.overview.lock().expect("not poisoned").clone() })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Lab for Stage {
    fn panel(&self) -> Panel {
        Panel {
            regions: vec![PanelRegion {
                id: "eu-west".into(),
                breakable: vec!["hang".into(), "<script>alert(1)</script>".into()],
                fault: Some("hang".into()),
                since: Some(NOW.plus_us(-3_000_000)),
                backlog: "store 2.0 s behind".into(),
            }],
            users: PanelUsers {
                per_second: 20.0,
                total: 12_345,
                failed: 17,
                failed_last_minute: 3,
                shares: BTreeMap::from([("us-east".into(), 0.5)]),
            },
            config_path: "/etc/sextant.yaml".into(),
            hint: "Break something.".into(),
        }
    }

    fn configuration(&self) -> Result<String, String> {
        Ok("version: 1\n".into())
    }

    fn break_region(&self, region: &str, how: &str, seconds: Option<u64>) -> Result<String, String> {
        if region != "eu-west" {
            return Err(format!("There is no region {region}."));
        }
        self.asked.lock().expect("not poisoned").push(format!("break {region} {how} {seconds:?}"));
        Ok(format!("{region} is broken."))
    }

    fn heal(&self) -> Result<String, String> {
        self.asked.lock().expect("not poisoned").push("heal".into());
        Ok("Healed.".into())
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("readable header"))
    }
}

pub async fn send(router: Router, request: Request<Body>) -> Answer {
    let (head, body) = router.oneshot(request).await.expect("routers do not fail").into_parts();
    let bytes = to_bytes(body, 1 << 22).await.expect("a whole body");
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    Answer { status: head.status, headers: head.headers, text }
}

pub async fn get(router: Router, path: &str) -> Answer {
    send(router, Request::get(path).body(Body::empty()).expect("a request")).await
}
