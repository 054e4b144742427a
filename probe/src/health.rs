//! What an orchestrator asks a probe: is it alive, is it ready, what does it count.

use crate::metrics::Metrics;
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

type Assigned = watch::Receiver<Option<Arc<Assignment>>>;

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, assigned: Assigned, metrics: Metrics, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        end = axum::serve(listener, router(assigned, metrics)).into_future() => if let Err(error) = end {
            error!(%error, "the health listener failed");
        }
    }
}

fn router(assigned: Assigned, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(assigned)
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn ready(State(assigned): State<Assigned>) -> Response {
    if let Some(assignment) = assigned.borrow().as_deref() {
        return format!("ready: revision {}, {} checks\n", assignment.revision, assignment.checks.len())
            .into_response();
    }
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        "no-assignment",
        "Nothing to measure yet",
        "No collector has given this probe an assignment, and none is kept on disk: see the log for why the \
         collector cannot be reached.",
    );
    (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, MEDIA_TYPE)], Json(problem)).into_response()
}

/// What this process counts, then the figures of each series.
async fn scrape(State(metrics): State<Metrics>) -> Response {
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
    use crate::testing;

    async fn ask(assigned: Assigned) -> (StatusCode, String) {
        let answer = ready(State(assigned)).await;
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("ASCII").to_owned();
        (answer.status(), kind)
    }

    #[tokio::test]
    async fn ready_means_that_there_is_something_to_measure() {
        let (sender, assigned) = watch::channel(None);
        assert_eq!(ask(assigned.clone()).await, (StatusCode::SERVICE_UNAVAILABLE, MEDIA_TYPE.into()));
        sender.send_replace(Some(Arc::new(testing::assignment(vec![]))));
        assert_eq!(ask(assigned).await.0, StatusCode::OK);
    }
}
