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

/// What is ready.
#[derive(Debug, Serialize)]
pub struct Ready {
    status: &'static str,
    version: &'static str,
    /// `decides`, or `follows` while another collector does.
    role: &'static str,
    /// The term in which it decides.
    term: Option<i64>,
    /// What does not work, although it is of use: reports are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
}

/// `GET /livez`, `GET /healthz`: the process answers.
pub async fn live() -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// `GET /readyz`: it takes reports, and decides or stands ready to. Never waits for the database: what is read and written all
/// the time tells how it is.
///
/// # Errors
/// 503 while it stops, nothing can be stored, or the database does not answer.
pub async fn ready(State(app): State<App>) -> Result<Json<Ready>, Rejected> {
    if app.closing.is_cancelled() {
        return Err(Rejected::new(503, "stopping", "Not ready", "the collector is stopping"));
    }
    if let Some(problem) = Rejected::unready(&app.store) {
        return Err(problem);
    }
    if !*app.caught_up.borrow() {
        let detail = "the log since the last sealing is being read; reports are taken and decided on already";
        return Err(Rejected::new(503, "starting", "Not ready", detail));
    }
    let term = app.mandate.term();
    let role = if term.is_some() { "decides" } else { "follows" };
    let degraded = app.store.health().borrow().degraded().map(|degraded| degraded.what.clone());
    Ok(Json(Ready { status: "ready", version: env!("CARGO_PKG_VERSION"), role, term, degraded }))
}

/// `GET /metrics` in the Prometheus text format.
pub async fn metrics() -> impl IntoResponse {
    ([(CONTENT_TYPE, PROMETHEUS_MEDIA_TYPE)], prometheus_text())
}
