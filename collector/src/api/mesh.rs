//! The network between the probes.

use super::{Rejected, params::Params, problem::Names, timeline::Paging};
use crate::App;
use axum::{Json, extract::State};
use wire::{ProbeId, mesh::MeshWindow, view::Page};

/// More windows than ever begin at the same instant between two probes.
const ALIKE: i64 = 8;

/// `GET /api/v1/mesh`: the newest window of each session.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn list(State(app): State<App>) -> Result<Json<Page<MeshWindow>>, Rejected> {
    Ok(Json(Page { items: app.board.read_current().await?.mesh, next_cursor: None }))
}

/// `GET /api/v1/mesh/{probe}/{other}?limit=&cursor=`: the windows between two probes, whichever of them sends, newest
/// first.
///
/// # Errors
/// 404 for an unknown probe, 400 for a bad query, 503 when the database does not answer.
pub async fn between(
    State(app): State<App>,
    Names((one, other)): Names<(String, String)>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<MeshWindow>>, Rejected> {
    let (before, limit) = paging.check()?;
    let (one, other) = (find(&app, &one)?, find(&app, &other)?);
    let mut items = app.store.mesh_between(&one, &other, before, limit + ALIKE).await?;
    // Windows of several methods begin together: a page does not end between them.
    let mut count = items.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
    while count > 0 && count < items.len() && items[count].started == items[count - 1].started {
        count += 1;
    }
    let more = items.len() > count;
    items.truncate(count);
    let next_cursor = items.last().filter(|_| more).map(|window| window.started.0.to_string());
    Ok(Json(Page { items, next_cursor }))
}

fn find(app: &App, id: &str) -> Result<ProbeId, Rejected> {
    let known = app.config.probes.keys().find(|known| known.as_str() == id).cloned();
    known.ok_or_else(|| Rejected::no_probe(id, app.config.probes.keys().cloned()))
}
