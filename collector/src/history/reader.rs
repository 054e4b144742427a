//! Reads the log into the heads.

use super::{History, schedule::PRESSURE_ROWS};
use crate::{decide::Event, store::Error, tail::Tail};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// With so many rows in memory it waits for the sealer: memory stays bounded also while nothing can be sealed.
const FULL: usize = 2 * PRESSURE_ROWS;
/// How long it waits for the sealer, and after a failure.
const AGAIN: Duration = Duration::from_millis(500);

/// Reads until told to stop.
pub async fn run(history: History, tail: Tail, stop: CancellationToken) {
    let mut news = tail.news();
    loop {
        news.mark_unchanged();
        let wait = match read(&history, &tail).await {
            Ok(all) => !all,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be read");
                true
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(AGAIN), if wait => {}
            _ = news.changed(), if !wait => {}
        }
    }
}

/// Takes in what is new. False when there is no room for the rest.
pub async fn read(history: &History, tail: &Tail) -> Result<bool, Error> {
    loop {
        if history.heads().rows() >= FULL {
            return Ok(false);
        }
        let entries = tail.after(history.heads().taken()).await?;
        if entries.is_empty() {
            return Ok(true);
        }
        for entry in &entries {
            match &*entry.event {
                Event::Report { received, report, .. } => {
                    history.take(entry.position, *received, entry.clock_us, report);
                }
                _ => history.pass(entry.position),
            }
        }
        // Each part may be long, and others have work too.
        tokio::task::yield_now().await;
    }
}
