//! Where the probes' clocks stand, as far as it matters: what is to be added to a probe's instants.
//!
//! Receive time minus send time is the difference of the clocks plus the time on the way. The quickest batch of the
//! last two minutes has the least of the latter, so a delayed batch is not taken for a clock that is behind. A clock
//! that is within [`NEAR_US`] is believed, because correcting it would only add the jitter of the way.

use runtime::lock::lock;
use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};
use wire::{Micros, ProbeId};

/// A clock this near is right, microseconds.
const NEAR_US: i64 = 1_000_000;
/// No batch is on the way for so much longer than the quickest: its probe's clock was set back, microseconds.
const SET_US: i64 = 60_000_000;
/// The length of a bucket, microseconds.
const BUCKET_US: i64 = 10_000_000;
/// How many buckets count.
const BUCKETS: i64 = 12;

/// The clocks of all probes.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<ProbeId, VecDeque<(i64, i64)>>>);

impl Clocks {
    /// Learns from a batch, and says what is to be added to the probe's instants in it, microseconds.
    pub fn correction(&self, probe: &ProbeId, received: Micros, sent: Micros) -> i64 {
        let mut clocks = lock(&self.0);
        let least = match clocks.get_mut(probe) {
            Some(buckets) => quickest(buckets, received, received.since(sent)),
            None => quickest(clocks.entry(probe.clone()).or_default(), received, received.since(sent)),
        };
        if least.abs() <= NEAR_US { 0 } else { least }
    }
}

/// Enters how far apart send and receive time were, and returns the least of the last buckets.
fn quickest(buckets: &mut VecDeque<(i64, i64)>, received: Micros, apart: i64) -> i64 {
    let bucket = received.0.div_euclid(BUCKET_US);
    let least = buckets.iter().map(|(_, least)| *least).min();
    if least.is_some_and(|least| apart.saturating_sub(least) > SET_US) {
        buckets.clear();
    }
    match buckets.back_mut() {
        Some((last, least)) if *last == bucket => *least = (*least).min(apart),
        _ => buckets.push_back((bucket, apart)),
    }
    while buckets.front().is_some_and(|(first, _)| *first <= bucket - BUCKETS || *first > bucket) {
        buckets.pop_front();
    }
    buckets.iter().map(|(_, least)| *least).min().unwrap_or(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Micros {
        Micros(n * 1_000_000)
    }

    #[test]
    fn only_a_clock_that_is_off_is_corrected() {
        let clocks = Clocks::default();
        let probe: ProbeId = "p1".parse().expect("an id");
        assert_eq!(clocks.correction(&probe, second(1_000), second(1_000).plus_us(-300)), 0);
        // A minute on the way: the clock is as near as before.
        assert_eq!(clocks.correction(&probe, second(1_060), second(1_000)), 0);
        // An hour ahead.
        assert_eq!(clocks.correction(&probe, second(1_100), second(4_700)), -3_600_000_000);
        assert_eq!(clocks.correction(&probe, second(1_101), second(1_101)), 0, "it was set right");
        clocks.correction(&probe, second(1_102), Micros(i64::MAX));
        assert_eq!(
            clocks.correction(&probe, second(1_103), second(1_103)),
            0,
            "nonsense does no harm for long"
        );
        let behind: ProbeId = "p2".parse().expect("an id");
        assert_eq!(clocks.correction(&behind, second(5_000), second(4_000)), 1_000_000_000);
        assert_eq!(clocks.correction(&behind, second(5_001), second(5_001)), 0, "it was set right");
    }
}
