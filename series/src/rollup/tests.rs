//! What counts, and that it does not matter how it was put together.

use super::*;
use crate::testing::any_rows;
use proptest::prelude::*;
use wire::sample::FailClass;

fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Rollup {
    let mut rollup = Rollup::default();
    rows.into_iter().for_each(|row| rollup.add(row));
    rollup
}

proptest! {
    #[test]
    fn merging_is_adding_all(rows in any_rows(80), at: prop::sample::Index) {
        let (a, b) = rows.split_at(at.index(rows.len() + 1));
        let mut merged = of(a);
        merged.merge(&of(b));
        prop_assert_eq!(&merged, &of(&rows));
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.trigger == Trigger::Schedule).collect();
        let outcomes = |want: fn(Outcome) -> bool| rows.iter().filter(|row| want(row.outcome)).count() as u64;
        prop_assert_eq!(merged.ok, outcomes(|outcome| outcome == Outcome::Ok));
        prop_assert_eq!(merged.failed(), outcomes(Outcome::is_fail));
        prop_assert_eq!(merged.rows(), rows.len() as u64);
        prop_assert_eq!(merged.sketch.count(), merged.ok);
        let mut latencies: Vec<u32> =
            rows.iter().filter(|row| row.outcome == Outcome::Ok).map(|row| row.total_us).collect();
        latencies.sort_unstable();
        prop_assert_eq!((merged.min_us, merged.max_us), (latencies.first().copied(), latencies.last().copied()));
        let within = |us: Option<u32>| us.is_none_or(|us| merged.min_us <= Some(us) && Some(us) <= merged.max_us);
        prop_assert!([0.0, 0.5, 1.0].map(|q| merged.quantile(q)).into_iter().all(within));
        prop_assert!(within(merged.mean_us()));
    }
}

#[test]
fn latencies_are_those_of_successful_runs() {
    let row =
        crate::synthetic::Series::single(1, 0, 1, crate::synthetic::Noise::Usual).next().expect("endless");
    let ok = Row { outcome: Outcome::Ok, total_us: 1_000, slow: true, ..row };
    let failed = Row { outcome: Outcome::Fail(FailClass::Timeout), total_us: 10_000_000, slow: false, ..row };
    let missed = Row { outcome: Outcome::Missed, total_us: 0, ..failed };
    let unsupported = Row { outcome: Outcome::Unsupported, total_us: 0, ..failed };
    let rollup = of([&ok, &Row { total_us: 3_001, slow: false, ..ok }, &failed, &missed, &unsupported]);
    assert_eq!((rollup.ok, rollup.slow, rollup.missed, rollup.unsupported), (2, 1, 1, 1));
    assert_eq!(rollup.failures, [0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!((rollup.min_us, rollup.mean_us(), rollup.max_us), (Some(1_000), Some(2_000), Some(3_001)));
    assert_eq!(rollup.availability(), Some(2.0 / 3.0));
}

#[test]
fn without_runs_nothing_is_known() {
    let nothing = Rollup::default();
    assert!(nothing.is_empty());
    assert_eq!((nothing.availability(), nothing.mean_us(), nothing.quantile(0.5)), (None, None, None));
}

#[test]
fn counts_stop_at_the_most() {
    let mut rollup = Rollup { ok: u64::MAX, failures: [u64::MAX; 8], sum_us: u64::MAX, ..Rollup::default() };
    rollup.merge(&rollup.clone());
    assert_eq!((rollup.ok, rollup.runs(), rollup.failed()), (u64::MAX, u64::MAX, u64::MAX));
    assert_eq!(rollup.mean_us(), Some(1));
}
