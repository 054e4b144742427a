//! From rows to what is stored: segments of (day, check), and roll-ups of (series, hour). Pure, and the costly part of
//! sealing, so that the database is held up only for the writing.

use crate::store::{DayOfCheck, NewSegment, PackedDay, Rollups};
use series::{Corrupt, DAY_US, HOUR_US, Row, segment};
use std::collections::BTreeMap;

/// The most rows that are put into one segment, so that reading one takes little memory: 40 MB.
pub const MOST_ROWS: usize = 500_000;

/// Rows of a series, sorted by their start.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    pub check: String,
    pub id: i64,
    pub rows: Vec<Row>,
}

/// Rows that belong into the same segments.
type Parts<'a> = Vec<(i64, &'a [Row])>;

/// The segments of some rows. Series are together by their check and day.
///
/// # Errors
/// When rows cannot be encoded, which a limit of the format would have to cause.
pub fn segments(series: &[Numbered], level: i64) -> Result<Vec<NewSegment>, segment::TooMany> {
    let mut days: BTreeMap<(&str, i64), Parts<'_>> = BTreeMap::new();
    for one in series {
        for rows in one.rows.chunk_by(|a, b| day(a) == day(b)) {
            days.entry((&one.check, day(&rows[0]))).or_default().push((one.id, rows));
        }
    }
    let mut segments = Vec::with_capacity(days.len());
    for ((check, day), parts) in days {
        for group in groups(parts) {
            segments.push(encode(check, day, level, &group)?);
        }
    }
    Ok(segments)
}

/// Roll-ups of some rows; of an hour without any scheduled run there is none.
pub fn rollups(series: &[Numbered]) -> Rollups {
    let mut rollups = Rollups::new();
    for one in series {
        for rows in one.rows.chunk_by(|a, b| hour(a) == hour(b)) {
            let rollup = rollups.entry((one.id, hour(&rows[0]))).or_default();
            rows.iter().for_each(|row| rollup.add(row));
        }
    }
    rollups.retain(|_, rollup| !rollup.is_empty());
    rollups
}

/// The same by the day and check that they are of.
pub fn days(series: &[Numbered]) -> BTreeMap<DayOfCheck, Rollups> {
    let checks: BTreeMap<i64, &str> = series.iter().map(|one| (one.id, one.check.as_str())).collect();
    let mut days: BTreeMap<DayOfCheck, Rollups> = BTreeMap::new();
    for ((id, hour), rollup) in rollups(series) {
        let check = checks.get(&id).copied().unwrap_or_default().to_owned();
        days.entry(DayOfCheck { day: hour.div_euclid(24), check }).or_default().insert((id, hour), rollup);
    }
    days
}

/// Adds new roll-ups to what is packed of their days: the rows and the days that are to be written.
///
/// # Errors
/// When what is packed is damaged.
pub fn merge(
    new: BTreeMap<DayOfCheck, Rollups>,
    mut stored: BTreeMap<DayOfCheck, PackedDay>,
) -> Result<(Rollups, Vec<PackedDay>), Corrupt> {
    let (mut rollups, mut days) = (Rollups::new(), Vec::with_capacity(new.len()));
    for (of, new) in new {
        match stored.remove(&of) {
            Some(mut packed) => {
                rollups.extend(packed.add(&new)?);
                days.push(packed);
            }
            None => {
                days.push(PackedDay::new(of, &new));
                rollups.extend(new);
            }
        }
    }
    Ok((rollups, days))
}

/// The day that a row belongs to, whole days since 1970.
pub fn day(row: &Row) -> i64 {
    row.at.div_euclid(DAY_US)
}

/// The hour that a row belongs to, whole hours since 1970.
pub fn hour(row: &Row) -> i64 {
    row.at.div_euclid(HOUR_US)
}

/// Cuts rows into groups of at most [`MOST_ROWS`].
fn groups(parts: Parts<'_>) -> Vec<Parts<'_>> {
    let mut groups: Vec<Parts<'_>> = vec![Vec::new()];
    let mut room = MOST_ROWS;
    for (id, mut rows) in parts {
        while !rows.is_empty() {
            if room == 0 {
                groups.push(Vec::new());
                room = MOST_ROWS;
            }
            let (fits, rest) = rows.split_at(rows.len().min(room));
            room -= fits.len();
            rows = rest;
            if let Some(group) = groups.last_mut() {
                group.push((id, fits));
            }
        }
    }
    groups
}

fn encode(
    check: &str,
    day: i64,
    level: i64,
    parts: &[(i64, &[Row])],
) -> Result<NewSegment, segment::TooMany> {
    let starts = || parts.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.at));
    Ok(NewSegment {
        day,
        check: check.to_owned(),
        min_at: starts().min().unwrap_or_default(),
        max_at: starts().max().unwrap_or_default(),
        rows: parts.iter().map(|(_, rows)| i64::try_from(rows.len()).unwrap_or(i64::MAX)).sum(),
        level,
        data: segment::encode(parts)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::synthetic::{Noise, Series};

    const T0: i64 = 20_000 * DAY_US;

    fn numbered(check: &str, id: i64, from: i64, every_s: i64, count: usize) -> Numbered {
        let rows =
            Series::http(id.unsigned_abs(), from, every_s * 1_000_000, Noise::Usual).take(count).collect();
        Numbered { check: check.into(), id, rows }
    }

    #[test]
    fn rows_go_into_the_segment_of_their_check_and_day() {
        // From two hours before midnight to two hours after it.
        let from = T0 - 2 * HOUR_US;
        let series =
            [numbered("a", 1, from, 60, 240), numbered("a", 2, from, 60, 60), numbered("b", 3, T0, 60, 9)];
        let segments = segments(&series, 0).expect("few rows");
        let facts: Vec<_> = segments.iter().map(|s| (s.check.as_str(), s.day, s.rows > 0)).collect();
        assert_eq!(facts, [("a", 19_999, true), ("a", 20_000, true), ("b", 20_000, true)]);
        let mut found: Vec<(i64, Row)> = Vec::new();
        for stored in &segments {
            let decoded = segment::decode(&stored.data).expect("sound");
            let mut rows = 0;
            for entry in decoded.entries() {
                let of = decoded.rows(entry.series).expect("sound");
                assert!(of.iter().all(|row| day(row) == stored.day));
                assert!(of.iter().all(|row| (stored.min_at..=stored.max_at).contains(&row.at)));
                rows += i64::try_from(of.len()).expect("few");
                found.extend(of.iter().map(|row| (entry.series, *row)));
            }
            assert_eq!(rows, stored.rows);
        }
        let mut all: Vec<(i64, Row)> =
            series.iter().flat_map(|one| one.rows.iter().map(|row| (one.id, *row))).collect();
        all.sort_by_key(|(id, row)| (*id, row.at));
        found.sort_by_key(|(id, row)| (*id, row.at));
        assert_eq!(found, all);
    }

    #[test]
    fn a_segment_has_no_more_rows_than_it_may() {
        let row = Series::single(1, T0, 1_000_000, Noise::Usual).next().expect("a row");
        let rows = |count| vec![row; count];
        let (a, b, c) = (rows(MOST_ROWS - 10), rows(20), rows(MOST_ROWS + 5));
        let groups = groups(vec![(1, &a), (2, &b), (3, &c)]);
        let lengths: Vec<Vec<(i64, usize)>> =
            groups.iter().map(|group| group.iter().map(|(id, rows)| (*id, rows.len())).collect()).collect();
        assert_eq!(
            lengths,
            [vec![(1, MOST_ROWS - 10), (2, 10)], vec![(2, 10), (3, MOST_ROWS - 10)], vec![(3, 15)],]
        );
    }

    #[test]
    fn rollups_are_by_the_hour_and_merge_with_those_stored() {
        let all = numbered("a", 1, T0, 60, 180);
        let part =
            |range: std::ops::Range<usize>| [Numbered { rows: all.rows[range].to_vec(), ..all.clone() }];
        let whole = rollups(&part(0..180));
        assert!(whole.len() >= 3, "three hours, and what jitter adds");
        let stored = rollups(&part(0..100));
        let mut packed = BTreeMap::new();
        for (of, rollups) in days(&part(0..100)) {
            packed.insert(of.clone(), PackedDay::new(of, &rollups));
        }
        let (merged, packed) = merge(days(&part(100..180)), packed).expect("sound");
        for (of, rollup) in &merged {
            assert_eq!(rollup, &whole[of]);
        }
        assert!(merged.len() < whole.len(), "hours without new rows are left alone");
        assert!(stored.keys().any(|of| !merged.contains_key(of)), "and stay packed:");
        for day in packed {
            assert_eq!(day, PackedDay::new(day.of.clone(), &whole));
        }
    }
}
