//! Regions, probes, services and the verdicts on them.

use super::{Rejected, problem::Names};
use crate::App;
use axum::{Json, extract::State};
use wire::view::{Overview, Page, ProbeView, RegionView, ServiceRegionView, ServiceView};

fn whole<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page { items, next_cursor: None })
}

/// `GET /api/v1/overview`: everything on the dashboard's first page.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn overview(State(app): State<App>) -> Result<Json<Overview>, Rejected> {
    Ok(Json(app.board.read().await?))
}

/// `GET /api/v1/regions`
///
/// # Errors
/// 503 when the database does not answer.
pub async fn regions(State(app): State<App>) -> Result<Json<Page<RegionView>>, Rejected> {
    Ok(whole(app.board.read().await?.regions))
}

/// `GET /api/v1/probes`
///
/// # Errors
/// 503 when the database does not answer.
pub async fn probes(State(app): State<App>) -> Result<Json<Page<ProbeView>>, Rejected> {
    Ok(whole(app.board.read_current().await?.probes))
}

/// `GET /api/v1/services`
///
/// # Errors
/// 503 when the database does not answer.
pub async fn services(State(app): State<App>) -> Result<Json<Page<ServiceView>>, Rejected> {
    Ok(whole(app.board.read_current().await?.services))
}

/// `GET /api/v1/services/{service}`
///
/// # Errors
/// 404 for an unknown service, 503 when the database does not answer.
pub async fn service(
    State(app): State<App>,
    Names(id): Names<String>,
) -> Result<Json<ServiceView>, Rejected> {
    find(&app, &id).await.map(Json)
}

/// `GET /api/v1/services/{service}/regions/{region}`: the verdict with its votes.
///
/// # Errors
/// 404 for an unknown service or region, 503 when the database does not answer.
pub async fn region(
    State(app): State<App>,
    Names((id, region)): Names<(String, String)>,
) -> Result<Json<ServiceRegionView>, Rejected> {
    let service = find(&app, &id).await?;
    let known: Vec<_> = service.regions.iter().map(|r| r.region.clone()).collect();
    let found = service.regions.into_iter().find(|r| r.region.as_str() == region);
    found.map(Json).ok_or_else(|| Rejected::no_region(&region, known.into_iter()))
}

/// The service with this id.
pub async fn find(app: &App, id: &str) -> Result<ServiceView, Rejected> {
    let services = app.board.read_current().await?.services;
    let found = services.into_iter().find(|service| service.id.as_str() == id);
    found.ok_or_else(|| Rejected::no_service(id, app.config.services.keys().cloned()))
}
