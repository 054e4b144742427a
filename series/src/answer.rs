//! The numbers of each bucket: rows and roll-ups go in, in any order; counts, availability and quantiles come out.

use crate::{Corrupt, HOUR_US, Row, grid::Plan, rollup::Rollup};
use std::ops::Range;

/// Hours in a day.
const DAY_H: i64 = 24;

/// The buckets of a plan, being filled.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    plan: &'a Plan,
    buckets: Vec<Rollup>,
}

/// What is known of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub from: i64,
    /// Exclusive.
    pub to: i64,
    /// Successful and failed runs.
    pub runs: u64,
    pub ok: u64,
    /// Failed runs by class, in the order of [`crate::FAIL_CLASSES`].
    pub failures: [u64; 8],
    pub slow: u64,
    pub missed: u64,
    pub unsupported: u64,
    /// The share of runs that succeeded, 0 to 1; absent without runs.
    pub availability: Option<f64>,
    /// Latencies of successful runs; absent without any.
    pub latency: Option<Latency>,
}

/// Latencies of successful runs, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    pub min: u32,
    pub mean: u32,
    pub p50: u32,
    pub p90: u32,
    pub p99: u32,
    pub max: u32,
}

impl<'a> Answer<'a> {
    /// Empty buckets.
    pub fn new(plan: &'a Plan) -> Answer<'a> {
        Answer { plan, buckets: vec![Rollup::default(); plan.grid.buckets as usize] }
    }

    /// Counts a row; one outside of the range is ignored. Rows that are in a roll-up already are for the caller to leave
    /// out.
    pub fn add_row(&mut self, row: &Row) {
        if let Some(bucket) = self.plan.bucket(row.at) {
            self.buckets[bucket].add(row);
        }
    }

    /// Counts the roll-up of an hour since 1970; one that the plan does not ask for is ignored.
    pub fn add_hour(&mut self, hour: i64, rollup: &Rollup) {
        if let Some(bucket) = self.hour(hour) {
            bucket.merge(rollup);
        }
    }

    /// The same with the sketch in its stored form, `counts` being the roll-up with an empty one: no sketch is built.
    ///
    /// # Errors
    /// When the sketch is damaged; nothing is counted then.
    pub fn add_stored_hour(&mut self, hour: i64, counts: &Rollup, sketch: &[u8]) -> Result<(), Corrupt> {
        if let Some(bucket) = self.hour(hour) {
            bucket.sketch.merge_encoded(sketch)?;
            bucket.merge_counts(counts);
        }
        Ok(())
    }

    /// The same for a whole day since 1970, which is ignored too when it is not within one bucket.
    ///
    /// # Errors
    /// When the sketch is damaged; nothing is counted then.
    pub fn add_stored_day(&mut self, day: i64, counts: &Rollup, sketch: &[u8]) -> Result<(), Corrupt> {
        if self.plan.days().contains(&day)
            && let Some(bucket) = self.hour(day * DAY_H)
        {
            bucket.sketch.merge_encoded(sketch)?;
            bucket.merge_counts(counts);
        }
        Ok(())
    }

    fn hour(&mut self, hour: i64) -> Option<&mut Rollup> {
        let at = self.plan.hours.contains(&hour).then(|| hour * HOUR_US)?;
        self.plan.bucket(at).map(|bucket| &mut self.buckets[bucket])
    }

    /// Everything that was counted, in order, for further quantiles.
    pub fn rollups(&self) -> impl Iterator<Item = (Range<i64>, &Rollup)> {
        self.buckets.iter().enumerate().map(|(n, rollup)| (self.plan.bucket_range(n), rollup))
    }

    /// The buckets, in order, the empty ones too.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.rollups().map(|(range, rollup)| Bucket::of(range, rollup))
    }

    /// The whole range as one.
    pub fn total(&self) -> Rollup {
        let mut total = Rollup::default();
        self.buckets.iter().for_each(|bucket| total.merge(bucket));
        total
    }
}

impl Bucket {
    /// What a roll-up says of a range.
    pub fn of(range: Range<i64>, rollup: &Rollup) -> Bucket {
        Bucket {
            from: range.start,
            to: range.end,
            runs: rollup.runs(),
            ok: rollup.ok,
            failures: rollup.failures,
            slow: rollup.slow,
            missed: rollup.missed,
            unsupported: rollup.unsupported,
            availability: rollup.availability(),
            latency: Latency::of(rollup),
        }
    }
}

impl Latency {
    /// Absent when nothing succeeded.
    pub fn of(rollup: &Rollup) -> Option<Latency> {
        Some(Latency {
            min: rollup.min_us?,
            mean: rollup.mean_us()?,
            p50: rollup.quantile(0.5)?,
            p90: rollup.quantile(0.9)?,
            p99: rollup.quantile(0.99)?,
            max: rollup.max_us?,
        })
    }
}

#[cfg(test)]
mod tests;
