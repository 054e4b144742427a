//! Whatever is asked, the buckets cover it, and each instant is read once.

use super::*;
use crate::DAY_US;
use proptest::prelude::*;

const NOW: i64 = 20_777 * DAY_US + 5 * HOUR_US + 123_456_789;

fn any_range() -> impl Strategy<Value = (i64, i64)> {
    let near = (NOW - 400 * DAY_US..NOW, 0..22_u32, any::<u64>())
        .prop_map(|(from, shift, length)| (from, from + (length >> 18 >> shift) as i64));
    prop_oneof![8 => near, 1 => any::<(i64, i64)>(), 1 => Just((i64::MIN, i64::MAX))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_instant_is_read_once((from, to) in any_range(), buckets: u16, raw_rows: u64) {
        let plan = plan(from, to, buckets.into(), raw_rows);
        let within = |at: i64| at.clamp(-INSTANT_MOST, INSTANT_MOST);
        prop_assert_eq!(&plan.range, &(within(from)..within(to).max(within(from))));
        // Hours and raw ranges, side by side, are the range.
        let hours = plan.hours.start.saturating_mul(HOUR_US)..plan.hours.end.saturating_mul(HOUR_US);
        let mut parts = plan.raw.clone();
        if !plan.hours.is_empty() {
            parts.push(hours);
        }
        parts.sort_by_key(|part| part.start);
        let mut at = plan.range.start;
        for part in parts {
            prop_assert_eq!(part.start, at);
            prop_assert!(!part.is_empty());
            at = part.end;
        }
        prop_assert_eq!(at, plan.range.end);
    }

    #[test]
    fn buckets_cover_the_range((from, to) in any_range(), buckets: u16, raw_rows: u64) {
        let plan = plan(from, to, buckets.into(), raw_rows);
        let Grid { width_us, buckets: made, .. } = plan.grid;
        prop_assert!(made <= u32::from(buckets).clamp(1, BUCKETS_MOST));
        prop_assert!(width_us >= 1);
        let mut at = plan.range.start;
        for n in 0..made as usize {
            let part = plan.bucket_range(n);
            prop_assert_eq!(part.start, at);
            prop_assert!(!part.is_empty());
            prop_assert_eq!((plan.bucket(part.start), plan.bucket(part.end - 1)), (Some(n), Some(n)));
            at = part.end;
        }
        prop_assert_eq!(at, plan.range.end);
        prop_assert_eq!((plan.bucket(plan.range.end), plan.bucket(plan.range.start - 1)), (None, None));
        if made > 1 {
            prop_assert_eq!(plan.grid.from.rem_euclid(width_us), 0, "not aligned");
            prop_assert!(width_us < DAY_US || width_us % DAY_US == 0);
        }
        if plan.resolution == Resolution::Hourly && made > 1 {
            prop_assert_eq!(width_us % HOUR_US, 0, "an hour would be in two buckets");
        }
    }
}

#[test]
fn an_hour_is_read_from_rows_in_minutes() {
    let plan = plan(NOW - HOUR_US, NOW, 61, 1_000);
    assert_eq!(
        (plan.resolution, plan.grid.width_us, plan.grid.buckets),
        (Resolution::Raw, 60 * SECOND_US, 61)
    );
    assert_eq!(plan.raw, std::iter::once(NOW - HOUR_US..NOW).collect::<Vec<_>>());
}

#[test]
fn a_month_is_read_from_roll_ups_and_two_edges() {
    let (from, to) = (NOW - 30 * DAY_US, NOW);
    let plan = plan(from, to, 100, 0);
    assert_eq!((plan.resolution, plan.grid.width_us / HOUR_US), (Resolution::Hourly, 8));
    assert_eq!((plan.hours.start, plan.hours.end), (from / HOUR_US + 1, to / HOUR_US));
    assert_eq!(plan.raw, [from..(from / HOUR_US + 1) * HOUR_US, to / HOUR_US * HOUR_US..to]);
}

#[test]
fn many_rows_are_read_by_the_hour() {
    let asked = |raw_rows| plan(NOW - 6 * HOUR_US, NOW, 400, raw_rows);
    assert_eq!(
        (asked(RAW_ROWS_MOST).resolution, asked(RAW_ROWS_MOST).grid.width_us),
        (Resolution::Raw, 60 * SECOND_US)
    );
    let many = asked(RAW_ROWS_MOST + 1);
    assert_eq!((many.resolution, many.grid.width_us, many.grid.buckets), (Resolution::Hourly, HOUR_US, 7));
    // No hour is whole: there is no choice.
    let hour = NOW / HOUR_US * HOUR_US;
    assert_eq!(plan(hour - 1, hour + HOUR_US - 1, 10, u64::MAX).hours.clone().count(), 0);
    assert_eq!(plan(hour + 1, hour + HOUR_US + 5, 10, u64::MAX).resolution, Resolution::Raw);
    // Exactly one is, and there are no edges.
    let exact = plan(hour, hour + HOUR_US, 1, 0);
    assert_eq!(
        (exact.resolution, exact.hours.clone().count(), exact.raw.len(), exact.grid.buckets),
        (Resolution::Hourly, 1, 0, 1)
    );
}

#[test]
fn one_bucket_is_the_range() {
    for buckets in [0, 1] {
        let plan = plan(NOW - 10 * DAY_US, NOW, buckets, 0);
        assert_eq!(plan.grid, Grid { from: NOW - 10 * DAY_US, width_us: 10 * DAY_US, buckets: 1 });
        assert_eq!(plan.resolution, Resolution::Hourly);
    }
}

#[test]
fn a_range_upside_down_is_empty() {
    for (from, to) in [(5, 5), (6, 5), (i64::MAX, i64::MIN)] {
        let plan = plan(from, to, 10, 0);
        assert_eq!((plan.grid.buckets, plan.raw.len(), plan.hours.clone().count()), (0, 0, 0));
        assert_eq!(plan.bucket(from), None);
    }
}
