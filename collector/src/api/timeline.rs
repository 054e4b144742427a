//! The timeline, page by page.

use super::{
    Rejected,
    params::{Known, Params},
    select::{number, wrong},
};
use crate::App;
use axum::{Json, extract::State};
use serde::Deserialize;
use wire::view::{Page, TimelineEntry};

/// The most entries on a page.
const MOST: i64 = 200;
/// The entries on a page when nothing is said.
const USUAL: i64 = 50;

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
pub struct Paging {
    limit: Option<String>,
    cursor: Option<String>,
}

impl Known for Paging {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];
}

impl Paging {
    /// The key below which the page begins, and its length.
    ///
    /// # Errors
    /// 400 when a value is out of range.
    pub fn check(&self) -> Result<(i64, i64), Rejected> {
        let limit = number("limit", self.limit.as_deref(), 1..=MOST, USUAL)?;
        let before = match &self.cursor {
            None => i64::MAX,
            Some(cursor) => {
                cursor.parse().map_err(|_| wrong("cursor must be the `next_cursor` of the page before"))?
            }
        };
        Ok((before, limit))
    }

    /// The cursor of the page after one of a length, when that one is full.
    pub fn next(limit: i64, count: usize, last: Option<i64>) -> Option<String> {
        let full = count as i64 == limit;
        last.filter(|_| full).map(|key| key.to_string())
    }
}

/// `GET /api/v1/timeline?limit=&cursor=`, newest first.
///
/// # Errors
/// 400 for a bad query, 503 when the database does not answer.
pub async fn list(
    State(app): State<App>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<TimelineEntry>>, Rejected> {
    let (before, limit) = paging.check()?;
    let items = app.store.timeline(before, limit).await?;
    let next_cursor = Paging::next(limit, items.len(), items.last().map(|entry| entry.id));
    Ok(Json(Page { items, next_cursor }))
}
