//! Which shard is sealed next. Pure: the caller tells the time and what the shards hold.

use super::shard::SHARDS;

/// More rows than this in all heads are sealed without waiting: at 64 bytes a row and with room to grow, 80 MB.
pub const PRESSURE_ROWS: usize = 1_000_000;

/// When each shard was sealed, and when the next is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// How often a shard is sealed, microseconds.
    period: i64,
    /// The least time between two that are merely due: after a gap, the overdue ones do not come all at once.
    spacing: i64,
    sealed: [i64; SHARDS],
    last: i64,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Seal(usize),
    /// Nothing for this long, unless rows press.
    Wait(i64),
}

impl Schedule {
    /// Begins at `now`. The shards that are sealed the least far come first, and all are spread over one period.
    pub fn new(now: i64, cursors: &[i64; SHARDS], period: i64) -> Schedule {
        let each = period / SHARDS as i64;
        let mut order: Vec<usize> = (0..SHARDS).collect();
        order.sort_by_key(|shard| (cursors[*shard], *shard));
        let mut sealed = [0; SHARDS];
        for (rank, shard) in (1..).zip(order) {
            sealed[shard] = now.saturating_sub(period).saturating_add(rank * each);
        }
        let spacing = each / 4;
        Schedule { period, spacing, sealed, last: now.saturating_sub(spacing) }
    }

    /// What to do at `now`, when the shards hold `rows`.
    pub fn next(&mut self, now: i64, rows: &[usize; SHARDS]) -> Next {
        // A clock that was set back is followed.
        self.sealed.iter_mut().chain([&mut self.last]).for_each(|at| *at = now.min(*at));
        let fullest = (0..SHARDS).max_by_key(|shard| rows[*shard]).unwrap_or_default();
        if rows.iter().sum::<usize>() > PRESSURE_ROWS {
            return Next::Seal(fullest);
        }
        let oldest = (0..SHARDS).min_by_key(|shard| self.sealed[*shard]).unwrap_or_default();
        let due = self.sealed[oldest].saturating_add(self.period).max(self.last.saturating_add(self.spacing));
        if due > now { Next::Wait(due.saturating_sub(now)) } else { Next::Seal(oldest) }
    }

    /// Notes that a shard was sealed at `now`, or that it was tried.
    pub fn sealed(&mut self, shard: usize, now: i64) {
        self.sealed[shard] = now;
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: i64 = 1_795_000_000_000_000;
    const PERIOD_US: i64 = 600_000_000;
    const EACH_US: i64 = PERIOD_US / SHARDS as i64;
    const SPACING_US: i64 = EACH_US / 4;

    /// Seals whatever the schedule says, from `now` for `length`; when and what.
    fn play(schedule: &mut Schedule, mut now: i64, length: i64) -> Vec<(i64, usize)> {
        let end = now + length;
        let mut sealed = Vec::new();
        while now < end {
            match schedule.next(now, &[0; SHARDS]) {
                Next::Seal(shard) => {
                    sealed.push((now, shard));
                    schedule.sealed(shard, now);
                }
                Next::Wait(us) => now += us,
            }
        }
        sealed
    }

    #[test]
    fn shards_take_turns_and_those_furthest_behind_begin() {
        let mut cursors = [50; SHARDS];
        cursors[7] = 3;
        cursors[63] = 9;
        let mut schedule = Schedule::new(T0, &cursors, PERIOD_US);
        let sealed = play(&mut schedule, T0, 2 * PERIOD_US);
        assert_eq!(sealed[..2].iter().map(|(_, shard)| *shard).collect::<Vec<_>>(), [7, 63]);
        assert!(sealed.windows(2).all(|pair| pair[1].0 - pair[0].0 == EACH_US), "{sealed:?}");
        for shard in 0..SHARDS {
            let times: Vec<i64> = sealed.iter().filter(|(_, s)| *s == shard).map(|(at, _)| *at).collect();
            assert!(!times.is_empty(), "{shard}");
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == PERIOD_US));
        }
    }

    #[test]
    fn the_shortest_period_that_can_be_asked_for_seals_all_within_it() {
        let mut schedule = Schedule::new(T0, &[0; SHARDS], 1_000_000);
        let sealed = play(&mut schedule, T0, 1_000_001);
        let shards: std::collections::BTreeSet<usize> = sealed.iter().map(|(_, shard)| *shard).collect();
        assert_eq!((sealed.len(), shards.len()), (SHARDS, SHARDS));
    }

    #[test]
    fn pressure_seals_the_fullest_shard_at_once() {
        let mut schedule = Schedule::new(T0, &[0; SHARDS], PERIOD_US);
        let mut rows = [PRESSURE_ROWS / SHARDS; SHARDS];
        assert!(matches!(schedule.next(T0, &rows), Next::Wait(_)));
        rows[40] += SHARDS + 1;
        assert_eq!(schedule.next(T0, &rows), Next::Seal(40));
    }

    #[test]
    fn what_a_gap_left_behind_does_not_come_all_at_once() {
        let mut schedule = Schedule::new(T0, &[0; SHARDS], PERIOD_US);
        let later = T0 + 100 * PERIOD_US;
        let sealed = play(&mut schedule, later, SHARDS as i64 * SPACING_US);
        assert_eq!(sealed.len(), SHARDS);
        assert!(sealed.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SPACING_US));
    }

    proptest! {
        #[test]
        fn every_shard_has_its_turn_whatever_happens(
            cursors in prop::collection::vec(0_i64..1_000, SHARDS),
            steps in prop::collection::vec((-2 * PERIOD_US..2 * PERIOD_US, 0_usize..40_000, 0..SHARDS), 1..40),
        ) {
            let mut schedule = Schedule::new(T0, &cursors.try_into().expect("as many as shards"), PERIOD_US);
            let mut now = T0;
            for (jump, rows, shard) in steps {
                // Clocks jump, also back, and one shard fills.
                now += jump;
                let mut held = [0; SHARDS];
                held[shard] = rows * 50;
                match schedule.next(now, &held) {
                    Next::Seal(which) => {
                        prop_assert!(rows * 50 <= PRESSURE_ROWS || which == shard);
                        schedule.sealed(which, now);
                    }
                    Next::Wait(us) => {
                        prop_assert!(rows * 50 <= PRESSURE_ROWS);
                        prop_assert!((1..=PERIOD_US).contains(&us));
                    }
                }
            }
            // However it came: within two periods without further jumps every shard is sealed.
            let mut seen = [false; SHARDS];
            for (_, which) in play(&mut schedule, now, 2 * PERIOD_US) {
                seen[which] = true;
            }
            prop_assert!(seen.iter().all(|seen| *seen), "{:?}", seen);
        }
    }
}
