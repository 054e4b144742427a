//! Whole hours from packed roll-ups, and which of them have to be read from the rows instead.
//!
//! What is packed is a copy: where it is damaged, the rows are as good.

use super::tally::Tally;
use crate::{
    history::SeriesKey,
    store::{self, Packed, Snapshot, StoredDay},
};
use series::{bundle, grid::Plan};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    ops::Range,
};

/// Hours that have to be read from rows, and of which series.
pub type Rest = Vec<(Range<i64>, Vec<i64>)>;

/// Counts what is packed of the plan's hours, and says what is not packed, or cannot be read: it may be among the
/// roll-ups, or nothing was measured.
pub async fn read(
    snapshot: &mut Snapshot,
    plan: &Plan,
    series: &[(i64, SeriesKey)],
    tally: &mut Tally<'_>,
) -> Result<Rest, store::Error> {
    let hours = &plan.hours;
    let mut of_check: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (id, key) in series {
        of_check.entry(&key.check).or_default().push(*id);
    }
    if hours.is_empty() || of_check.is_empty() {
        return Ok(Rest::new());
    }
    let checks: Vec<String> = of_check.keys().map(|&check| check.to_owned()).collect();
    let all = hours.start.div_euclid(24)..(hours.end - 1).div_euclid(24) + 1;
    let whole = plan.days();
    let parts = if whole.is_empty() {
        vec![(Packed::Hours, all.clone())]
    } else {
        vec![
            (Packed::Hours, all.start..whole.start),
            (Packed::Whole, whole.clone()),
            (Packed::Hours, whole.end..all.end),
        ]
    };
    let mut found: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (what, days) in parts {
        if days.is_empty() {
            continue;
        }
        let hand_on = |packed: StoredDay| {
            let StoredDay { day, check_id: check, data } = packed;
            match bundle::decode(&data) {
                Ok(rollups) => {
                    tally.day(what, day, &check, rollups);
                    found.entry(check).or_default().insert(day);
                }
                Err(error) => {
                    tracing::warn!(day, check, %error, "packed roll-ups cannot be read; the rows answer instead");
                }
            }
            ready(tally.is_wanted())
        };
        snapshot.packed(&checks, days, what, hand_on).await?;
    }
    // Most checks lack the same days, so this is few ranges.
    let mut rest: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
    for (check, ids) in of_check {
        let none = BTreeSet::new();
        for days in gaps(found.get(check).unwrap_or(&none), all.clone()) {
            rest.entry((days.start, days.end)).or_default().extend(&ids);
        }
    }
    let of_hours = |(from, to): (i64, i64)| (from * 24).max(hours.start)..(to * 24).min(hours.end);
    Ok(rest.into_iter().map(|(days, ids)| (of_hours(days), ids)).collect())
}

/// The ranges of days that are not there.
fn gaps(there: &BTreeSet<i64>, all: Range<i64>) -> Vec<Range<i64>> {
    let mut gaps = Vec::new();
    let mut next = all.start;
    for day in there.iter().copied().chain([all.end]) {
        if next < day {
            gaps.push(next..day);
        }
        next = day + 1;
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_found() {
        let gaps = |there: &[i64], all| gaps(&there.iter().copied().collect(), all);
        assert_eq!(gaps(&[], 3..9), [std::ops::Range { start: 3, end: 9 }]);
        assert_eq!(gaps(&[3, 4, 7], 3..9), [5..7, 8..9]);
        assert_eq!(gaps(&[5, 8], 3..9), [3..5, 6..8]);
        assert_eq!(gaps(&[3, 4, 5], 3..6), []);
    }
}
