//! How long to wait before the next try: exponential with jitter, the one retry rule of all links.

use std::time::Duration;

/// An exponential schedule: `first`, twice that, and so on up to `most`, each ±20 %.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first: Duration,
    pub most: Duration,
}

impl Backoff {
    /// The wait after `failures` consecutive failures (1 or more); `unit` is a random number in 0..1.
    /// Jitter keeps many clients from coming back at the same moment.
    pub fn delay(&self, failures: u32, unit: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let base = self.first.saturating_mul(1 << doublings).min(self.most);
        base.mul_f64(0.8 + 0.4 * unit.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_within_its_bounds(failures in 0u32..10_000, unit in 0.0f64..1.0) {
            let backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(30) };
            let delay = backoff.delay(failures, unit);
            prop_assert!(delay >= Duration::from_millis(160) && delay <= Duration::from_secs(36));
        }
    }

    #[test]
    fn doubles_until_the_most() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(8) };
        let delays: Vec<u64> = (1..=5).map(|n| backoff.delay(n, 0.5).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 8]);
    }
}
