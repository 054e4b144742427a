//! Series: the newest run of each.

use super::{Rejected, overview, problem::Names};
use crate::App;
use axum::{Json, extract::State};
use wire::view::{Page, SeriesView};

/// `GET /api/v1/services/{service}/series`
///
/// # Errors
/// 404 for an unknown service, 503 when the database does not answer.
pub async fn list(
    State(app): State<App>,
    Names(id): Names<String>,
) -> Result<Json<Page<SeriesView>>, Rejected> {
    let service = overview::find(&app, &id).await?.id;
    Ok(Json(Page { items: app.board.series(&service), next_cursor: None }))
}
