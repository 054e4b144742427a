//! What is kept of a sample as the probe sends it.

use super::*;
use crate::{FAIL_CLASSES, class_index};
use proptest::prelude::*;

fn sample() -> Sample {
    const TEXT: &str = r#"{
        "check": "home", "target": "a", "scheduled": 1000, "started": 3500, "total_us": 70, "outcome": {"fail": "status"},
        "slow": false, "phases": {"connect": 20, "wait": 50}, "trigger": "confirm", "attempt": 2, "status": 503,
        "bytes": 12, "flags": ["blind", "late_start"],
        "steps": [{"name": "cart", "outcome": "ok", "total_us": 40, "phases": {"wait": 40}, "status": 201, "attempts": 1}]
    }"#;
    serde_json::from_str(TEXT).expect("a sample")
}

#[test]
fn a_row_is_what_the_sample_says() {
    let row = Row::of(&sample(), Micros(9_000));
    let expected = Row {
        at: 9_000,
        delay_us: 2_500,
        outcome: Outcome::Fail(FAIL_CLASSES[5]),
        slow: false,
        total_us: 70,
        phases: Phases { connect: Some(20), wait: Some(50), ..Phases::default() },
        status: Some(503),
        bytes: Some(12),
        flags: [Flag::Blind, Flag::LateStart].into_iter().collect(),
        trigger: Trigger::Confirm,
        attempt: 2,
    };
    assert_eq!(row, expected);
    let flags: Vec<Flag> = row.flags.iter().collect();
    assert_eq!(flags, [Flag::LateStart, Flag::Blind]);
}

#[test]
fn a_step_has_its_own_times_and_the_runs_circumstances() {
    let sample = sample();
    let row = Row::of_step(&sample.steps[0], &sample, Micros(9_000));
    assert_eq!((row.outcome, row.total_us, row.status, row.bytes), (Outcome::Ok, 40, Some(201), None));
    assert_eq!(row.phases, Phases { wait: Some(40), ..Phases::default() });
    assert_eq!((row.at, row.delay_us, row.trigger, row.attempt), (9_000, 2_500, Trigger::Confirm, 2));
}

proptest! {
    #[test]
    fn starts_are_kept_in_steps_and_slots_stay_even(
        first in 0_i64..1 << 50,
        step in 1_i64..10_000,
        delays in prop::collection::vec(0_u32..3_000_000, 1..50),
    ) {
        // Intervals are whole milliseconds.
        let step = step * 1_000;
        let mut slots = Vec::new();
        for (n, delay_us) in (0..).zip(delays) {
            let at = first + n * step + i64::from(delay_us);
            let exact = Row { at, delay_us, ..Row::of(&sample(), Micros(0)) };
            let kept = exact.kept();
            prop_assert_eq!(kept.at, kept_start(Micros(at)));
            prop_assert!((0..START_STEP_US).contains(&(at - kept.at)));
            prop_assert!((i64::from(kept.delay_us) - i64::from(delay_us)).abs() < START_STEP_US);
            prop_assert_eq!(kept.kept(), kept);
            slots.push(kept.at - i64::from(kept.delay_us));
        }
        prop_assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == step), "{slots:?}");
    }

    #[test]
    fn no_start_and_no_delay_is_out_of_range(at: i64, delay_us: u32) {
        let kept = Row { at, delay_us, ..Row::of(&sample(), Micros(0)) }.kept();
        prop_assert!(kept.at <= at && at.saturating_sub(kept.at) < START_STEP_US);
    }
}

#[test]
fn delays_stay_in_range() {
    let mut sample = sample();
    sample.started = Micros(-5);
    assert_eq!(Row::of(&sample, Micros(0)).delay_us, 0);
    (sample.scheduled, sample.started) = (Micros(i64::MIN), Micros(i64::MAX));
    assert_eq!(Row::of(&sample, Micros(0)).delay_us, u32::MAX);
}

#[test]
fn stored_numbers_mean_what_they_meant() {
    for (n, class) in FAIL_CLASSES.into_iter().enumerate() {
        assert_eq!(class_index(class), n);
    }
    assert_eq!(
        FAIL_CLASSES.map(|class| class.to_string()).join(" "),
        "dns connect tls timeout protocol status assertion request"
    );
    assert_eq!(FLAGS.map(bit), [1, 2, 4, 8, 16]);
    assert_eq!(Flags::from_bits(32), None);
    assert_eq!(Flags::from_bits(31).map(|flags| flags.iter().count()), Some(5));
}
