//! Waiting for facts on the dashboard, with a limit that is an error, never a result.

use crate::demo::cast::Cast;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wire::view::{Overview, ServiceRegionView, ServiceView};

/// Waits until the overview holds what `find` looks for.
pub async fn wait<T>(
    cast: &Cast,
    limit: Duration,
    what: &str,
    find: impl Fn(&Overview) -> Option<T>,
) -> Result<T, String> {
    let end = Instant::now() + limit;
    let mut changes = web::Board::changes(&cast.board);
    loop {
        match cast.board.read().await {
            Ok(overview) => {
                if let Some(found) = find(&overview) {
                    return Ok(found);
                }
            }
            Err(error) => return Err(error.to_string()),
        }
        match timeout_at(end, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err("the collector stopped".into()),
            Err(_) => return Err(format!("{what} did not happen within {} s", limit.as_secs())),
        }
    }
}

/// The demo's one service.
pub fn shop(overview: &Overview) -> Option<&ServiceView> {
    overview.services.first()
}

/// The service in a region.
pub fn place<'a>(overview: &'a Overview, region: &str) -> Option<&'a ServiceRegionView> {
    shop(overview)?.regions.iter().find(|place| place.region.as_str() == region)
}
