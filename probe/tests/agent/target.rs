//! What the probe measures: a server that answers as it is told, and counts who came.

use super::soon;
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse};
use std::{net::SocketAddr, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

#[derive(Clone)]
pub struct Shown {
    pub status: StatusCode,
    /// Requests that came.
    pub came: usize,
    /// While this is true, requests wait for their answer.
    pub holds: bool,
}

pub struct Target {
    addr: SocketAddr,
    shown: Arc<watch::Sender<Shown>>,
    server: JoinHandle<()>,
}

impl Target {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let shown = Arc::new(watch::channel(Shown { status: StatusCode::OK, came: 0, holds: false }).0);
        let router = Router::new().fallback(answer).with_state(shown.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves for ever");
        });
        Self { addr, shown, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn set(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
    }

    pub fn came(&self) -> usize {
        self.shown.borrow().came
    }

    /// Waits for more requests from now on.
    pub async fn more(&self, requests: usize) {
        let wanted = self.came() + requests;
        soon(self.shown.subscribe().wait_for(|shown| shown.came >= wanted)).await.expect("the sender lives");
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shown): State<Arc<watch::Sender<Shown>>>) -> impl IntoResponse {
    shown.send_modify(|shown| shown.came += 1);
    let mut changes = shown.subscribe();
    let status = changes.wait_for(|shown| !shown.holds).await.map_or(StatusCode::OK, |shown| shown.status);
    (status, "hello")
}
