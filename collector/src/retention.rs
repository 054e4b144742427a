//! Keeps the database bounded: old log entries that were folded, old timeline entries, old windows of
//! the mesh.

use crate::store::Store;
use runtime::clock::SharedClock;
use std::time::Duration;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// How long the log is kept.
const LOG: Duration = Duration::from_secs(48 * 3600);
/// How long the timeline is kept.
const TIMELINE: Duration = Duration::from_secs(400 * 24 * 3600);
/// How long the windows of the mesh are kept.
const MESH: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a pass is made.
const EVERY: Duration = Duration::from_secs(600);

/// Makes passes until told to stop.
pub async fn run(store: Store, clock: SharedClock, stop: CancellationToken) {
    let mut tick = interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = clock.now();
        let log = store.expire_log(now.minus(LOG)).await;
        let timeline = store.expire_timeline(now.minus(TIMELINE)).await;
        let mesh = store.expire_mesh(now.minus(MESH)).await;
        for (what, result) in [("log", log), ("timeline", timeline), ("mesh", mesh)] {
            match result {
                Ok(0) => {}
                Ok(count) => tracing::info!(what, count, "old entries deleted"),
                Err(error) => {
                    tracing::warn!(
                        what,
                        error = &error as &dyn std::error::Error,
                        "old entries were not deleted"
                    );
                }
            }
        }
    }
}
