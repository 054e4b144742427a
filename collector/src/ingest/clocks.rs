//! Where the probes' clocks stand, as far as it matters: what is to be added to a probe's instants.
//!
//! The quickest batch tells it ([`Quickest`]). A clock that is within [`NEAR_US`] is believed, because correcting it would
//! only add the jitter of the way.

use crate::clocks::Quickest;
use runtime::lock::lock;
use std::{collections::HashMap, sync::Mutex};
use wire::{Micros, ProbeId};

/// A clock this near is right, microseconds.
const NEAR_US: i64 = 1_000_000;
/// The clocks of all probes.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<ProbeId, Quickest>>);

impl Clocks {
    /// Learns from a batch, and says what is to be added to the probe's instants in it, microseconds.
    pub fn correction(&self, probe: &ProbeId, received: Micros, sent: Micros) -> i64 {
        let mut clocks = lock(&self.0);
        let least = match clocks.get_mut(probe) {
            Some(quickest) => quickest.learn(received, received.since(sent)),
            None => clocks.entry(probe.clone()).or_default().learn(received, received.since(sent)),
        };
        if least.abs() <= NEAR_US { 0 } else { least }
    }
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
