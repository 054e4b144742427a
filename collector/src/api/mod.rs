//! The REST API under `/api/v1`: the same facts as the pages, as JSON; refusals as RFC 9457 problem documents.
//!
//! One file for each resource. Lists are pages with opaque cursors; instants are RFC 3339 in UTC, durations are
//! integers with their unit in the name; clients must ignore fields that they do not know.

mod evidence;
mod health;
mod history;
mod mesh;
mod overview;
mod params;
mod plans;
mod problem;
mod select;
mod series;
mod timeline;

#[cfg(test)]
pub(crate) mod tests;

pub use params::{Known, Params};
pub use problem::{Rejected, panicked};

use crate::{App, ingest};
use axum::{
    Router,
    routing::{any, get, post},
};
use wire::report::{PATH, STREAM_PATH};

/// All routes but the pages'.
pub fn router(app: App) -> Router {
    Router::new()
        // for probes
        .route(PATH, post(ingest::reports))
        .route(STREAM_PATH, get(ingest::stream))
        // for people and their tools
        .route("/api/v1/overview", get(overview::overview))
        .route("/api/v1/regions", get(overview::regions))
        .route("/api/v1/probes", get(overview::probes))
        .route("/api/v1/services", get(overview::services))
        .route("/api/v1/services/{service}", get(overview::service))
        .route("/api/v1/services/{service}/regions/{region}", get(overview::region))
        .route("/api/v1/services/{service}/plan", get(plans::current))
        .route("/api/v1/services/{service}/plans", get(plans::list))
        .route("/api/v1/services/{service}/series", get(series::list))
        .route("/api/v1/mesh", get(mesh::list))
        .route("/api/v1/mesh/{probe}/{other}", get(mesh::between))
        .route("/api/v1/history", get(history::history))
        .route("/api/v1/samples", get(history::samples))
        .route("/api/v1/evidence", get(evidence::evidence))
        .route("/api/v1/timeline", get(timeline::list))
        .route("/api/{*rest}", any(problem::no_such_route))
        // for whoever runs it
        .route("/livez", get(health::live))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(app)
}
