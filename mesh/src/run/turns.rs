//! When packets are due: a fixed grid that begins at a random instant (RFC 3432), each packet moved by up
//! to a tenth of the interval, so that nothing else that is periodic stays in step with it.

use runtime::random::Random;

/// Turns are moved by this share of the interval at most, either way.
const SPREAD: f64 = 0.1;

/// The grid. All times are monotonic, nanoseconds.
#[derive(Debug)]
pub(super) struct Turns {
    origin_ns: i64,
    interval_ns: i64,
    index: i64,
    moved_ns: i64,
    random: Random,
}

impl Turns {
    /// A grid that begins within the first interval from now.
    pub(super) fn new(now_ns: i64, interval_ns: i64, random: Random) -> Self {
        let origin_ns = now_ns + (random.unit() * interval_ns as f64) as i64;
        Self { origin_ns, interval_ns, index: 0, moved_ns: 0, random }
    }

    /// When the next packet is due.
    pub(super) fn next_ns(&self) -> i64 {
        self.origin_ns + self.index * self.interval_ns + self.moved_ns
    }

    /// Takes the turn that is due, and says how many were missed after it: their packets are not sent later, because
    /// a burst is another measurement.
    pub(super) fn take(&mut self, now_ns: i64) -> u32 {
        let reached = (now_ns - self.origin_ns).div_euclid(self.interval_ns).max(self.index);
        let missed = reached - self.index;
        self.index = reached + 1;
        self.moved_ns = ((self.random.unit() * 2.0 - 1.0) * SPREAD * self.interval_ns as f64) as i64;
        u32::try_from(missed).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_keep_to_the_grid_and_differ_by_at_most_a_fifth() {
        let mut turns = Turns::new(5_000, 1_000, Random::seeded(1));
        let origin = turns.origin_ns;
        assert!((5_000..6_000).contains(&origin));
        let mut moved = std::collections::HashSet::new();
        for index in 1..10_000 {
            assert_eq!(turns.take(turns.next_ns()), 0, "a punctual sender misses nothing");
            let off = turns.next_ns() - (origin + index * 1_000);
            assert!(off.abs() <= 100, "{off}");
            moved.insert(off);
        }
        assert!(moved.len() > 150, "they are spread");
    }

    #[test]
    fn turns_that_were_slept_through_are_counted_and_not_made_up_for() {
        let mut turns = Turns::new(0, 1_000, Random::seeded(2));
        let first = turns.next_ns();
        assert_eq!(turns.take(first + 3_500), 3);
        assert!(turns.next_ns() >= first + 4_000 - 100);
    }
}
