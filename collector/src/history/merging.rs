//! Which segments are merged, and the merging. Pure.

use super::{
    Error,
    prepare::{self, MOST_ROWS, Numbered},
};
use crate::store::{DayOfCheck, NewSegment, SegmentInfo};
use series::{Row, segment};
use std::collections::BTreeMap;

/// What to do with the segments of a check on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Nothing,
    /// Merge these, by their numbers.
    Merge(Vec<i64>),
    /// This one stays alone: with any other it would be too large.
    Promote(i64),
}

/// Chooses. Of a day that is over everything is merged into one, as far as one may be large; of the day that is still
/// going on only what was flushed, so that a large segment is not written again and again. Every choice leaves fewer
/// segments as they were flushed.
pub fn choose(segments: &[SegmentInfo], over: bool) -> Choice {
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let mut room = most;
    let mut chosen = Vec::new();
    let mut flushed: Vec<&SegmentInfo> = segments.iter().filter(|segment| segment.level == 0).collect();
    flushed.sort_by_key(|segment| segment.rows);
    let Some(largest) = flushed.last() else { return Choice::Nothing };
    let mut others: Vec<&SegmentInfo> =
        segments.iter().filter(|segment| over && segment.level != 0).collect();
    others.sort_by_key(|segment| segment.rows);
    for segment in flushed.iter().chain(&others) {
        if segment.rows <= room {
            room -= segment.rows;
            chosen.push(segment.number);
        }
    }
    // Without a flushed one among them nothing would be gained.
    let gains = flushed.first().is_some_and(|smallest| smallest.rows <= most);
    if gains && chosen.len() > 1 { Choice::Merge(chosen) } else { Choice::Promote(largest.number) }
}

/// Merges segments into as few as possible, and makes sure that all rows can be read from them.
///
/// # Errors
/// When one of them is damaged, or a new one does not give back what was put in.
pub fn merge(of: &DayOfCheck, data: &[Vec<u8>]) -> Result<Vec<NewSegment>, Error> {
    let damaged = |source| Error::Damaged { check: of.check.clone(), day: of.day, source };
    let mut rows: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for bytes in data {
        for (id, some) in read(bytes).map_err(damaged)? {
            rows.entry(id).or_default().extend(some);
        }
    }
    for some in rows.values_mut() {
        some.sort_by_key(|row| row.at);
    }
    let series: Vec<Numbered> =
        rows.into_iter().map(|(id, rows)| Numbered { check: of.check.clone(), id, rows }).collect();
    let merged = prepare::segments(&series, 1)?;
    verify(of, &series, &merged)?;
    Ok(merged)
}

/// The rows of a segment by series.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<i64, Vec<Row>>, series::Corrupt> {
    let decoded = segment::decode(bytes)?;
    let ids = decoded.entries().iter().map(|entry| entry.series);
    ids.map(|id| Ok((id, decoded.rows(id)?))).collect()
}

/// Whether segments hold exactly some rows, all of one day of a check.
fn verify(of: &DayOfCheck, series: &[Numbered], segments: &[NewSegment]) -> Result<(), Error> {
    let mut found: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for segment in segments {
        if segment.day != of.day {
            return Err(Error::Unfaithful);
        }
        for (id, some) in read(&segment.data).map_err(|_| Error::Unfaithful)? {
            found.entry(id).or_default().extend(some);
        }
    }
    let whole = series.len() == found.len()
        && series.iter().all(|one| found.get(&one.id).is_some_and(|rows| *rows == one.rows));
    if whole { Ok(()) } else { Err(Error::Unfaithful) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use series::{
        DAY_US,
        synthetic::{Noise, Series},
    };

    fn infos(segments: &[(i64, usize)]) -> Vec<SegmentInfo> {
        let info = |(number, (level, rows)): (i64, &(i64, usize))| SegmentInfo {
            number,
            level: *level,
            rows: i64::try_from(*rows).expect("few"),
        };
        (1..).zip(segments).map(info).collect()
    }

    #[test]
    fn a_day_that_is_over_becomes_one_segment() {
        let day = infos(&[(1, 9_000), (0, 100), (0, 50)]);
        assert_eq!(choose(&day, true), Choice::Merge(vec![3, 2, 1]));
        assert_eq!(choose(&day, false), Choice::Merge(vec![3, 2]), "today's large one is left alone");
        assert_eq!(choose(&infos(&[(1, 9_000)]), true), Choice::Nothing);
        assert_eq!(choose(&[], true), Choice::Nothing);
        assert_eq!(choose(&infos(&[(0, 10)]), true), Choice::Promote(1));
    }

    #[test]
    fn what_would_be_too_large_stays_apart() {
        let full = infos(&[(1, MOST_ROWS), (0, 10)]);
        assert_eq!(choose(&full, true), Choice::Promote(2));
        let full = infos(&[(1, MOST_ROWS), (1, 20), (0, 10)]);
        assert_eq!(choose(&full, true), Choice::Merge(vec![3, 2]));
        let huge = infos(&[(0, MOST_ROWS - 5), (0, 10)]);
        assert_eq!(choose(&huge, true), Choice::Promote(1));
    }

    #[test]
    fn merging_keeps_every_row_and_refuses_damage() {
        let of = DayOfCheck { day: 20_000, check: "a".into() };
        let rows: Vec<Row> = Series::http(3, of.day * DAY_US, 30_000_000, Noise::Usual).take(900).collect();
        let part = |id: i64, rows: Vec<&Row>| {
            segment::encode(&[(id, &rows.into_iter().copied().collect::<Vec<_>>())])
        };
        let (even, odd): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.total_us % 2 == 0);
        let data = vec![
            part(1, even).expect("few"),
            part(2, rows.iter().collect()).expect("few"),
            part(1, odd).expect("few"),
        ];
        let merged = merge(&of, &data).expect("merged");
        assert_eq!(merged.len(), 1);
        assert_eq!((merged[0].rows, merged[0].level, merged[0].day), (1_800, 1, 20_000));
        let found = read(&merged[0].data).expect("sound");
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| row.at);
        assert_eq!(found[&1], sorted);
        assert_eq!(found[&2].len(), 900);
        assert!(merged[0].data.len() < data.iter().map(Vec::len).sum());

        let mut broken = data.clone();
        let middle = broken[1].len() / 2;
        broken[1][middle] ^= 1;
        assert!(matches!(merge(&of, &broken), Err(Error::Damaged { .. })));
        let wrong = DayOfCheck { day: 20_001, ..of };
        assert!(matches!(merge(&wrong, &data), Err(Error::Unfaithful)), "rows of another day");
    }

    proptest! {
        #[test]
        fn choices_come_to_an_end(
            sizes in prop::collection::vec((0..2_i64, 1..2 * MOST_ROWS), 0..30),
            over: bool,
        ) {
            let mut segments = infos(&sizes);
            let mut number = 1_000;
            loop {
                let flushed = segments.iter().filter(|s| s.level == 0).count();
                match choose(&segments, over) {
                    Choice::Nothing => {
                        prop_assert_eq!(flushed, 0);
                        break;
                    }
                    Choice::Promote(which) => {
                        let found = segments.iter_mut().find(|s| s.number == which).expect("it is there");
                        found.level = 1;
                    }
                    Choice::Merge(which) => {
                        let (old, rest): (Vec<_>, Vec<_>) =
                            segments.into_iter().partition(|s| which.contains(&s.number));
                        prop_assert!(old.len() == which.len() && old.len() > 1);
                        let rows = old.iter().map(|s| s.rows).sum();
                        prop_assert!(rows <= i64::try_from(MOST_ROWS).expect("small"));
                        segments = rest;
                        number += 1;
                        segments.push(SegmentInfo { number, level: 1, rows });
                    }
                }
                prop_assert!(segments.iter().filter(|s| s.level == 0).count() < flushed);
            }
        }
    }
}
