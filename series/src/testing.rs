//! Any rows, for property tests.

use crate::{FAIL_CLASSES, Flags, Row, code::phases_of};
use proptest::{collection::vec, option, prelude::*};
use wire::sample::{Outcome, Trigger};

/// An edge now and then.
fn any_us() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0_u32..100_000, 1 => any::<u32>(), 1 => Just(0), 1 => Just(u32::MAX)]
}

fn any_at() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1_795_000_000_000_000_i64..1_795_000_100_000_000, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Ok),
        2 => (0..FAIL_CLASSES.len()).prop_map(|class| Outcome::Fail(FAIL_CLASSES[class])),
        1 => Just(Outcome::Missed),
        1 => Just(Outcome::Unsupported),
    ]
}

/// A row with anything in it.
pub fn any_row() -> impl Strategy<Value = Row> {
    let phases = [(); 6].map(|()| option::of(any_us()));
    let what = (any_outcome(), any::<bool>(), 0_u8..32, 0..3_usize, any::<u16>());
    (any_at(), any_us(), any_us(), phases, option::of(any::<u16>()), option::of(any_us()), what).prop_map(
        |(at, delay_us, total_us, phases, status, bytes, (outcome, slow, flags, trigger, attempt))| Row {
            at,
            delay_us,
            outcome,
            slow,
            total_us,
            phases: phases_of(phases),
            status,
            bytes,
            flags: Flags::from_bits(flags).expect("five bits"),
            trigger: [Trigger::Schedule, Trigger::Confirm, Trigger::Proof][trigger],
            attempt,
        },
    )
}

/// Rows that have little in common, some of them in a row the same.
pub fn any_rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    vec((any_row(), 1_usize..8), 0..=most / 4).prop_map(move |runs| {
        let mut rows: Vec<Row> =
            runs.into_iter().flat_map(|(row, times)| std::iter::repeat_n(row, times)).collect();
        rows.truncate(most);
        rows
    })
}
