//! What is kept of an hour of a series: counts of the scheduled runs, latencies of the successful ones. Any number of
//! roll-ups and rows merge into one.

use crate::{Row, class_index, sketch::Sketch};
use wire::sample::{Outcome, Trigger};

/// Counts and latencies of some runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollup {
    /// Successful runs, the slow ones among them.
    pub ok: u64,
    /// Failed runs by class, in the order of [`crate::FAIL_CLASSES`].
    pub failures: [u64; 8],
    /// Successful runs that were slower than the check's budget.
    pub slow: u64,
    /// Runs that were due and did not start; no runs.
    pub missed: u64,
    /// Runs that the probe cannot make; no runs.
    pub unsupported: u64,
    /// The sum of the latencies of successful runs.
    pub sum_us: u64,
    /// The least latency of a successful run.
    pub min_us: Option<u32>,
    /// The greatest latency of a successful run.
    pub max_us: Option<u32>,
    /// The latencies of successful runs.
    pub sketch: Sketch,
}

impl Rollup {
    /// Counts a run, if it was scheduled. Runs that confirm a suspicion or prove a move come in bursts just when something
    /// is wrong: counted, a minute of trouble would weigh as much as an hour without.
    pub fn add(&mut self, row: &Row) {
        if row.trigger != Trigger::Schedule {
            return;
        }
        match row.outcome {
            Outcome::Ok => {
                self.ok += 1;
                self.slow += u64::from(row.slow);
                self.sum_us = self.sum_us.saturating_add(row.total_us.into());
                self.min_us = Some(self.min_us.map_or(row.total_us, |min| min.min(row.total_us)));
                self.max_us = self.max_us.max(Some(row.total_us));
                self.sketch.add(row.total_us);
            }
            Outcome::Fail(class) => self.failures[class_index(class)] += 1,
            Outcome::Missed => self.missed += 1,
            Outcome::Unsupported => self.unsupported += 1,
        }
    }

    /// Adds everything of `other`. Saturates.
    pub fn merge(&mut self, other: &Rollup) {
        self.merge_counts(other);
        self.sketch.merge(&other.sketch);
    }

    /// Adds everything of `other` but its sketch, which the caller merges from its stored form.
    pub fn merge_counts(&mut self, other: &Rollup) {
        for (count, more) in [
            (&mut self.ok, other.ok),
            (&mut self.slow, other.slow),
            (&mut self.missed, other.missed),
            (&mut self.unsupported, other.unsupported),
            (&mut self.sum_us, other.sum_us),
        ] {
            *count = count.saturating_add(more);
        }
        for (count, more) in self.failures.iter_mut().zip(other.failures) {
            *count = count.saturating_add(more);
        }
        self.min_us = [self.min_us, other.min_us].into_iter().flatten().min();
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Runs that were made: successful and failed ones.
    pub fn runs(&self) -> u64 {
        self.failed().saturating_add(self.ok)
    }

    /// Runs that failed, of whatever class.
    pub fn failed(&self) -> u64 {
        self.failures.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many rows were counted: runs, and what was due and no run.
    pub fn rows(&self) -> u64 {
        self.runs().saturating_add(self.missed).saturating_add(self.unsupported)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// The share of runs that succeeded, 0 to 1. Absent without runs: unknown is not down.
    pub fn availability(&self) -> Option<f64> {
        let runs = self.runs();
        (runs > 0).then(|| self.ok as f64 / runs as f64)
    }

    /// The mean latency of successful runs, rounded down, microseconds.
    pub fn mean_us(&self) -> Option<u32> {
        let mean = self.sum_us.checked_div(self.ok)?;
        // Only damaged counts lead beyond 32 bits.
        Some(u32::try_from(mean).unwrap_or(u32::MAX))
    }

    /// A quantile of the latencies of successful runs, never outside of the least and the greatest; see
    /// [`Sketch::quantile`].
    pub fn quantile(&self, q: f64) -> Option<u32> {
        let estimate = self.sketch.quantile(q)?;
        let estimate = self.min_us.map_or(estimate, |min| estimate.max(min));
        Some(self.max_us.map_or(estimate, |max| estimate.min(max)))
    }
}

#[cfg(test)]
mod tests;
