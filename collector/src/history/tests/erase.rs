//! Forgetting on request, while a collector runs: in segments, roll-ups, evidence, the log and memory.

use super::{CHECKS, HOUR_US, Rows, T0, block_on, open, report, rollups, sample, step, stored};
use crate::{
    decide::Event,
    history::{
        Erased, History, KeyRef, SEAL_EVERY, SHARDS, Selection, SeriesKey, at, erase, sealer::Sealer,
        shard_of,
    },
    store::{Entry, Kind, Store, conformance::Engine},
};
use proptest::prelude::*;
use runtime::clock::ManualClock;
use series::Row;
use wire::{
    report::Report,
    sample::{Evidence, FailClass, Outcome, Sample, Trigger},
};

/// Check, target a, probe p, age in minutes, whether it failed.
type Run = (usize, bool, bool, i64, bool);

fn run(&(check, target, _, age_min, failed): &Run) -> Sample {
    let mut run = sample(CHECKS[check], if target { "a" } else { "b" }, age_min * 60);
    if failed {
        run.outcome = Outcome::Fail(FailClass::Status);
        run.evidence = Some(Evidence {
            summary: "status 500 of Ann".into(),
            step: None,
            excerpt: Some("<Ann>".into()),
            withheld: None,
        });
    }
    if age_min % 9 == 4 {
        run.trigger = Trigger::Confirm;
    }
    if check == 1 {
        run.steps = vec![step("open")];
    }
    run
}

struct World {
    store: Store,
    history: History,
    sealer: Sealer,
    term: i64,
    sequence: i64,
}

impl World {
    async fn new(store: Store) -> World {
        let history = open(&store, &ManualClock::at(T0)).await;
        let mut sealer = Sealer::new(history.clone(), SEAL_EVERY);
        sealer.refresh().await.expect("read").expect("never back");
        let term = store.take_lease("me", T0).await.expect("taken");
        World { store, history, sealer, term, sequence: 0 }
    }

    /// Reports of both probes, in the log and in memory.
    async fn report(&mut self, runs: &[Run]) {
        for probe in [true, false] {
            self.sequence += 1;
            let samples = runs.iter().filter(|run| run.2 == probe).map(run).collect();
            let report = report(if probe { "p" } else { "q" }, self.sequence, samples);
            let raw = serde_json::value::to_raw_value(&report).expect("JSON");
            let entry = Entry::report(T0, 0, (T0, 0), report, &raw);
            self.store.append(&[entry]).await.expect("appended");
        }
        for entry in self.store.log_after(self.history.heads().taken(), 1_000).await.expect("read") {
            let Event::Report { received, report, .. } = &*entry.event else { panic!("a report") };
            self.history.take(entry.position, *received, entry.clock_us, report);
        }
    }

    async fn seal(&mut self, check: Option<usize>) {
        let shards = check.map_or((0..SHARDS).collect(), |check| vec![shard_of(CHECKS[check])]);
        for shard in shards {
            assert!(self.sealer.seal(self.term, shard).await.expect("sealed"));
        }
    }

    /// What the log says, as rows, and how many samples have evidence.
    async fn logged(&self) -> (Rows, usize) {
        let (mut rows, mut evidence) = (Rows::default(), 0);
        for entry in self.store.log_after(0, 1_000).await.expect("read") {
            let Event::Report { report, .. } = &*entry.event else { panic!("a report") };
            evidence += report.samples.iter().filter(|sample| sample.evidence.is_some()).count();
            add(&mut rows, report, |_, _| true);
        }
        (rows, evidence)
    }
}

/// The rows of a report that some are.
fn add(rows: &mut Rows, report: &Report, wanted: impl Fn(KeyRef<'_>, i64) -> bool) {
    for sample in &report.samples {
        let key = SeriesKey {
            check: sample.check.to_string(),
            probe: report.probe.to_string(),
            target: sample.target.to_string(),
            part: String::new(),
        };
        let at = at(sample.started, 0, T0);
        let known = key.check != "dns" || (key.probe == "p" && key.target == "a");
        if known && wanted(key.as_ref(), at.0) {
            for step in &sample.steps {
                rows.add(
                    SeriesKey { part: step.name.clone(), ..key.clone() },
                    Row::of_step(step, sample, at),
                );
            }
            rows.add(key, Row::of(sample, at));
        }
    }
}

fn expected(runs: &[&[Run]], forgotten: Option<&Selection>) -> Rows {
    let mut rows = Rows::default();
    for probe in [true, false] {
        let samples =
            runs.iter().flat_map(|runs| runs.iter()).filter(|run| run.2 == probe).map(run).collect();
        let report = report(if probe { "p" } else { "q" }, 0, samples);
        add(&mut rows, &report, |key, at| forgotten.is_none_or(|what| !what.covers(key, at)));
    }
    rows
}

/// Some runs are sealed, some are in memory, one check is compacted or not; then some are forgotten, and more come.
async fn forget(store: Store, runs: &[Vec<Run>; 3], what: &Selection, sealed: Option<usize>) {
    let mut world = World::new(store).await;
    let [first, second, third] = runs;
    world.report(first).await;
    world.seal(sealed).await;
    world.report(second).await;

    let before = (stored(&world.store).await, rollups(&world.store).await, world.logged().await);
    let dry = erase(&world.store, what, false, true, T0).await.expect("counted");
    let after = (stored(&world.store).await, rollups(&world.store).await, world.logged().await);
    assert_eq!(before, after, "a dry run changes nothing");

    let erased = erase(&world.store, what, false, false, T0).await.expect("forgotten");
    assert_eq!(erased, dry, "as much as was said");
    let remaining = expected(&[first, second], Some(what));
    let logged = world.logged().await;
    assert_eq!(logged.0, remaining);
    let again = erase(&world.store, what, false, false, T0).await.expect("repeated");
    assert_eq!(again, Erased { position: erased.position, ..Erased::default() }, "nothing is left of it");
    let rest = stored(&world.store).await;
    assert_eq!(rollups(&world.store).await, rest.rollups());

    // What was prepared before is not sealed; with fresh knowledge the rest is, and what comes now is.
    let shard = shard_of("home");
    if !world.history.heads().unsealed(shard).series.is_empty() {
        assert!(!world.sealer.seal(world.term, shard).await.expect("answered"));
        assert_eq!(stored(&world.store).await, rest);
    }
    world.sealer.refresh().await.expect("read").expect("never back");
    let mut all = rest;
    for check in CHECKS {
        world.history.heads().each(check, |key, head| {
            head.rows(i64::MIN, i64::MAX).for_each(|(_, row)| all.add(key.clone(), row));
        });
    }
    assert_eq!(all, remaining, "memory and database together");
    world.report(third).await;
    world.seal(None).await;
    let mut everything = remaining;
    for probe in [true, false] {
        let samples = third.iter().filter(|run| run.2 == probe).map(run).collect();
        add(&mut everything, &report(if probe { "p" } else { "q" }, 0, samples), |_, _| true);
    }
    let sealed = stored(&world.store).await;
    assert_eq!(sealed, everything, "what is reported afterwards stays");
    assert_eq!(rollups(&world.store).await, sealed.rollups());
}

fn ago(minutes: i64) -> i64 {
    T0.0 - minutes * 60_000_000
}

/// Runs of three days, three an hour.
fn days() -> Vec<Run> {
    (0..3 * 72)
        .map(|n| (n % 4, n % 3 == 0, n % 5 < 3, i64::try_from(n).expect("few") * 20, n % 7 == 0))
        .collect()
}

#[test]
fn what_is_asked_for_is_forgotten_on_both_engines() {
    let runs = [days(), days()[..60].to_vec(), days()[..20].to_vec()];
    let all = [
        Selection { check: Some("home".into()), ..Selection::default() },
        Selection {
            probe: Some("p".into()),
            from: Some(ago(2_000)),
            to: Some(ago(90)),
            ..Selection::default()
        },
        Selection { target: Some("b".into()), from: Some(ago(1_000)), ..Selection::default() },
        Selection { check: Some("buy".into()), to: Some(ago(777)), ..Selection::default() },
    ];
    block_on(async {
        for engine in Engine::both() {
            for what in &all {
                let store = engine.open().await;
                store.forget_history().await.expect("emptied");
                forget(store.clone(), &runs, what, None).await;
                store.close().await;
            }
        }
    });
}

#[test]
fn evidence_goes_alone_and_with_its_runs_on_both_engines() {
    block_on(async {
        for engine in Engine::both() {
            let store = engine.open().await;
            let mut world = World::new(store.clone()).await;
            world.report(&days()).await;
            world.seal(None).await;
            let (rows, evidence) = world.logged().await;
            let sealed = stored(&store).await;
            let home = Selection { check: Some("home".into()), ..Selection::default() };
            let of_home = days().iter().filter(|run| run.0 == 0 && run.4).count();
            assert!(of_home > 3);

            let erased = erase(&store, &home, true, false, T0).await.expect("forgotten");
            assert_eq!((erased.runs, erased.rollups), (0, 0));
            assert_eq!((erased.evidence, erased.samples), (of_home as u64, of_home as u64));
            assert_eq!(world.logged().await, (rows, evidence - of_home), "the runs stay");
            assert_eq!(stored(&store).await, sealed);
            assert!(world.sealer.seal(world.term, shard_of("home")).await.expect("nothing is refused"));

            let early = Selection { to: Some(ago(60)), ..Selection::default() };
            let erased = erase(&store, &early, false, false, T0).await.expect("forgotten");
            let old = |run: &&Run| run.3 > 60;
            let seen = days().iter().filter(old).filter(|run| run.0 != 0 && run.4).count();
            assert_eq!(erased.evidence, seen as u64);
            assert_eq!(erased.samples, days().iter().filter(old).count() as u64);
            assert_eq!(store.count_evidence(&Selection::default(), i64::MAX).await.expect("counted"), 0);
            store.close().await;
        }
    });
}

#[test]
fn a_rollup_goes_when_its_runs_cannot_be_told_apart() {
    block_on(async {
        for engine in Engine::both() {
            let store = engine.open().await;
            let mut world = World::new(store.clone()).await;
            world.report(&days()).await;
            world.seal(None).await;
            // The runs of all days but the last are gone; their roll-ups are there.
            store.expire(Kind::Segments, T0, 100_000).await.expect("expired");
            let (left, before) = (stored(&store).await, rollups(&store).await);
            assert!(before.len() > left.rollups().len());
            // Half past an hour two days ago, for half an hour.
            let middle = (T0.0 / HOUR_US - 48) * HOUR_US + HOUR_US / 2;
            let what = Selection { from: Some(middle), to: Some(middle + HOUR_US), ..Selection::default() };
            let erased = erase(&store, &what, false, false, T0).await.expect("forgotten");
            let after = rollups(&store).await;
            let hours = [middle / HOUR_US, middle / HOUR_US + 1];
            assert!(erased.rollups > 0 && erased.rollups_again == 0);
            let expected = before.into_iter().filter(|((_, hour), _)| !hours.contains(hour)).collect();
            assert_eq!(after, expected);
            assert_eq!(stored(&store).await, left);
            store.close().await;
        }
    });
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    prop::collection::vec((0..CHECKS.len(), any::<bool>(), any::<bool>(), 0_i64..4_000, any::<bool>()), 0..60)
}

fn selections() -> impl Strategy<Value = Selection> {
    let id =
        |of: [&'static str; 2]| prop::option::of(prop::sample::select(of.to_vec()).prop_map(String::from));
    let time = || prop::option::of((0_i64..4_000).prop_map(ago));
    (id(["home", "buy"]), id(["p", "q"]), id(["a", "b"]), time(), time())
        .prop_map(|(check, probe, target, from, to)| Selection { check, probe, target, from, to })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_for_is_forgotten_and_nothing_else(
        first in runs(),
        second in runs(),
        third in runs(),
        what in selections(),
        sealed in prop::option::of(0..CHECKS.len()),
    ) {
        block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
            forget(store.clone(), &[first, second, third], &what, sealed).await;
            store.close().await;
        });
    }
}
