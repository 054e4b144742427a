//! What an orchestrator asks a probe: is it alive, is it ready, what does it count.

use crate::{metrics::Metrics, selfcheck::Condition, spool::SharedSpool};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::error;
use wire::{
    assignment::Assignment,
    problem::{MEDIA_TYPE, Problem},
};

/// What the answers are made of.
#[derive(Clone)]
pub struct Health {
    pub assigned: watch::Receiver<Option<Arc<Assignment>>>,
    pub metrics: Metrics,
    pub condition: Condition,
    pub spool: SharedSpool,
    /// What of the mesh is not measured.
    pub mesh: watch::Receiver<Option<String>>,
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, health: Health, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        end = axum::serve(listener, router(health)).into_future() => if let Err(error) = end {
            error!(%error, "the health listener failed");
        }
    }
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(health)
}

/// Ready means that there is something to measure and that what is measured counts. Other troubles are told in lines
/// of their own.
async fn ready(State(health): State<Health>) -> Response {
    let Some(assignment) = health.assigned.borrow().clone() else {
        return unready(
            "no-assignment",
            "Nothing to measure yet",
            "No collector has given this probe an assignment, and none is kept on disk: see the log for why the \
             collector cannot be reached.",
        );
    };
    let state = health.condition.state();
    if let Some(why) = &state.blind {
        let detail = format!("{why}. Failures are flagged and do not count: look at this machine's network.");
        return unready("blind", "This probe sees nothing", &detail);
    }
    let mut text = format!("ready: revision {}, {} checks\n", assignment.revision, assignment.checks.len());
    let (spool, mesh) = (health.spool.trouble(), health.mesh.borrow().clone());
    for trouble in state.troubles().chain(spool.as_deref()).chain(mesh.as_deref()) {
        text.push_str(&format!("warning: {trouble}\n"));
    }
    text.into_response()
}

fn unready(kind: &str, title: &str, detail: &str) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let problem = Problem::new(status.as_u16(), kind, title, detail);
    (status, [(CONTENT_TYPE, MEDIA_TYPE)], Json(problem)).into_response()
}

/// What this process counts, then the figures of each series.
async fn scrape(State(Health { metrics, .. }): State<Health>) -> Response {
    let render = move || {
        let mut text = runtime::telemetry::prometheus_text();
        text.extend_from_slice(metrics.series_text().as_bytes());
        text
    };
    match tokio::task::spawn_blocking(render).await {
        Ok(text) => ([(CONTENT_TYPE, runtime::telemetry::PROMETHEUS_MEDIA_TYPE)], text).into_response(),
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spool::Spool, testing};

    async fn ask(health: &Health) -> (StatusCode, String) {
        let answer = ready(State(health.clone())).await;
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("ASCII").to_owned();
        (answer.status(), kind)
    }

    #[tokio::test]
    async fn ready_means_that_there_is_something_to_measure() {
        let (sender, assigned) = watch::channel(None);
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path(), 0, wire::Micros(1)).expect("opens");
        let spool = SharedSpool::new(spool);
        let metrics = Metrics::new(&"north".parse().expect("an id"), Arc::default());
        let health = Health {
            assigned,
            metrics,
            condition: Condition::default(),
            spool,
            mesh: watch::channel(None).1,
        };
        assert_eq!(ask(&health).await, (StatusCode::SERVICE_UNAVAILABLE, MEDIA_TYPE.into()));
        sender.send_replace(Some(Arc::new(testing::assignment(vec![]))));
        assert_eq!(ask(&health).await.0, StatusCode::OK);
    }
}
