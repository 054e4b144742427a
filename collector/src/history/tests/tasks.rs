//! What the tasks do as time passes.

use super::{HOUR_US, Rows, T0, config, report, sample, stored};
use crate::{
    history::{History, SEAL_EVERY, Term, compactor::Compactor, reader, sealer::Sealer},
    store::{DayOfCheck, Entry, Store},
    tail::Tail,
};
use runtime::clock::ManualClock;
use std::sync::Arc;

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
    let history = History::open(store.clone(), &config(), Arc::new(clock.clone())).await.expect("opened");
    World { _folder: folder, store, clock, history }
}

impl World {
    /// A report of runs so many hours old, through the log.
    async fn report(&self, sequence: i64, hours: &[i64]) {
        let run = |hours: &i64| sample("home", "a", hours * 3_600);
        let report = report("p", sequence, hours.iter().map(run).collect());
        let raw = serde_json::value::to_raw_value(&report).expect("JSON");
        self.store.append(&[Entry::report(T0, 0, (T0, 0), report, &raw)]).await.expect("appended");
        let tail = Tail::new(self.store.clone());
        assert!(reader::read(&self.history, &tail).await.expect("read"), "there is room for all");
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
        for shard in 0..crate::history::SHARDS {
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
