//! How far a probe's clock is from ours, as far as it can be told from when its batches are sent and arrive.
//!
//! Receive time minus send time is the difference of the clocks plus the time on the way. The quickest batch of the last
//! two minutes has the least of the latter, so a batch that was long under way makes its samples no younger, and a delayed
//! one is not taken for a clock that is behind.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use wire::Micros;

/// The length of a bucket, microseconds.
const BUCKET_US: i64 = 10_000_000;
/// How many buckets count: two minutes. A clock that was set back by less than [`SET_US`] is believed after that.
const BUCKETS: usize = 12;
/// No batch is on the way for so much longer than the quickest: the clock was set back by the rest, microseconds.
const SET_US: i64 = 60_000_000;

/// The least of receive time minus send time in each of the last buckets of time, oldest first. Stored as a list of pairs:
/// the number of the bucket, and microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quickest(VecDeque<(i64, i64)>);

impl Quickest {
    /// Learns how far apart a batch's send and receive time were, microseconds, and says the least of the last two
    /// minutes.
    pub fn learn(&mut self, received: Micros, apart: i64) -> i64 {
        let bucket = received.0.div_euclid(BUCKET_US);
        if self.least().is_some_and(|least| apart.saturating_sub(least) > SET_US) {
            self.0.clear();
        }
        match self.0.back_mut() {
            Some((last, least)) if *last == bucket => *least = (*least).min(apart),
            _ => self.0.push_back((bucket, apart)),
        }
        // Our own clock may be set back too: what lies ahead of it is forgotten.
        let counts = bucket.saturating_sub(BUCKETS as i64) + 1..=bucket;
        while self.0.front().is_some_and(|(first, _)| !counts.contains(first)) || self.0.len() > BUCKETS {
            self.0.pop_front();
        }
        self.least().unwrap_or(apart)
    }

    fn least(&self) -> Option<i64> {
        self.0.iter().map(|(_, least)| *least).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Micros {
        Micros(n * 1_000_000)
    }

    #[test]
    fn the_quickest_of_two_minutes_counts() {
        let mut quickest = Quickest::default();
        assert_eq!(quickest.learn(second(1_000), 300), 300);
        assert_eq!(quickest.learn(second(1_001), 40_000_000), 300, "it was only long under way");
        assert_eq!(quickest.learn(second(1_002), 200), 200);
        assert_eq!(quickest.learn(second(1_119), 900), 200, "still in the window");
        assert_eq!(quickest.learn(second(1_120), 800), 800, "the window has moved on");
        assert_eq!(quickest.learn(second(1_240), 950), 950);
    }

    #[test]
    fn a_clock_that_was_set_is_believed() {
        let mut quickest = Quickest::default();
        quickest.learn(second(1_000), 300);
        assert_eq!(quickest.learn(second(1_001), -3_600_000_000), -3_600_000_000, "ahead: at once");
        assert_eq!(quickest.learn(second(1_002), 300), 300, "back by more than a minute: at once");
        assert_eq!(quickest.learn(second(1_003), 300 + SET_US), 300, "by a minute: perhaps under way");
        assert_eq!(quickest.learn(second(1_130), 300 + SET_US), 300 + SET_US, "believed two minutes later");
    }

    #[test]
    fn nonsense_and_a_clock_of_ours_that_goes_back_do_no_harm() {
        let mut quickest = Quickest::default();
        quickest.learn(Micros(i64::MAX), i64::MIN);
        assert_eq!(quickest.learn(second(5), 70), 70);
        assert_eq!(quickest.learn(Micros(i64::MIN), i64::MAX), i64::MAX);
        assert_eq!(quickest.learn(second(6), 80), 80);
        for n in (0..1_000).rev() {
            quickest.learn(second(n * 10), 90);
            assert!(quickest.0.len() <= BUCKETS);
        }
    }

    #[test]
    fn it_is_stored_as_the_pairs_that_databases_have() {
        let stored = "[[100,300],[101,200]]";
        let mut quickest: Quickest = serde_json::from_str(stored).expect("as it was stored before");
        assert_eq!(serde_json::to_string(&quickest).expect("JSON"), stored);
        assert_eq!(quickest.learn(second(1_020), 900), 200);
    }
}
