//! When a sample was, by our clock, and what is unusual about how it arrived.

use std::time::Duration;
use wire::{Micros, instant};

/// A sample that arrives longer after it was is late.
const LATE: Duration = Duration::from_secs(600);
/// A sample that arrives before it was, by more than this, is dated in the future. Up to a second the clocks of probes
/// are not corrected.
const AHEAD: Duration = Duration::from_secs(1);
/// A sample that arrives longer after it was stays in the log and enters no history.
pub const OLDEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How samples of one probe arrived since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Taken into the history.
    pub taken: u64,
    /// More than ten minutes after they were; taken.
    pub late: u64,
    /// From the future, also by the corrected clock of their probe; taken, as if they were of the moment they arrived.
    pub ahead: u64,
    /// More than seven days after they were; left in the log.
    pub too_old: u64,
    /// Of a check, target or step that this probe is not configured for; left in the log.
    pub unconfigured: u64,
}

impl Arrivals {
    /// Adds other counts.
    pub fn add(&mut self, other: &Arrivals) {
        self.taken += other.taken;
        self.late += other.late;
        self.ahead += other.ahead;
        self.too_old += other.too_old;
        self.unconfigured += other.unconfigured;
    }
}

/// When a sample was by our clock: its start by the probe's clock, corrected, and never after it was received.
pub fn at(started: Micros, clock_us: i64, received: Micros) -> Micros {
    started.plus_us(clock_us).min(received)
}

/// Sorts a sample by its age, and counts it. Returns when it was, or nothing when it is too old.
pub fn judge(started: Micros, clock_us: i64, received: Micros, counts: &mut Arrivals) -> Option<Micros> {
    let age = received.since(started.plus_us(clock_us));
    if age > instant::us(OLDEST) {
        counts.too_old += 1;
        return None;
    }
    counts.taken += 1;
    counts.late += u64::from(age > instant::us(LATE));
    counts.ahead += u64::from(age < -instant::us(AHEAD));
    Some(at(started, clock_us, received))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Micros = Micros(1_795_000_000_000_000);
    const SECOND: i64 = 1_000_000;

    fn judged(age_s: i64, clock_s: i64) -> (Option<i64>, Arrivals) {
        let mut counts = Arrivals::default();
        let at = judge(NOW.plus_us(-age_s * SECOND), clock_s * SECOND, NOW, &mut counts);
        (at.map(|at| NOW.since(at) / SECOND), counts)
    }

    #[test]
    fn samples_are_sorted_by_their_age() {
        let taken = Arrivals { taken: 1, ..Arrivals::default() };
        assert_eq!(judged(5, 0), (Some(5), taken));
        assert_eq!(judged(600, 0), (Some(600), taken));
        assert_eq!(judged(601, 0), (Some(601), Arrivals { late: 1, ..taken }));
        assert_eq!(judged(-1, 0), (Some(0), taken));
        assert_eq!(judged(-3_600, 0), (Some(0), Arrivals { ahead: 1, ..taken }));
        assert_eq!(judged(7 * 86_400, 0), (Some(7 * 86_400), Arrivals { late: 1, ..taken }));
        assert_eq!(judged(7 * 86_400 + 1, 0), (None, Arrivals { too_old: 1, ..Arrivals::default() }));
    }

    #[test]
    fn the_clock_of_the_probe_is_corrected() {
        // An hour ahead: what it says is from the future was five seconds ago.
        let taken = Arrivals { taken: 1, ..Arrivals::default() };
        assert_eq!(judged(5 - 3_600, -3_600), (Some(5), taken));
        assert_eq!(judged(5 + 3_600, 3_600), (Some(5), taken));
    }

    proptest! {
        #[test]
        fn no_sample_is_from_the_future(started: i64, clock_us: i64, received: i64) {
            let mut counts = Arrivals::default();
            if let Some(at) = judge(Micros(started), clock_us, Micros(received), &mut counts) {
                prop_assert!(at.0 <= received);
                prop_assert!(received.saturating_sub(at.0) <= instant::us(OLDEST));
            }
            prop_assert_eq!(counts.taken + counts.too_old, 1);
        }
    }
}
