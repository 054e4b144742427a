//! Reads the log into the heads.

use super::{History, schedule::PRESSURE_ROWS};
use crate::{
    decide::Event,
    store::Error,
    tail::{Reader, Tail},
};
use std::time::Duration;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

/// With so many rows in memory it waits for the sealer: memory stays bounded also while nothing can be sealed.
const FULL: usize = 2 * PRESSURE_ROWS;
/// How long it waits for the sealer, and after a failure.
const AGAIN: Duration = Duration::from_millis(500);

/// How often it looks when nobody says that the log has grown, and the least time between two looks.
const IDLE: Duration = Duration::from_secs(1);
const BREATH: Duration = Duration::from_millis(100);

/// Reads until told to stop. `caught_up` becomes true when the end of the log was reached for the first time.
pub async fn run(history: History, tail: Tail, caught_up: watch::Sender<bool>, stop: CancellationToken) {
    let mut news = tail.news();
    let mut log = tail.reader();
    loop {
        news.mark_unchanged();
        let wait = match read(&history, &mut log).await {
            Ok(all) => {
                if all {
                    caught_up.send_replace(true);
                }
                !all
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be read");
                true
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(AGAIN), if wait => {}
            // What comes meanwhile is taken in together. The sender lives as long as the tail.
            _ = news.changed(), if !wait => sleep(BREATH).await,
            () = sleep(IDLE), if !wait => {}
        }
    }
}

/// Takes in what is new. False when there is no room for the rest.
pub async fn read(history: &History, log: &mut Reader) -> Result<bool, Error> {
    loop {
        if history.heads().rows() >= FULL {
            return Ok(false);
        }
        let entries = log.after(history.heads().taken()).await?;
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
