//! An answer from roll-ups and edges says what one from all rows says.

use super::*;
use crate::{
    DAY_US,
    grid::plan,
    synthetic::{Noise, Series},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const FROM: i64 = 20_777 * DAY_US;
const INTERVAL: i64 = 97_000_000;

fn hours(rows: &[Row]) -> BTreeMap<i64, Rollup> {
    let mut hours: BTreeMap<i64, Rollup> = BTreeMap::new();
    rows.iter().for_each(|row| hours.entry(row.at.div_euclid(HOUR_US)).or_default().add(row));
    hours
}

/// As a query does it.
fn answer<'a>(plan: &'a Plan, rows: &[Row]) -> Answer<'a> {
    let mut answer = Answer::new(plan);
    let mut days: BTreeMap<i64, Rollup> = BTreeMap::new();
    for row in rows {
        days.entry(row.at.div_euclid(DAY_US)).or_default().add(row);
    }
    let by_day = |day: i64| plan.days().contains(&day) && day % 3 != 0;
    for (day, rollup) in &days {
        let counts = Rollup { sketch: Default::default(), ..rollup.clone() };
        if by_day(*day) || !plan.days().contains(day) {
            answer.add_stored_day(*day, &counts, &rollup.sketch.encode()).expect("just written");
        }
    }
    for (n, (hour, rollup)) in hours(rows).into_iter().enumerate() {
        if by_day(hour.div_euclid(24)) {
            continue;
        }
        if n % 2 == 0 {
            answer.add_hour(hour, &rollup);
        } else {
            let counts = Rollup { sketch: Default::default(), ..rollup.clone() };
            answer.add_stored_hour(hour, &counts, &rollup.sketch.encode()).expect("just written");
        }
    }
    let edges = |row: &&Row| plan.raw.iter().any(|edge| edge.contains(&row.at));
    rows.iter().filter(edges).for_each(|row| answer.add_row(row));
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_not_matter_where_it_comes_from(
        seed: u64,
        from in -DAY_US..3 * DAY_US,
        length in 0..3 * DAY_US,
        buckets in prop_oneof![Just(1_u32), 2..6_u32, 0..50_u32],
        raw_rows: u64,
    ) {
        let rows: Vec<Row> = Series::http(seed, FROM, INTERVAL, Noise::Usual).take(2_000).collect();
        let plan = plan(FROM + from, FROM + from + length, buckets, raw_rows);
        let answer = answer(&plan, &rows);
        let mut total = Rollup::default();
        for (range, rollup) in answer.rollups() {
            let mut expected = Rollup::default();
            rows.iter().filter(|row| range.contains(&row.at)).for_each(|row| expected.add(row));
            prop_assert_eq!(rollup, &expected);
            total.merge(&expected);
        }
        prop_assert_eq!(answer.total(), total);
    }
}

#[test]
fn buckets_tell_everything() {
    let rows: Vec<Row> = Series::http(4, FROM, INTERVAL, Noise::Usual).take(900).collect();
    let plan = plan(FROM, FROM + 2 * DAY_US, 3, 0);
    let answer = answer(&plan, &rows);
    let buckets: Vec<Bucket> = answer.buckets().collect();
    assert_eq!(buckets.len(), 2);
    assert_eq!((buckets[0].from, buckets[0].to), (FROM, FROM + DAY_US));
    let first = buckets[0];
    assert_eq!(first.runs, rows.iter().filter(|row| row.at < FROM + DAY_US).count() as u64);
    let latency = first.latency.expect("most succeeded");
    assert!(latency.min < latency.p50 && latency.p50 < latency.p90 && latency.p90 < latency.p99);
    assert!(latency.p99 <= latency.max && latency.mean < latency.max);
    assert!(first.availability.is_some_and(|share| share > 0.9));
    let runs = |bucket: &Bucket| (bucket.runs, bucket.availability);
    assert_eq!(runs(&buckets[1]), (9, Some(1.0)));
}

#[test]
fn what_was_not_asked_for_is_left_out() {
    let rows: Vec<Row> = Series::single(4, FROM, INTERVAL, Noise::Usual).take(10).collect();
    let plan = plan(FROM - 3 * DAY_US, FROM - DAY_US, 10, 0);
    let mut answer = Answer::new(&plan);
    rows.iter().for_each(|row| answer.add_row(row));
    for (hour, rollup) in hours(&rows) {
        answer.add_hour(hour, &rollup);
        answer.add_stored_hour(hour, &rollup, b"not even read").expect("ignored");
    }
    assert!(answer.total().is_empty());
    assert!(answer.buckets().all(|bucket| bucket.availability.is_none() && bucket.latency.is_none()));
    let wanted = plan.hours.start;
    let counts = Rollup { ok: 1, ..Rollup::default() };
    assert!(answer.add_stored_hour(wanted, &counts, &[1]).is_err());
    assert!(answer.total().is_empty());
}
