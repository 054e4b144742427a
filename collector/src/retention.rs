//! Keeps the database bounded: deletes what is older than `retention` of the configuration says, in small steps between
//! which others write. Only the collector that holds the lease does it.

use crate::{
    config::Retention,
    history::Term,
    store::{Error, Kind, Store},
};
use runtime::{clock::SharedClock, tasks::Passes};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wire::Micros;

/// How often a pass is made.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that are deleted before it looks again whether it may go on.
const STEP: u64 = 5_000;
/// States of the decider are forgotten so much before the log that they are gone on with.
const STATES_BEFORE_LOG: Duration = Duration::from_secs(3_600);

/// Deletes what is too old.
#[derive(Clone)]
pub struct Keeper {
    pub store: Store,
    pub retention: Retention,
    pub clock: SharedClock,
    pub term: Term,
}

/// What is forgotten in a pass.
#[derive(Debug, Clone, Copy)]
enum What {
    Bulk(Kind),
    States,
    Timeline,
    Audit,
}

impl Keeper {
    /// Makes passes until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut passes = Passes::every(EVERY, stop);
        // What is cut off by a stop was not committed, and the next pass does it.
        while passes.due().await {
            passes.make(self.pass()).await;
        }
    }

    /// Deletes everything that is too old now.
    pub async fn pass(&self) {
        if (self.term)().is_none() {
            return;
        }
        let now = self.clock.now();
        // On PostgreSQL what is new must find its partition.
        if let Err(error) = self.store.make_partitions(now).await {
            tell(&error, "making partitions");
        }
        let upto = match self.store.log_read().await {
            Ok(upto) => upto,
            Err(error) => return tell(&error, "looking how far the log was read"),
        };
        let keep = self.retention;
        let states = keep.log.saturating_sub(STATES_BEFORE_LOG);
        for (what, name, time) in [
            (What::States, "states of the decider", states),
            (What::Bulk(Kind::Log { upto }), "log", keep.log),
            (What::Bulk(Kind::Evidence), "evidence", keep.evidence),
            (What::Bulk(Kind::Segments), "runs", keep.raw),
            (What::Bulk(Kind::PackedRollups), "packed roll-ups", keep.rollups),
            (What::Bulk(Kind::Rollups), "roll-ups", keep.rollups),
            (What::Bulk(Kind::Mesh), "mesh", keep.mesh),
            (What::Timeline, "timeline", keep.timeline),
            (What::Audit, "audit", keep.audit),
        ] {
            self.forget(what, name, now.minus(time)).await;
        }
    }

    async fn forget(&self, what: What, name: &str, before: Micros) {
        let (mut rows, mut partitions) = (0, 0);
        // Between two steps the lease may have gone to another collector.
        while let Some(term) = (self.term)() {
            match self.step(what, term, before).await {
                Ok((more_rows, more_partitions, more)) => {
                    rows += more_rows;
                    partitions += more_partitions;
                    // Without progress the next pass goes on.
                    if !more || more_rows + more_partitions == 0 {
                        break;
                    }
                }
                Err(error) => {
                    tell(&error, name);
                    break;
                }
            }
        }
        if rows + partitions > 0 {
            tracing::info!(what = name, rows, partitions, %before, "forgotten, as the retention says");
        }
    }

    /// Deletes some. Returns rows, partitions, and whether there is more.
    async fn step(&self, what: What, term: i64, before: Micros) -> Result<(u64, u64, bool), Error> {
        let store = &self.store;
        let rows = match what {
            What::Bulk(kind) => {
                let expired = store.expire(kind, before, STEP).await?;
                return Ok((expired.rows, expired.partitions, expired.more));
            }
            What::States => store.expire_replays(term, before).await?,
            What::Timeline => store.expire_timeline(term, before).await?,
            What::Audit => store.expire_audit(term, before).await?,
        };
        Ok((rows, 0, rows > 0))
    }
}

fn tell(error: &Error, what: &str) {
    tracing::warn!(
        what,
        error = error as &dyn std::error::Error,
        "forgetting what is old failed and is tried again"
    );
}

#[cfg(test)]
mod tests;
