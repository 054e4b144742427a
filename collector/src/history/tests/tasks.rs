//! What the tasks do as time passes.

use super::{CHECKS, HOUR_US, Rows, T0, open, report, sample, stored};
use crate::{
    history::{
        History, SEAL_EVERY, SHARDS, Term,
        compactor::Compactor,
        reader::{self, Step},
        schedule::{DISTANCE, IDLE_DISTANCE},
        sealer::Sealer,
        shard_of,
    },
    store::{DayOfCheck, Entry, Store},
    tail::{self, Tail},
};
use runtime::clock::ManualClock;
use std::{collections::BTreeSet, sync::Arc};
use wire::sample::Sample;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    clock: ManualClock,
    history: History,
}

async fn world() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
    let clock = ManualClock::at(T0);
    let history = open(&store, &clock).await;
    World { _folder: folder, store, clock, history }
}

impl World {
    /// A report of runs so many hours old, through the log.
    async fn report(&self, sequence: i64, hours: &[i64]) {
        let run = |hours: &i64| sample("home", "a", hours * 3_600);
        self.runs(sequence, hours.iter().map(run).collect()).await;
    }

    async fn runs(&self, sequence: i64, runs: Vec<Sample>) {
        assert_eq!(self.tell(sequence, runs).await, Step::All, "there is room for all");
    }

    async fn tell(&self, sequence: i64, runs: Vec<Sample>) -> Step {
        let report = report("p", sequence, runs);
        let raw = serde_json::value::to_raw_value(&report).expect("JSON");
        self.store.append(&[Entry::report(T0, 0, (T0, 0), report, &raw)]).await.expect("appended");
        let mut log = Tail::new(self.store.clone()).reader();
        let mut step = Step::More;
        while step == Step::More {
            step = reader::step(&self.history, &mut log).await.expect("read");
        }
        step
    }

    async fn sealed(&self) -> usize {
        stored(&self.store).await.len()
    }
}

#[tokio::test]
async fn every_shard_is_sealed_in_its_time_by_the_decider_in_force() {
    let world = world().await;
    let old = world.store.take_lease("old", T0).await.expect("taken");
    world.report(1, &[0, 1, 2]).await;
    let mut sealer = Sealer::new(world.history.clone(), SEAL_EVERY);
    let minutes = async |sealer: &mut Sealer, term: Option<i64>, minutes: i64| {
        for _ in 0..minutes * 6 {
            sealer.pass(term).await.expect("never back");
            world.clock.advance_us(10_000_000);
        }
    };
    minutes(&mut sealer, None, 11).await;
    assert_eq!((world.sealed().await, world.history.heads().rows()), (0, 3), "another collector decides");
    minutes(&mut sealer, Some(old), 11).await;
    assert_eq!((world.sealed().await, world.history.heads().rows()), (3, 0));
    assert_eq!(world.history.cursor_min(), 1, "the cursors of idle shards follow");

    world.report(2, &[3]).await;
    let new = world.store.take_lease("new", T0).await.expect("taken");
    minutes(&mut sealer, Some(old), 11).await;
    assert_eq!((world.sealed().await, world.history.heads().rows()), (3, 1), "it was overtaken");
    minutes(&mut sealer, Some(new), 11).await;
    assert_eq!((world.sealed().await, world.history.heads().rows()), (4, 0));

    // A database from before: what was dropped from memory is not in it.
    world.store.forget_history().await.expect("emptied");
    world.clock.advance_us(10_000_000);
    sealer.pass(Some(new)).await.expect_err("it must begin again");
}

#[tokio::test]
async fn a_day_that_is_over_is_compacted_once_its_rows_are_there() {
    let world = world().await;
    let term = world.store.take_lease("me", T0).await.expect("taken");
    let mut sealer = Sealer::new(world.history.clone(), SEAL_EVERY);
    sealer.refresh().await.expect("read").expect("never back");
    for flush in 0..3 {
        world.report(flush + 1, &[flush, 30 + flush]).await;
        for shard in 0..SHARDS {
            assert!(sealer.seal(term, shard).await.expect("sealed"));
        }
    }
    let all: Rows = stored(&world.store).await;
    let today = T0.0 / (24 * HOUR_US);
    let day = |day: i64| DayOfCheck { day, check: "home".into() };
    let levels = async |of: &DayOfCheck| {
        let infos = world.store.segment_infos(of).await.expect("read");
        infos.iter().map(|segment| segment.level).collect::<Vec<_>>()
    };
    let held: Term = Arc::new(move || Some(term));
    let none: Term = Arc::new(|| None);
    let mut compactor = Compactor::new(world.history.clone());
    compactor.pass(&held).await;
    assert_eq!(levels(&day(today - 1)).await, [0, 0, 0], "more may come");
    world.clock.advance_us(16 * 60_000_000);
    compactor.pass(&none).await;
    assert_eq!(levels(&day(today - 1)).await, [0, 0, 0], "another collector decides");
    compactor.pass(&held).await;
    assert_eq!(levels(&day(today - 1)).await, [0, 0, 0], "what others did meanwhile is not known");
    world.clock.advance_us(16 * 60_000_000);
    compactor.pass(&held).await;
    assert_eq!(levels(&day(today - 1)).await, [1]);
    assert_eq!(levels(&day(today)).await, [0, 0, 0], "today goes on");
    assert_eq!(stored(&world.store).await, all);
}

#[tokio::test]
async fn a_collector_that_is_killed_every_few_seconds_gets_on() {
    let mut world = world().await;
    let each = CHECKS.len() as i64;
    for life in 1..=10 * each {
        // Whatever was in memory is gone.
        world.history = open(&world.store, &world.clock).await;
        let term = world.store.take_lease("me", T0).await.expect("taken");
        let mut sealer = Sealer::new(world.history.clone(), SEAL_EVERY);
        world.runs(life, CHECKS.iter().map(|check| sample(check, "a", life)).collect()).await;
        for _ in 0..4 {
            sealer.pass(Some(term)).await.expect("never back");
            world.clock.advance_us(1_000_000);
        }
        let state = world.store.seal_state().await.expect("read");
        let least = state.cursors.into_iter().min().expect("shards");
        assert!(least > life - each, "the next life reads from {least} in life {life}");
    }
    let term = world.store.take_lease("me", T0).await.expect("taken");
    let mut sealer = Sealer::new(world.history.clone(), SEAL_EVERY);
    sealer.refresh().await.expect("read").expect("never back");
    for shard in 0..SHARDS {
        assert!(sealer.seal(term, shard).await.expect("sealed"));
    }
    assert_eq!(world.sealed().await as i64, 10 * each * each, "every run of all lives, once");
}

#[tokio::test]
async fn what_the_log_has_left_far_behind_is_sealed_before_its_time() {
    let world = world().await;
    let term = world.store.take_lease("me", T0).await.expect("taken");
    let mut sealer = Sealer::new(world.history.clone(), SEAL_EVERY);
    // Much that is no history, so that the log grows and the rows do not press.
    let mut runs = vec![sample("gone", "a", 0); 20_000];
    runs.extend(CHECKS.iter().map(|check| sample(check, "a", 0)));
    let mut report = report("p", 1, runs);
    let each = tail::weight(&report) as u64;
    let busy: BTreeSet<usize> = CHECKS.iter().map(|check| shard_of(check)).collect();
    for position in 1..=70 {
        report.sequence = position;
        world.history.take(position, T0, 0, &report);
        sealer.pass(Some(term)).await.expect("never back");
        // Seven seconds in all: by time alone there is one turn.
        world.clock.advance_us(100_000);
        let behind = |shard: usize| world.history.heads().shards().nth(shard).map_or(0, |held| held.behind);
        let mut far: Vec<u64> = busy.iter().map(|shard| behind(*shard)).collect();
        far.sort_unstable();
        for (rank, far) in (1..).zip(far) {
            assert!(far <= DISTANCE * rank / busy.len() as u64 + each, "{rank}: {far} at {position}");
        }
    }
    let state = world.store.seal_state().await.expect("read");
    assert!(busy.iter().filter(|shard| state.cursors[**shard] > 10).count() > 1, "{:?}", state.cursors);
    let lag = (IDLE_DISTANCE / each + 1) as i64;
    assert!((0..SHARDS).all(|shard| busy.contains(&shard) || state.cursors[shard] >= 70 - lag));
}

#[tokio::test]
async fn checks_of_a_document_that_another_collector_brought_enter_the_history() {
    let world = world().await;
    let text = |checks: &str| {
        format!(
            "version: 1
regions: {{a: {{}}}}
probes: {{p: {{region: a, token: {{env: T}}}}}}
services: {{shop: {{regions: {{a: http://a}}}}}}
checks: {{home: {{service: shop, http: {{}}}}, {checks}: {{service: shop, http: {{}}}}}}
"
        )
    };
    let taken = |world: &World| {
        let arrivals = world.history.heads().arrivals();
        arrivals.values().map(|counts| (counts.taken, counts.unconfigured)).collect::<Vec<_>>()
    };
    world.runs(1, vec![sample("home", "a", 3), sample("brand-new", "a", 3)]).await;
    assert_eq!(taken(&world), [(1, 1)], "no document has it");
    world.store.revise(&text("brand-new"), T0).await.expect("written");
    world.runs(2, vec![sample("home", "a", 2), sample("brand-new", "a", 2)]).await;
    assert_eq!(taken(&world), [(3, 1)]);
    // The next document is without it; what was measured before is taken.
    world.store.revise(&text("newer"), T0).await.expect("written");
    world.runs(3, vec![sample("newer", "a", 1), sample("brand-new", "a", 1), sample("c101", "a", 1)]).await;
    assert_eq!(taken(&world), [(6, 1)], "and so is what only the own configuration has");
    // One of a newer version: what is not known may be in it, and must not be passed over.
    world.store.revise("version: 2", T0).await.expect("written");
    world.runs(4, vec![sample("home", "a", 1)]).await;
    let step = world.tell(5, vec![sample("home", "a", 1), sample("newest", "a", 1)]).await;
    assert_eq!(step, Step::Full);
    let taken_until = world.history.heads().taken();
    assert_eq!(taken(&world), [(7, 1)]);
    world.store.revise(&text("newest"), T0).await.expect("written");
    world.runs(6, vec![sample("newest", "a", 0)]).await;
    assert_eq!(taken(&world), [(10, 1)], "it goes on where it was");
    assert!(world.history.heads().taken() > taken_until);
}
