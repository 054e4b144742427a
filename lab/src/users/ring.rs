//! The last two minutes of requests in buckets of one second, by the instant at which a request ended.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use wire::Micros;

/// Seconds kept.
const KEPT: usize = 120;
const SECOND: i64 = 1_000_000;

/// One second of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Unix seconds.
    pub second: i64,
    pub total: u64,
    pub failed: u64,
    /// By the region that answered.
    pub regions: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Oldest first; seconds without requests are absent.
    buckets: VecDeque<Bucket>,
}

impl Ring {
    pub fn enter(&mut self, at: Micros, failed: bool, region: Option<String>) {
        let newest = self.buckets.back().map(|bucket| bucket.second);
        // A clock that steps back must not disturb the order: such requests count for the newest second.
        let second = at.0.div_euclid(SECOND).max(newest.unwrap_or(i64::MIN));
        if newest != Some(second) {
            self.buckets.push_back(Bucket { second, ..Bucket::default() });
            let old = second.saturating_sub(KEPT as i64);
            self.buckets.retain(|bucket| bucket.second > old);
        }
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.total += 1;
            bucket.failed += u64::from(failed);
            if let Some(region) = region {
                *bucket.regions.entry(region).or_default() += 1;
            }
        }
    }

    pub fn snapshot(&self) -> UsersSnapshot {
        UsersSnapshot { buckets: self.buckets.iter().cloned().collect() }
    }
}

/// The last two minutes at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UsersSnapshot {
    /// Oldest first; seconds without requests are absent.
    pub buckets: Vec<Bucket>,
}

impl UsersSnapshot {
    /// Requests that failed from `from` until before `to`. Whole seconds count: those that the span touches.
    pub fn failed_between(&self, from: Micros, to: Micros) -> u64 {
        self.between(from, to).map(|bucket| bucket.failed).sum()
    }

    /// Requests that ended from `from` until before `to`, counted the same way.
    pub fn total_between(&self, from: Micros, to: Micros) -> u64 {
        self.between(from, to).map(|bucket| bucket.total).sum()
    }

    /// Requests by the region that answered, counted the same way.
    pub fn regions_between(&self, from: Micros, to: Micros) -> BTreeMap<String, u64> {
        let mut regions = BTreeMap::new();
        for (region, count) in self.between(from, to).flat_map(|bucket| &bucket.regions) {
            *regions.entry(region.clone()).or_default() += count;
        }
        regions
    }

    fn between(&self, from: Micros, to: Micros) -> impl Iterator<Item = &Bucket> {
        let first = from.0.div_euclid(SECOND);
        self.buckets.iter().filter(move |b| b.second >= first && b.second.saturating_mul(SECOND) < to.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Micros {
        Micros(seconds * SECOND + 1)
    }

    #[test]
    fn counts_spans_and_forgets_the_old() {
        let mut ring = Ring::default();
        for second in 1000..1300 {
            ring.enter(at(second), second % 2 == 0, Some("a".into()));
        }
        let seen = ring.snapshot();
        assert_eq!(seen.buckets.len(), KEPT);
        assert_eq!(seen.total_between(at(0), at(2000)), KEPT as u64);
        assert_eq!(seen.failed_between(Micros(1290 * SECOND), Micros(1294 * SECOND)), 2);
        assert_eq!(seen.failed_between(at(1290), at(1290)), 1, "a span touches its seconds");
        assert_eq!(seen.failed_between(at(1294), at(1290)), 0);
        assert_eq!(seen.regions_between(at(1298), at(1300))["a"], 2);
    }

    #[test]
    fn a_clock_that_steps_back_keeps_the_order() {
        let mut ring = Ring::default();
        ring.enter(at(50), true, None);
        ring.enter(at(10), true, None);
        assert_eq!(ring.snapshot().buckets.len(), 1);
        assert_eq!(ring.snapshot().failed_between(at(50), at(51)), 2);
    }
}
