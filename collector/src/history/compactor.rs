//! Compacts: the segments of a check and a day that is over become one, which is smaller and quicker to read than what
//! was flushed every ten minutes. Today's are merged when many have piled up.
//!
//! New segments are read back before the old ones are deleted, in one transaction, and only by the decider in force.

use super::{
    Error, History, Inner, Term,
    merging::{self, Choice},
    shard::shard_of,
};
use crate::store::{self, DayOfCheck, Replacement};
use ::series::DAY_US;
use runtime::tasks::Passes;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often it looks; more often when shards are sealed more often, because small segments then pile up sooner.
const TICK: Duration = Duration::from_secs(10);
/// A day is over this long after midnight, microseconds: by then its rows have been sealed.
const OVER_US: i64 = 20 * 60_000_000;
/// What was flushed of a day that is over waits this long for more of its kind, microseconds.
const WAIT_US: i64 = 15 * 60_000_000;
/// So many flushed segments are merged without waiting, also today's.
const MANY: i64 = 24;
/// How many days of checks are looked at in one pass.
const PASS: i64 = 1_000;

/// Compacts until told to stop.
pub async fn run(history: History, term: Term, sealed_every: Duration, stop: CancellationToken) {
    let mut compactor = Compactor::new(history);
    let mut passes = Passes::every(TICK.min(sealed_every), stop);
    // Work that is cut off by a stop was not committed.
    while passes.due().await {
        passes.make(compactor.pass(&term)).await;
    }
}

/// The state of the compacting task.
pub struct Compactor {
    history: History,
    /// Since when something waits to be compacted.
    waiting: HashMap<DayOfCheck, i64>,
    /// What cannot be compacted, because it is damaged.
    given_up: HashSet<DayOfCheck>,
}

impl Compactor {
    pub fn new(history: History) -> Compactor {
        Compactor { history, waiting: HashMap::new(), given_up: HashSet::new() }
    }

    /// Compacts what is due, under the lease only.
    pub async fn pass(&mut self, term: &Term) {
        if term().is_none() {
            // Whatever waits here, waits anew once this collector decides.
            self.waiting.clear();
            return;
        }
        let due = match self.due().await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "looking for segments to merge failed"
                );
                return;
            }
        };
        for (of, over) in due {
            let Some(term) = term() else { return };
            match self.compact(term, &of, over).await {
                Ok(()) => {
                    self.waiting.remove(&of);
                }
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a segment is damaged");
                    self.given_up.insert(of);
                }
                Err(Error::Store(store::Error::Fenced { .. })) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        check = of.check,
                        day = of.day,
                        "segments could not be merged and are merged later"
                    );
                    return;
                }
            }
        }
    }

    /// What is to be compacted now, and whether its day is over.
    async fn due(&mut self) -> Result<Vec<(DayOfCheck, bool)>, store::Error> {
        let Inner { store, clock, .. } = &*self.history.0;
        let now = clock.now().0;
        let today = now.saturating_sub(OVER_US).div_euclid(DAY_US);
        let found = store.uncompacted(today, MANY, PASS).await?;
        let mut waiting = HashMap::with_capacity(found.len());
        let mut due = Vec::new();
        for (of, count) in found {
            // A clock that was set back is followed.
            let since = self.waiting.get(&of).map_or(now, |since| now.min(*since));
            if !self.given_up.contains(&of) && (count >= MANY || now.saturating_sub(since) >= WAIT_US) {
                due.push((of.clone(), of.day < today));
            }
            waiting.insert(of, since);
        }
        self.waiting = waiting;
        Ok(due)
    }

    /// Compacts a check's segments of a day.
    ///
    /// # Errors
    /// When one is damaged, this collector decides no more, or the database fails; nothing was changed then.
    pub async fn compact(&self, term: i64, of: &DayOfCheck, over: bool) -> Result<(), Error> {
        let store = &self.history.0.store;
        let shard = shard_of(&of.check);
        loop {
            // Before the segments are read: what changes them meanwhile is noticed.
            let changes = store.seal_state().await?.changes[shard];
            let old = match merging::choose(&store.segment_infos(of).await?, over) {
                Choice::Nothing => return Ok(()),
                Choice::Promote(number) => {
                    store.promote_segment(term, of, number).await?;
                    continue;
                }
                Choice::Merge(numbers) => numbers,
            };
            tracing::trace!(check = of.check, day = of.day, segments = old.len(), "merging segments");
            let mut data = Vec::with_capacity(old.len());
            for number in &old {
                data.extend(store.segment_data(of, *number).await?);
            }
            if data.len() < old.len() {
                // Something was removed meanwhile.
                continue;
            }
            let day = of.clone();
            let new = tokio::task::spawn_blocking(move || merging::merge(&day, &data)).await??;
            let replaced = Replacement { shard, changes, of, old: &old, new: &new };
            if store.replace_segments(term, &replaced).await? {
                tracing::debug!(check = of.check, day = of.day, merged = old.len(), "segments merged");
            }
        }
    }
}
