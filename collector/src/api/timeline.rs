//! The timeline, page by page.

use super::{Rejected, problem::Params};
use crate::App;
use axum::{Json, extract::State};
use serde::Deserialize;
use wire::view::{Page, TimelineEntry};

/// The most entries on a page.
const MOST: i64 = 200;

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
pub struct Paging {
    limit: Option<i64>,
    cursor: Option<String>,
}

impl Paging {
    /// The key below which the page begins, and its length.
    ///
    /// # Errors
    /// 400 when a value is out of range.
    pub fn check(&self) -> Result<(i64, i64), Rejected> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=MOST).contains(&limit) {
            let detail = format!("limit is {limit}; it must be 1 to {MOST}");
            return Err(Rejected::new(400, "bad-query", "The query is wrong", detail));
        }
        let before = match &self.cursor {
            None => i64::MAX,
            Some(cursor) => cursor.parse().map_err(|_| {
                let detail = "cursor must be the `next_cursor` of the page before";
                Rejected::new(400, "bad-query", "The query is wrong", detail)
            })?,
        };
        Ok((before, limit))
    }

    /// The cursor of the next page, when this one is full.
    pub fn next(&self, count: usize, last: Option<i64>) -> Option<String> {
        let full = count as i64 == self.limit.unwrap_or(50);
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
    let next_cursor = paging.next(items.len(), items.last().map(|entry| entry.id));
    Ok(Json(Page { items, next_cursor }))
}
