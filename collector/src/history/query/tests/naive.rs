//! The plain count that answers are compared with.

use super::world::{Place, T0, World, configuration, heads};
use crate::history::{SeriesKey, query::selector::Selector};
use proptest::prelude::*;
use series::{FAIL_CLASSES, HOUR_US, Row};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    Micros,
    history::{HistoryGroup, HistoryStats},
    sample::{Outcome, Trigger},
};

/// Tells a world at a place, asks, and compares.
pub async fn check(place: &Place, world: &World) -> Result<(), TestCaseError> {
    let names = [place.name(), place.name(), place.name()];
    let logged = world.tell(place, &names).await;
    // Rows stay in memory for a while after they were sealed: here all of them do.
    let queries = place.queries(heads(logged.clone()));
    let selector = world.selector(&names);
    let now = Micros(T0 + 50 * HOUR_US);
    let answer = queries.history(world.question(selector.clone()), now).await;
    let answer = answer.map_err(|error| TestCaseError::fail(error.to_string()))?;

    let (from, to) = (answer.from.0, answer.to.0);
    prop_assert!(from <= world.from && to >= world.to, "the range is not smaller than asked for");
    prop_assert_eq!(from, world.from);
    if to != world.to {
        prop_assert!(world.to >= now.0 && to - world.to < HOUR_US && to % HOUR_US == 0, "{to}");
    }
    let asked = selected(&logged, &selector, from, to);
    prop_assert_eq!(answer.damaged, 0);

    // Every row of the selection is in the group of its key, and nowhere else.
    let groups: BTreeSet<Vec<Option<String>>> = asked.iter().map(|(key, _)| name(world, key)).collect();
    let answered: Vec<Vec<Option<String>>> = answer.groups.iter().map(told).collect();
    prop_assert!(groups.iter().all(|group| answered.contains(group)), "{groups:?} {answered:?}");
    prop_assert_eq!(answered.iter().collect::<BTreeSet<_>>().len(), answered.len());
    for (group, told) in answer.groups.iter().zip(&answered) {
        let rows: Vec<&Row> =
            asked.iter().filter(|(key, _)| name(world, key) == *told).map(|(_, row)| row).collect();
        same(&group.whole, &rows)?;
        prop_assert!(group.buckets.len() <= world.buckets as usize);
        let mut counted = 0;
        for (n, bucket) in group.buckets.iter().enumerate() {
            let end = group.buckets.get(n + 1).map_or(to, |next| next.at.0);
            if n > 0 {
                prop_assert!(end - bucket.at.0 == answer.bucket_us || end == to, "widths are the same");
            } else {
                prop_assert_eq!(bucket.at.0, from);
            }
            let within: Vec<&Row> =
                rows.iter().filter(|row| (bucket.at.0..end).contains(&row.at)).copied().collect();
            counted += within.len();
            same(&bucket.stats, &within)?;
        }
        prop_assert_eq!(counted, rows.len(), "no row is beyond the buckets");
    }
    Ok(())
}

fn selected(
    logged: &[(i64, SeriesKey, Row)],
    selector: &Selector,
    from: i64,
    to: i64,
) -> Vec<(SeriesKey, Row)> {
    let rows =
        logged.iter().filter(|(_, key, row)| selector.takes(key.as_ref()) && (from..to).contains(&row.at));
    rows.map(|(_, key, row)| (key.clone(), *row)).collect()
}

/// What a series is grouped by: check, vantage, probe, target, part.
fn name(world: &World, key: &SeriesKey) -> Vec<Option<String>> {
    let config = configuration();
    let probe = key.probe.parse().expect("an id");
    let vantage = config.probes.get(&probe).map(|probe| probe.region.to_string());
    let by = world.grouping;
    vec![
        by.check.then(|| key.check.clone()),
        by.vantage.then_some(vantage).flatten(),
        by.probe.then(|| key.probe.clone()),
        by.target.then(|| key.target.clone()),
        by.part.then(|| key.part.clone()),
    ]
}

fn told(group: &HistoryGroup) -> Vec<Option<String>> {
    vec![
        group.check.as_ref().map(ToString::to_string),
        group.vantage.as_ref().map(ToString::to_string),
        group.probe.as_ref().map(ToString::to_string),
        group.target.as_ref().map(ToString::to_string),
        group.part.clone(),
    ]
}

fn same(told: &HistoryStats, rows: &[&Row]) -> Result<(), TestCaseError> {
    let rows: Vec<&Row> = rows.iter().copied().filter(|row| row.trigger == Trigger::Schedule).collect();
    let count = |of: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count() as u64;
    let ok = count(&|row| row.outcome == Outcome::Ok);
    let failed = count(&|row| row.outcome.is_fail());
    prop_assert_eq!(told.ok, ok);
    prop_assert_eq!(told.runs, ok + failed);
    prop_assert_eq!(told.slow, count(&|row| row.slow));
    prop_assert_eq!(told.missed, count(&|row| row.outcome == Outcome::Missed));
    prop_assert_eq!(told.unsupported, count(&|row| row.outcome == Outcome::Unsupported));
    let classes = FAIL_CLASSES.map(|class| (class, count(&|row| row.outcome == Outcome::Fail(class))));
    let classes: BTreeMap<_, _> = classes.into_iter().filter(|(_, count)| *count > 0).collect();
    prop_assert_eq!(&told.failures, &classes);
    prop_assert_eq!(told.availability, (ok + failed > 0).then(|| ok as f64 / (ok + failed) as f64));

    let mut times: Vec<u32> =
        rows.iter().filter(|row| row.outcome == Outcome::Ok).map(|row| row.total_us).collect();
    times.sort_unstable();
    prop_assert_eq!(told.min_us, times.first().copied());
    prop_assert_eq!(told.max_us, times.last().copied());
    let sum: u64 = times.iter().map(|us| u64::from(*us)).sum();
    prop_assert_eq!(told.mean_us.map(u64::from), sum.checked_div(times.len() as u64));
    let further = |text: &str| told.quantiles.get(text).copied();
    for (q, told) in [
        (0.25, further("0.25")),
        (0.5, told.p50_us),
        (0.9, told.p90_us),
        (0.99, told.p99_us),
        (0.999, further("0.999")),
    ] {
        let rank = ((q * times.len() as f64).ceil() as usize).max(1);
        let exact = times.get(rank - 1).copied();
        prop_assert_eq!(told.is_some(), exact.is_some());
        if let (Some(told), Some(exact)) = (told, exact) {
            let off = f64::from(told.abs_diff(exact));
            prop_assert!(off <= f64::from(exact) * 0.0055 + 1.0, "q{q}: {told} instead of {exact}");
        }
    }
    Ok(())
}
