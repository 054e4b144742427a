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

/// How far one step of reading came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    More,
    /// That was all.
    All,
    /// There is no room for the rest, or a collector of a newer version has to take it in.
    Full,
}

/// Reads until told to stop. `caught_up` becomes true when all is read that the log had at the start: under a heavy load
/// its end is never reached for good.
pub async fn run(history: History, tail: Tail, caught_up: watch::Sender<bool>, stop: CancellationToken) {
    let mut news = tail.news();
    let mut log = tail.reader();
    let mut begun_with = None;
    loop {
        news.mark_unchanged();
        let read = async {
            let head = match begun_with {
                Some(head) => head,
                None => *begun_with.insert(history.0.store.log_head().await?),
            };
            let step = step(&history, &mut log).await?;
            Ok::<_, Error>((step, head))
        };
        let step = tokio::select! {
            () = stop.cancelled() => return,
            read = read => match read {
                Ok((step, head)) => {
                    if step == Step::All || history.heads().taken() >= head {
                        caught_up.send_if_modified(|caught_up| !std::mem::replace(caught_up, true));
                    }
                    step
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be read");
                    Step::Full
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            // Each part may be long, and others have work too.
            () = tokio::task::yield_now(), if step == Step::More => {}
            () = sleep(AGAIN), if step == Step::Full => {}
            // What comes meanwhile is taken in together. The sender lives as long as the tail.
            _ = news.changed(), if step == Step::All => sleep(BREATH).await,
            () = sleep(IDLE), if step == Step::All => {}
        }
    }
}

/// Takes in some of what is new. Given up half-way, it goes on from there.
///
/// # Errors
/// When the database fails or an entry cannot be read.
pub async fn step(history: &History, log: &mut Reader) -> Result<Step, Error> {
    if history.heads().rows() >= FULL {
        return Ok(Step::Full);
    }
    let entries = log.after(history.heads().taken()).await?;
    if entries.is_empty() {
        return Ok(Step::All);
    }
    // Once is enough for what was in the log before.
    let mut looked = false;
    for entry in &entries {
        match &*entry.event {
            Event::Report { received, report, .. } => {
                let mut assigned = history.0.assignments.now();
                if !looked && !assigned.has_all(report) {
                    assigned = history.0.assignments.look_again(&history.0.store).await?;
                    looked = true;
                }
                if !assigned.is_complete() && !assigned.has_all(report) {
                    // Passed over, its samples would be sealed by nobody. A collector of the newer version can take them in.
                    return Ok(Step::Full);
                }
                history.take(entry.position, *received, entry.clock_us, report);
            }
            _ => history.pass(entry.position),
        }
    }
    Ok(Step::More)
}
