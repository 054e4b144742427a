//! The history of measurements: what is in memory, and how it gets into the database.
//!
//! The tail of the log hands every report to [`History::take`], in order. Rows wait in [`Heads`], in shards; the
//! collector that holds the lease seals one shard after the other (`sealer`) into segments and roll-ups, and merges the
//! segments of days that are over (`compactor`). The others only drop what was sealed. After a restart the tail begins
//! where the shard that is furthest behind is sealed, and each shard leaves out what it has sealed: every row ends in the database once.

mod arrival;
mod compactor;
mod erase;
mod erasures;
pub mod export;
mod heads;
mod key;
pub mod known;
mod merging;
mod meters;
mod milestones;
pub mod prepare;
pub mod query;
mod reader;
mod schedule;
mod sealer;
mod shard;

#[cfg(test)]
mod tests;

pub use arrival::{Arrivals, OLDEST, at};
pub use erase::{Erased, erase};
pub use erasures::{Erasures, Selection};
pub use heads::Heads;
pub use key::{KeyRef, SeriesKey};
pub use prepare::MOST_ROWS;
pub use shard::{SHARDS, shard_of};

use crate::{
    assigned::Assignments,
    store::{self, Store},
    tail::Tail,
};
use runtime::{
    clock::SharedClock,
    tasks::{Stage, Tasks},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use wire::{Micros, report::Report};

/// Why something was not sealed or compacted. Nothing was written, and it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("rows do not fit into a segment")]
    TooMany(#[from] series::segment::TooMany),
    #[error("a segment of check {check} on day {day} is damaged; it is left as it is")]
    Damaged { check: String, day: i64, source: series::Corrupt },
    #[error("packed roll-ups are damaged")]
    Packed(#[from] series::Corrupt),
    #[error("a segment did not come back as it was written; the rows stay where they are")]
    Unfaithful,
    #[error(
        "day {day} of check {check} was written by a collector again and again meanwhile: ask again later"
    )]
    Busy { check: String, day: i64 },
    #[error("the work on rows ended with a panic")]
    Panicked(#[from] tokio::task::JoinError),
}

/// How often each shard of the history is sealed where nobody says otherwise.
pub const SEAL_EVERY: Duration = Duration::from_secs(600);

/// Tells the term under which this collector may seal now; none while another collector holds the lease.
pub type Term = Arc<dyn Fn() -> Option<i64> + Send + Sync>;

/// The history of a collector. Cheap to clone.
#[derive(Clone)]
pub struct History(Arc<Inner>);

struct Inner {
    store: Store,
    clock: SharedClock,
    assignments: Assignments,
    heads: Heads,
}

impl History {
    /// Reads up to where the shards are sealed. The heads are empty: the log from there on fills them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        store: Store,
        assignments: Assignments,
        clock: SharedClock,
    ) -> Result<History, store::Error> {
        let state = store.seal_state().await?;
        let heads = Heads::new(&state.cursors);
        heads.erase(&state.erasures);
        Ok(History(Arc::new(Inner { store, clock, assignments, heads })))
    }

    /// Takes in a report from the log. Call it once for each, in order of their positions, and [`History::pass`] for
    /// entries that are no reports.
    ///
    /// * `received`: when it arrived, by the collector's clock;
    /// * `clock_us`: what is to be added to the probe's instants.
    pub fn take(&self, position: i64, received: Micros, clock_us: i64, report: &Report) {
        self.0.heads.take(&self.0.assignments.now(), position, received, clock_us, report);
    }

    /// Notes that the log up to a position holds nothing more for the history.
    pub fn pass(&self, position: i64) {
        self.0.heads.pass(position);
    }

    /// The log position after which the tail must begin, so that no unsealed row is missing: all before it is sealed.
    #[cfg(test)]
    pub fn cursor_min(&self) -> i64 {
        self.0.heads.shards().map(|held| held.cursor).min().unwrap_or_default()
    }

    /// The rows that are not sealed yet.
    pub fn heads(&self) -> &Heads {
        &self.0.heads
    }

    /// Starts reading the log, sealing and compacting; while another collector holds the lease, this one only reads and
    /// drops what the other has sealed. Each shard is sealed once in `seal_every`. What is returned becomes true when all
    /// was read that the log had at the start.
    pub fn start(
        &self,
        tasks: &Tasks,
        tail: Tail,
        term: Term,
        seal_every: Duration,
    ) -> watch::Receiver<bool> {
        meters::observe(self);
        let (caught_up, ready) = watch::channel(false);
        let history = self.clone();
        tasks.spawn(Stage::Output, "history reader", |stop| reader::run(history, tail, caught_up, stop));
        let (history, lease, all_read) = (self.clone(), Arc::clone(&term), ready.clone());
        tasks.spawn(Stage::Output, "sealer", |stop| sealer::run(history, lease, seal_every, all_read, stop));
        let history = self.clone();
        tasks.spawn(Stage::Intake, "compactor", |stop| compactor::run(history, term, seal_every, stop));
        ready
    }
}
