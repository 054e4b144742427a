use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const T0: i64 = 1_795_000_000_000_000;
const PERIOD_US: i64 = 600_000_000;
const EACH_US: i64 = PERIOD_US / SHARDS as i64;
const SPACING_US: i64 = EACH_US / 4;
/// How often the sealer looks.
const TICK_US: i64 = 100_000;

fn at(cursors: [i64; SHARDS]) -> [Held; SHARDS] {
    cursors.map(|cursor| Held { cursor, ..Held::default() })
}

fn holding(rows: [usize; SHARDS]) -> [Held; SHARDS] {
    rows.map(|rows| Held { rows, ..Held::default() })
}

/// Seals whatever the schedule says, from `now` for `length`; when and what.
fn play(schedule: &mut Schedule, mut now: i64, length: i64) -> Vec<(i64, usize)> {
    let end = now + length;
    let mut sealed = Vec::new();
    while now < end {
        match schedule.next(now, &at([0; SHARDS])) {
            Next::Seal(shard) => {
                sealed.push((now, shard));
                schedule.sealed(shard, now);
            }
            Next::Follow => schedule.followed(now),
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
    let mut schedule = Schedule::new(T0, &at(cursors), PERIOD_US);
    let sealed = play(&mut schedule, T0, 2 * PERIOD_US);
    assert_eq!(sealed[0], (T0, 7), "a process that ends soon has sealed something");
    assert_eq!(sealed[1].1, 63);
    assert!(sealed.windows(2).all(|pair| pair[1].0 - pair[0].0 == EACH_US), "{sealed:?}");
    for shard in 0..SHARDS {
        let times: Vec<i64> = sealed.iter().filter(|(_, s)| *s == shard).map(|(at, _)| *at).collect();
        assert!(!times.is_empty(), "{shard}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == PERIOD_US));
    }
}

#[test]
fn the_shortest_period_that_can_be_asked_for_seals_all_within_it() {
    let mut schedule = Schedule::new(T0, &at([0; SHARDS]), 1_000_000);
    let sealed = play(&mut schedule, T0, 1_000_000);
    let shards: BTreeSet<usize> = sealed.iter().map(|(_, shard)| *shard).collect();
    assert_eq!((sealed.len(), shards.len()), (SHARDS, SHARDS));
}

#[test]
fn a_shard_that_cannot_be_sealed_holds_up_no_other() {
    let mut schedule = Schedule::new(T0, &at([0; SHARDS]), PERIOD_US);
    // It is the fullest and the furthest behind, and it stays so.
    let mut held = holding([2_000; SHARDS]);
    held[5] = Held { rows: 2 * PRESSURE_ROWS, cursor: 0, behind: 3 * DISTANCE };
    let (mut now, mut tried, mut sealed) = (T0, Vec::new(), BTreeSet::new());
    while now < T0 + PERIOD_US {
        match schedule.next(now, &held) {
            Next::Seal(5) => {
                tried.push(now);
                schedule.failed(5, now);
            }
            Next::Seal(shard) => {
                sealed.insert(shard);
                schedule.sealed(shard, now);
            }
            Next::Follow => schedule.followed(now),
            Next::Wait(us) => now += us.min(TICK_US),
        }
    }
    assert_eq!(sealed.len(), SHARDS - 1);
    assert!(tried.len() > 10 && tried.windows(2).all(|pair| pair[1] - pair[0] >= REST_US), "{tried:?}");
}

#[test]
fn pressure_seals_the_fullest_shard_at_once() {
    let mut schedule = Schedule::new(T0 - 1, &at([0; SHARDS]), PERIOD_US);
    schedule.sealed(0, T0 - 1);
    let mut rows = [PRESSURE_ROWS / SHARDS; SHARDS];
    assert!(matches!(schedule.next(T0, &holding(rows)), Next::Wait(_)));
    rows[40] += SHARDS + 1;
    assert_eq!(schedule.next(T0, &holding(rows)), Next::Seal(40));
}

#[test]
fn what_a_gap_left_behind_does_not_come_all_at_once() {
    let mut schedule = Schedule::new(T0, &at([0; SHARDS]), PERIOD_US);
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
        let mut schedule = Schedule::new(T0, &at(cursors.try_into().expect("as many as shards")), PERIOD_US);
        let mut now = T0;
        for (jump, rows, shard) in steps {
            // Clocks jump, also back, and one shard fills.
            now += jump;
            let mut held = [0; SHARDS];
            held[shard] = rows * 50;
            match schedule.next(now, &holding(held)) {
                Next::Seal(which) => {
                    prop_assert!(rows * 50 <= PRESSURE_ROWS || which == shard);
                    schedule.sealed(which, now);
                }
                Next::Follow => prop_assert!(false, "no cursor is behind"),
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

/// A log, and how far each shard is sealed in it. A position is a sample.
#[derive(Debug, Clone)]
struct World {
    now: i64,
    end: u64,
    /// The end of the log as far as the process has read it.
    read: u64,
    cursors: [u64; SHARDS],
    /// Where the rows of each shard are that are not sealed.
    rows: Vec<Vec<(u64, usize)>>,
    schedule: Option<Schedule>,
    /// What was sealed, and how often the cursors of shards without rows followed.
    sealed: Vec<usize>,
    followed: usize,
}

impl World {
    fn new() -> World {
        World {
            now: T0,
            end: 0,
            read: 0,
            cursors: [0; SHARDS],
            rows: vec![Vec::new(); SHARDS],
            schedule: None,
            sealed: Vec::new(),
            followed: 0,
        }
    }

    fn held(&self) -> [Held; SHARDS] {
        std::array::from_fn(|shard| Held {
            rows: self.rows[shard].iter().filter(|(at, _)| *at <= self.read).map(|(_, count)| count).sum(),
            cursor: self.cursors[shard] as i64,
            behind: self.read.saturating_sub(self.cursors[shard]),
        })
    }

    /// How much a restart would read now.
    fn replay(&self) -> u64 {
        self.end - self.cursors.iter().copied().min().unwrap_or_default()
    }

    /// The log grows by samples, and some shards get them as rows.
    fn grow(&mut self, samples: u64, shards: impl Fn(usize) -> bool) {
        self.end += samples;
        let chosen: Vec<usize> = (0..SHARDS).filter(|shard| shards(*shard)).collect();
        for shard in &chosen {
            self.rows[*shard].push((self.end, samples as usize / chosen.len().max(1)));
        }
    }

    /// One look of a sealer that gets one thing done in it.
    fn look(&mut self) {
        let held = self.held();
        let now = self.now;
        let schedule = self.schedule.get_or_insert_with(|| Schedule::new(now, &held, PERIOD_US));
        let next = schedule.next(now, &held);
        match next {
            Next::Seal(shard) => {
                schedule.sealed(shard, now);
                self.sealed.push(shard);
                // One without rows has nothing to seal; its cursor follows with the others'.
                if held[shard].rows > 0 {
                    self.cursors[shard] = self.read;
                }
            }
            Next::Follow => {
                schedule.followed(now);
                self.followed += 1;
                for shard in (0..SHARDS).filter(|shard| held[*shard].rows == 0) {
                    self.cursors[shard] = self.cursors[shard].max(self.read);
                }
            }
            Next::Wait(_) => {}
        }
        let cursors = self.cursors;
        for (rows, cursor) in self.rows.iter_mut().zip(cursors) {
            rows.retain(|(at, _)| *at > cursor);
        }
        self.now += TICK_US;
    }

    /// The process is killed; another one begins to read after the least cursor.
    fn restart(&mut self) {
        self.schedule = None;
        self.read = self.cursors.iter().copied().min().unwrap_or_default();
    }
}

/// Which shards get rows: all, a few, one, none, or others each time.
fn load() -> impl Strategy<Value = (u64, u64, u32)> {
    let mask = prop_oneof![Just(u64::MAX), any::<u64>(), (0..SHARDS).prop_map(|one| 1 << one), Just(0)];
    (mask, 0..=DISTANCE / 128, 1_u32..100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// The sealer gets one thing done while 1/128 of the distance is added, at most.
    #[test]
    fn a_restart_never_reads_much(loads in prop::collection::vec(load(), 1..16)) {
        let mut world = World::new();
        for (mask, samples, looks) in loads {
            for _ in 0..looks {
                world.grow(samples, |shard| mask >> shard & 1 == 1);
                world.read = world.end;
                world.look();
                // What comes while the furthest one is sealed is on top.
                prop_assert!(world.replay() <= DISTANCE + DISTANCE / 32, "{}", world.replay());
            }
        }
    }

    /// However far the sealer was left behind, it does it one at a time, all of them, and gets to where it should be.
    #[test]
    fn a_backlog_is_sealed_bit_by_bit(
        behind in prop::collection::vec(0..10 * DISTANCE, SHARDS),
        samples in 0..=DISTANCE / 128,
    ) {
        let mut world = World::new();
        for back in behind {
            world.grow(back, |_| true);
            world.read = world.end;
        }
        for looks in 1.. {
            world.look();
            world.grow(samples, |_| true);
            world.read = world.end;
            if world.replay() <= DISTANCE {
                break;
            }
            // Each look does one thing. What is furthest has its turn first, so nobody waits for longer than all others
            // take; those without rows cost little of it.
            let sealed: BTreeSet<usize> = world.sealed.iter().copied().collect();
            prop_assert_eq!(sealed.len() + world.followed, looks);
            prop_assert!(world.followed <= 1 + looks.div_ceil(16));
            prop_assert!(sealed.len() < SHARDS, "{} after all were sealed", world.replay());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Lives of some seconds, in which the log grows and the process reads only so much of it back.
    #[test]
    fn short_lives_get_on(
        lives in prop::collection::vec((1_u32..60, 0..DISTANCE / 128), 30),
        speed in DISTANCE / 40..DISTANCE,
        busy in any::<u64>(),
    ) {
        let mut world = World::new();
        let mut before = 0;
        for (number, (looks, samples)) in lives.iter().cycle().take(100).enumerate() {
            world.restart();
            for _ in 0..*looks {
                world.grow(*samples, |shard| busy >> shard & 1 == 1);
                world.read = world.end.min(world.read + speed);
                world.look();
            }
            prop_assert!(world.replay() <= 2 * DISTANCE, "life {number}: {}", world.replay());
            // With little load nothing is ever far; but also then each life takes the shard furthest behind.
            if number % 50 == 49 {
                let least = world.cursors.iter().copied().min().unwrap_or_default();
                prop_assert!(least > before || world.end == before, "stuck at {least}");
                before = least;
            }
        }
    }
}
