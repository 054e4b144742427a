//! That the made-up series are what the module says.

use super::*;
use crate::rollup::Rollup;

const FROM: i64 = 20_777 * DAY_US;
const INTERVAL: i64 = 10_000_000;

fn rows(seed: u64, count: usize) -> Vec<Row> {
    Series::http(seed, FROM, INTERVAL, Noise::Usual).take(count).collect()
}

#[test]
fn a_seed_repeats() {
    assert_eq!(rows(5, 1_000), rows(5, 1_000));
    assert_ne!(rows(5, 1_000), rows(6, 1_000));
}

#[test]
fn rows_are_such_as_a_probe_sends() {
    for seed in 0..10 {
        for (n, row) in rows(seed, 5_000).iter().enumerate() {
            assert_eq!(row.at, FROM + n as i64 * INTERVAL + i64::from(row.delay_us));
            assert_eq!(row.phases.sum(), row.total_us);
            assert!(row.delay_us <= 3_000 || row.flags.contains(Flag::LateStart), "{row:?}");
            match row.outcome {
                Outcome::Ok => assert_eq!((row.status, row.phases.named().count()), (Some(200), 6)),
                Outcome::Fail(FailClass::Status) => assert_eq!(row.status, Some(503)),
                _ => assert_eq!((row.status, row.phases.transfer), (None, None)),
            }
        }
    }
    let single = Series::single(1, FROM, INTERVAL, Noise::Rough).take(1_000);
    assert!(
        single
            .into_iter()
            .all(|row| row.phases == Phases::default() && row.status.is_none() && row.total_us > 0)
    );
}

#[test]
fn faults_are_rare_and_there() {
    let mut all = Rollup::default();
    let mut again = 0;
    for seed in 0..40 {
        let mut median = Rollup::default();
        let rows = rows(seed, 8_640);
        rows.iter().for_each(|row| median.add(row));
        let usual = median.quantile(0.5).expect("most succeed");
        again +=
            rows.iter().filter(|row| row.outcome == Outcome::Ok && row.total_us > usual + 200_000).count();
        all.merge(&median);
    }
    let runs = all.runs() as f64;
    let share = |count: u64| count as f64 / runs;
    assert!((0.0003..0.003).contains(&share(all.failed())), "{} failed", share(all.failed()));
    assert!((0.002..0.008).contains(&share(again as u64)), "{} were sent again", share(again as u64));
    assert!(all.failures.iter().filter(|&&count| count > 0).count() >= 4);
    assert!(all.slow > 0);
}

#[test]
fn the_time_of_day_matters() {
    // Means of many series by the hour of their own tide.
    let mut differ = 0;
    for seed in 0..20 {
        let mut hours = vec![Rollup::default(); 24];
        for row in rows(seed, 8_640) {
            hours[(row.at.rem_euclid(DAY_US) / crate::HOUR_US) as usize].add(&row);
        }
        let wait = |hour: &Rollup| hour.quantile(0.5).expect("most succeed");
        let (least, most) = (hours.iter().map(wait).min(), hours.iter().map(wait).max());
        differ += usize::from(most > least.map(|us| us + us / 200));
    }
    assert!(differ >= 15, "{differ} of 20");
}
