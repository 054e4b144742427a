//! The whole life of rows, at random: reports that are late, out of order and from several days, two collectors that
//! take turns as the decider, flushes, restarts. Whatever happens, what is in memory above the cursors and what is in
//! the database together are exactly the rows of the log, and the roll-ups are those of all sealed rows.

use super::{CHECKS, HOUR_US, Rows, T0, block_on, open, report, rollups, sample, step, stored};
use crate::{
    history::{History, SEAL_EVERY, SHARDS, SeriesKey, at, compactor::Compactor, sealer::Sealer, shard_of},
    store::{Error, Store, conformance::Engine},
};
use proptest::{prelude::*, strategy::ValueTree};
use runtime::clock::ManualClock;
use series::Row;
use wire::{
    Micros,
    report::Report,
    sample::{FailClass, Outcome, Trigger},
};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A probe reports: which check and target, how old, how it ended.
    Report { probe: bool, clock_s: i64, samples: Vec<(usize, bool, i64, u8)> },
    /// A collector reads some entries of the log.
    Read { who: usize, count: usize },
    /// A collector seals the shard of a check, and may do so only while it decides.
    Seal { who: usize, check: usize },
    /// The decider lets the cursors of idle shards follow.
    Idle,
    /// A collector looks what the other has done.
    Refresh { who: usize },
    /// A collector is killed and starts again.
    Restart { who: usize },
    /// The other one takes the lease.
    TakeOver,
    /// The decider merges what was flushed of all checks, or all segments of one.
    Compact { check: Option<usize> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let age = prop_oneof![
        4 => 0_i64..600,
        2 => 0_i64..6 * 3_600,
        2 => 0_i64..7 * 86_400,
        1 => 7 * 86_400_i64..9 * 86_400,
        1 => -100_i64..0,
    ];
    let run = (0..CHECKS.len() + 1, any::<bool>(), age, 0_u8..8);
    let clock = prop_oneof![5 => Just(0_i64), 1 => -7_200_i64..7_200];
    let step = prop_oneof![
        6 => (any::<bool>(), clock, prop::collection::vec(run, 0..12))
            .prop_map(|(probe, clock_s, samples)| Step::Report { probe, clock_s, samples }),
        4 => (0..2_usize, 1..6_usize).prop_map(|(who, count)| Step::Read { who, count }),
        5 => (0..2_usize, 0..CHECKS.len()).prop_map(|(who, check)| Step::Seal { who, check }),
        1 => Just(Step::Idle),
        1 => (0..2_usize).prop_map(|who| Step::Refresh { who }),
        1 => (0..2_usize).prop_map(|who| Step::Restart { who }),
        1 => Just(Step::TakeOver),
        2 => prop::option::of(0..CHECKS.len()).prop_map(|check| Step::Compact { check }),
    ];
    prop::collection::vec(step, 1..60)
}

/// An entry of the log.
struct Entry {
    position: i64,
    received: Micros,
    clock_us: i64,
    report: Report,
}

/// A collector's memory.
struct Member {
    history: History,
    sealer: Sealer,
    /// How many entries of the log it has read.
    read: usize,
    term: i64,
}

struct World {
    store: Store,
    log: Vec<Entry>,
    members: Vec<Member>,
    decider: usize,
    clock: ManualClock,
}

impl World {
    async fn new(store: Store) -> World {
        let clock = ManualClock::at(T0);
        let mut world = World { store, log: Vec::new(), members: Vec::new(), decider: 0, clock };
        for _ in 0..2 {
            let member = world.member(0).await;
            world.members.push(member);
        }
        world.members[0].term = world.store.take_lease("0", T0).await.expect("taken");
        world
    }

    /// A collector that has just started.
    async fn member(&self, term: i64) -> Member {
        let history = open(&self.store, &self.clock).await;
        let least = history.cursor_min();
        let read = self.log.partition_point(|entry| entry.position <= least);
        let mut sealer = Sealer::new(history.clone(), SEAL_EVERY);
        sealer.refresh().await.expect("read").expect("never back");
        Member { sealer, history, read, term }
    }

    async fn play(&mut self, step: Step) {
        match step {
            Step::Report { probe, clock_s, samples } => self.report(probe, clock_s, &samples),
            Step::Read { who, count } => self.read(who, count),
            Step::Seal { who, check } => self.seal(who, shard_of(CHECKS[check])).await,
            Step::Idle => {
                let member = &self.members[self.decider];
                member.sealer.advance(member.term).await.expect("advanced");
            }
            Step::Refresh { who } => {
                self.members[who].sealer.refresh().await.expect("read").expect("never back");
            }
            Step::Restart { who } => self.members[who] = self.member(self.members[who].term).await,
            Step::TakeOver => {
                self.decider = 1 - self.decider;
                self.members[self.decider].term = self.store.take_lease("next", T0).await.expect("taken");
            }
            Step::Compact { check } => {
                let member = &self.members[self.decider];
                let compactor = Compactor::new(member.history.clone());
                for (of, _) in self.store.uncompacted(i64::MAX, 1, 100).await.expect("read") {
                    if check.is_none_or(|check| of.check == CHECKS[check]) {
                        compactor.compact(member.term, &of, check.is_some()).await.expect("compacted");
                    }
                }
                let other = &self.members[1 - self.decider];
                let fenced = Compactor::new(other.history.clone());
                for (of, _) in self.store.uncompacted(i64::MAX, 1, 1).await.expect("read") {
                    fenced.compact(other.term, &of, true).await.expect_err("the other one decides");
                }
            }
        }
    }

    fn report(&mut self, probe: bool, clock_s: i64, samples: &[(usize, bool, i64, u8)]) {
        self.clock.advance_us(HOUR_US / 4 + 1_234_567);
        let received = Micros(runtime::clock::Clock::now(&self.clock).0);
        let runs = samples.iter().map(|(check, target, age_s, outcome)| {
            let mut run = sample(CHECKS.get(*check).unwrap_or(&"gone"), if *target { "a" } else { "b" }, 0);
            run.started = received.plus_us(-(age_s + clock_s) * 1_000_000);
            run.scheduled = run.started;
            run.total_us += u32::from(*outcome) * 1_111;
            run.outcome = match outcome {
                0 => Outcome::Fail(FailClass::Timeout),
                1 => Outcome::Missed,
                _ => Outcome::Ok,
            };
            run.trigger = match outcome {
                6 => Trigger::Confirm,
                7 => Trigger::Proof,
                _ => Trigger::Schedule,
            };
            if *check == 1 {
                run.steps = vec![step("open"), step("invented")];
            }
            run
        });
        // Positions have gaps.
        let position = self.log.last().map_or(1, |entry| entry.position + 1 + i64::from(probe));
        let report = report(if probe { "p" } else { "q" }, position, runs.collect());
        self.log.push(Entry { position, received, clock_us: clock_s * 1_000_000, report });
    }

    fn read(&mut self, who: usize, count: usize) {
        let member = &mut self.members[who];
        for entry in self.log.iter().skip(member.read).take(count) {
            member.history.take(entry.position, entry.received, entry.clock_us, &entry.report);
            member.read += 1;
        }
    }

    async fn seal(&mut self, who: usize, shard: usize) {
        let before = stored(&self.store).await;
        let member = &mut self.members[who];
        let sealed = member.sealer.seal(member.term, shard).await;
        if who == self.decider {
            if !sealed.expect("sealed") {
                // The other one had sealed it since.
                member.sealer.refresh().await.expect("read").expect("never back");
                assert!(member.sealer.seal(member.term, shard).await.expect("sealed"));
            }
        } else {
            let nothing_to_do = member.history.heads().unsealed(shard).series.is_empty();
            match sealed {
                Err(crate::history::Error::Store(Error::Fenced { term })) => assert_eq!(term, member.term),
                Ok(true) => assert!(nothing_to_do),
                other => panic!("{other:?}"),
            }
            assert_eq!(stored(&self.store).await, before, "a decider that was overtaken writes nothing");
        }
    }

    /// The rows of log entries up to a position, of checks in some shards.
    fn expected(&self, upto: impl Fn(&str) -> i64) -> Rows {
        let mut rows = Rows::default();
        for entry in &self.log {
            for sample in &entry.report.samples {
                let at = at(sample.started, entry.clock_us, entry.received);
                let check = sample.check.as_str();
                let old = entry.received.0 - at.0 > 7 * 24 * HOUR_US;
                let dns = entry.report.probe.as_str() == "p" && sample.target.to_string() == "a";
                let known = CHECKS.contains(&check) && (check != "dns" || dns);
                if old || !known || entry.position > upto(check) {
                    continue;
                }
                let key = SeriesKey {
                    check: check.into(),
                    probe: entry.report.probe.to_string(),
                    target: sample.target.to_string(),
                    part: String::new(),
                };
                for step in sample.steps.iter().filter(|step| step.name == "open") {
                    let key = SeriesKey { part: "open".into(), ..key.clone() };
                    rows.add(key, Row::of_step(step, sample, at));
                }
                rows.add(key, Row::of(sample, at));
            }
        }
        rows
    }

    /// What must always hold.
    async fn check(&mut self) {
        let state = self.store.seal_state().await.expect("read");
        let cursor = |check: &str| state.cursors[shard_of(check)];
        let stored = stored(&self.store).await;
        assert_eq!(stored, self.expected(cursor), "sealed is what is up to the cursors");
        assert_eq!(rollups(&self.store).await, stored.rollups(), "roll-ups are those of all sealed rows");
        for who in 0..self.members.len() {
            let taken = self.members[who].history.heads().taken();
            let mut all = stored.clone();
            for check in CHECKS {
                self.members[who].history.heads().each(check, |key, head| {
                    for (position, row) in head.rows(i64::MIN, i64::MAX) {
                        if position > cursor(check) {
                            all.add(key.clone(), row);
                        }
                    }
                });
            }
            let expected = self.expected(|check| cursor(check).max(taken));
            assert_eq!(all, expected, "memory and database of {who}");
        }
    }

    /// Everything to the end: all is read and sealed.
    async fn finish(&mut self) {
        for who in 0..2 {
            self.read(who, usize::MAX);
        }
        let decider = self.decider;
        self.members[decider].sealer.refresh().await.expect("read").expect("never back");
        for shard in 0..SHARDS {
            self.seal(decider, shard).await;
        }
        self.check().await;
        assert_eq!(self.members[decider].history.heads().rows(), 0);
        let last = self.log.last().map_or(0, |entry| entry.position);
        assert_eq!(stored(&self.store).await, self.expected(|_| last));
    }
}

async fn live(store: Store, steps: Vec<Step>) {
    let mut world = World::new(store).await;
    for (number, step) in steps.into_iter().enumerate() {
        world.play(step).await;
        if number % 8 == 7 {
            world.check().await;
        }
    }
    world.check().await;
    world.finish().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_row_is_lost_and_none_counts_twice(steps in steps()) {
        block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
            live(store.clone(), steps).await;
            store.close().await;
        });
    }
}

/// The same on both engines, with lives that are always the same.
#[test]
fn lives_are_the_same_on_both_engines() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let lives: Vec<Vec<Step>> =
        (0..8).map(|_| steps().new_tree(&mut runner).expect("a life").current()).collect();
    block_on(async {
        for engine in Engine::both() {
            for life in &lives {
                let store = engine.open().await;
                store.forget_history().await.expect("emptied");
                live(store.clone(), life.clone()).await;
                store.close().await;
            }
        }
    });
}
