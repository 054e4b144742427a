//! No drift, no burst, no slot lost or told twice.

use super::*;
use crate::testing::{assignment, check, target};
use proptest::prelude::*;
use std::collections::BTreeSet;

mod properties;

const START: i64 = 1_795_000_000_000_000;

fn one(interval_us: u32) -> Schedule {
    Schedule::new(&assignment(vec![check("home", interval_us, "http://127.0.0.1:1/")]), Micros(START))
}

#[test]
fn phases_spread_over_the_interval() {
    let checks = (0..200).map(|n| check(&format!("check-{n}"), 10_000_000, "http://127.0.0.1:1/")).collect();
    let mut schedule = Schedule::new(&assignment(checks), Micros(START));
    let busiest = (0..100).map(|k| schedule.due(Micros(START + k * 100_000)).due.len()).max();
    // 200 series in 100 ms steps of 10 s: two a step on average, and chance alone rarely brings nine together.
    assert!(busiest < Some(10), "{busiest:?} series started together");
}

#[test]
fn the_phase_is_the_same_in_every_version() {
    let schedule = one(10_000_000);
    // Computed by another implementation.
    assert_eq!(schedule.lines[0].phase, 3_856_638);
}

#[test]
fn another_probe_has_another_phase() {
    let mut other = assignment(vec![check("home", 10_000_000, "http://127.0.0.1:1/")]);
    other.probe = "another".parse().expect("an id");
    let other = Schedule::new(&other, Micros(START));
    assert_ne!(other.lines[0].phase, one(10_000_000).lines[0].phase);
}

#[test]
fn a_long_gap_is_told_by_its_first_and_newest_slots() {
    let mut schedule = one(1_000_000);
    let first = schedule.next().expect("a slot");
    let tick = schedule.due(first.plus_us(3_600_000_000));
    assert_eq!(tick.missed.len(), 100);
    assert_eq!(tick.omitted, 3500);
    assert_eq!(tick.missed[0].scheduled, first);
    assert_eq!(tick.missed[99].scheduled, first.plus_us(3_599_000_000));
    assert_eq!(tick.due[0].scheduled, first.plus_us(3_600_000_000));
}

#[test]
fn a_clock_set_back_stops_nothing() {
    let back = Micros(START - 3_600_000_000);
    let mut seen = one(1_000_000);
    seen.due(Micros(START + 5_000_000));
    assert_eq!(seen.due(back), Tick::default());
    // Or nobody looked at the clock before a new assignment came.
    let mut reassigned = one(1_000_000);
    reassigned.apply(&assignment(vec![check("home", 1_000_000, "http://127.0.0.1:2/")]), back);
    for schedule in [seen, reassigned] {
        let next = schedule.next().expect("a slot");
        assert!(next >= back && next < back.plus_us(1_000_000), "{next}");
    }
}

#[test]
fn unchanged_series_keep_their_slots_when_others_change() {
    let mut schedule = one(1_000_000);
    let waits_for = schedule.next();
    let mut slower = check("home", 1_000_000, "http://127.0.0.1:1/");
    slower.timeout_us = 900_000;
    // The new assignment comes when the slot is over already, and not yet taken.
    let later = Micros(START + 1_500_000);
    schedule.apply(&assignment(vec![slower, check("other", 7_000_000, "http://127.0.0.1:1/")]), later);
    assert_eq!(schedule.next(), waits_for);
    assert_eq!(schedule.due(later).due[0].series.check.timeout_us, 900_000);

    schedule.apply(&assignment(vec![]), later);
    assert_eq!(schedule.next(), None);
}

proptest! {
    /// Whatever the wakes, each slot comes once, in time, on the grid, and as due only when it is fresh.
    #[test]
    fn every_slot_comes_once(interval in 100_000u32..5_000_000, steps in prop::collection::vec(1i64..9_000_000, 1..60)) {
        let mut schedule = one(interval);
        let interval = i64::from(interval);
        let first = schedule.next().expect("a slot").0;
        prop_assert!(first >= START && first < START + interval);
        let (mut now, mut seen) = (START, BTreeSet::new());
        for step in steps {
            now += step;
            let tick = schedule.due(Micros(now));
            prop_assert!(tick.due.len() <= 1);
            prop_assert_eq!(tick.omitted, 0);
            for due in &tick.due {
                prop_assert!(due.scheduled.0 <= now && now - due.scheduled.0 < interval);
            }
            for due in &tick.missed {
                prop_assert!(now - due.scheduled.0 >= interval);
            }
            for due in tick.missed.iter().chain(&tick.due) {
                prop_assert_eq!((due.scheduled.0 - first) % interval, 0, "off the grid");
                prop_assert!(seen.insert(due.scheduled.0), "told twice");
            }
            prop_assert!(schedule.next().expect("a slot").0 > now);
        }
        let expected = if now < first { 0 } else { (now - first) / interval + 1 };
        prop_assert_eq!(i64::try_from(seen.len()).expect("few"), expected);
    }
}
