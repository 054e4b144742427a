//! For whoever runs the collector: is it alive, is it ready, what does it count.

use super::Rejected;
use crate::App;
use axum::{Json, extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use runtime::telemetry::{PROMETHEUS_MEDIA_TYPE, prometheus_text};
use serde::Serialize;

/// What is alive.
#[derive(Debug, Serialize)]
pub struct Alive {
    status: &'static str,
    version: &'static str,
}

/// `GET /livez`, `GET /healthz`: the process answers.
pub async fn live() -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// `GET /readyz`: it takes reports and decides.
///
/// # Errors
/// 503 while it stops or the database does not answer.
pub async fn ready(State(app): State<App>) -> Result<Json<Alive>, Rejected> {
    if app.closing.is_cancelled() {
        return Err(Rejected::new(503, "stopping", "Not ready", "the collector is stopping"));
    }
    app.store.ping().await?;
    Ok(Json(Alive { status: "ready", version: env!("CARGO_PKG_VERSION") }))
}

/// `GET /metrics` in the Prometheus text format.
pub async fn metrics() -> impl IntoResponse {
    ([(CONTENT_TYPE, PROMETHEUS_MEDIA_TYPE)], prometheus_text())
}
