//! Which buckets a question over a range gets, and where their numbers come from: whole hours from roll-ups, the edges
//! from raw rows; or everything from raw rows.

use crate::HOUR_US;
use std::ops::Range;

/// The most buckets that are ever made.
pub const BUCKETS_MOST: u32 = 10_000;
/// Up to so many raw rows are read for the sake of buckets below an hour.
pub const RAW_ROWS_MOST: u64 = 300_000;

/// Instants beyond are brought back to here (the year ±73 000), so that no difference overflows.
const INSTANT_MOST: i64 = 1 << 61;
const SECOND_US: i64 = 1_000_000;
/// Widths below an hour, seconds: each divides the hour.
const BELOW_HOUR_S: [i64; 14] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800];
/// Widths from an hour to a day, hours: each divides the day.
const HOURS: [i64; 8] = [1, 2, 3, 4, 6, 8, 12, 24];
const DAY_H: i64 = 24;

/// Buckets of one width, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The start of the first bucket.
    pub from: i64,
    /// At least 1.
    pub width_us: i64,
    pub buckets: u32,
}

impl Grid {
    /// The bucket of an instant; absent outside of all.
    pub fn bucket(&self, at: i64) -> Option<usize> {
        let offset = at.checked_sub(self.from).filter(|&offset| offset >= 0)?;
        let bucket = offset / self.width_us;
        (bucket < i64::from(self.buckets)).then_some(bucket as usize)
    }

    /// Where a bucket begins, and where the next one does.
    pub fn range(&self, bucket: usize) -> Range<i64> {
        let begin = |n: usize| self.from.saturating_add(self.width_us.saturating_mul(n as i64));
        begin(bucket)..begin(bucket + 1)
    }
}

/// What whole hours are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// All from rows.
    Raw,
    /// Whole hours from roll-ups, the rest from rows.
    Hourly,
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The range that was asked for, empty when it was upside down. The first and the last bucket may reach beyond it,
    /// but hold nothing from there.
    pub range: Range<i64>,
    pub grid: Grid,
    pub resolution: Resolution,
    /// The hours since 1970 that are read from roll-ups.
    pub hours: Range<i64>,
    /// The ranges that are read from rows: at most two, none of them empty, none overlapping.
    pub raw: Vec<Range<i64>>,
}

impl Plan {
    /// The part of a bucket that is within the range.
    pub fn bucket_range(&self, bucket: usize) -> Range<i64> {
        let whole = self.grid.range(bucket);
        whole.start.max(self.range.start)..whole.end.min(self.range.end)
    }

    /// The days since 1970 whose hours are all read from roll-ups and fall into one bucket, so that a roll-up of the day
    /// does as well. The rest of the hours is read as hours.
    pub fn days(&self) -> Range<i64> {
        let days = div_ceil(self.hours.start, DAY_H)..self.hours.end.div_euclid(DAY_H);
        let day_us = DAY_H * HOUR_US;
        let by_the_day = self.grid.width_us % day_us == 0 && self.grid.from % day_us == 0;
        if self.grid.buckets == 1 || by_the_day { days } else { days.start..days.start }
    }

    /// The bucket of an instant; absent outside of the range.
    pub fn bucket(&self, at: i64) -> Option<usize> {
        if self.range.contains(&at) { self.grid.bucket(at) } else { None }
    }
}

/// Plans the range `from..to` in at most `buckets` buckets (0 is taken for 1, more than [`BUCKETS_MOST`] for that).
///
/// One bucket is the range itself. More are aligned to their width since 1970, UTC: a round number of seconds, minutes,
/// hours or days, the least that needs no more than `buckets`. Hourly roll-ups are used when buckets are whole hours
/// anyway, and when `raw_rows` (an estimate of the rows in the range, over all series that are asked for) is above
/// [`RAW_ROWS_MOST`] — `u64::MAX` where rows are no longer kept; buckets are whole hours then.
pub fn plan(from: i64, to: i64, buckets: u32, raw_rows: u64) -> Plan {
    let [from, to] = [from, to].map(|at| at.clamp(-INSTANT_MOST, INSTANT_MOST));
    if from >= to {
        let grid = Grid { from, width_us: 1, buckets: 0 };
        return Plan { range: from..from, grid, resolution: Resolution::Raw, hours: 0..0, raw: Vec::new() };
    }
    let buckets = buckets.clamp(1, BUCKETS_MOST);
    let (first_hour, end_hour) = (div_ceil(from, HOUR_US), to.div_euclid(HOUR_US));
    let whole_hours = first_hour < end_hour;
    let grid = grid(from, to, buckets, SECOND_US);
    if !whole_hours || (grid.width_us < HOUR_US && raw_rows <= RAW_ROWS_MOST) {
        return Plan {
            range: from..to,
            grid,
            resolution: Resolution::Raw,
            hours: 0..0,
            raw: std::iter::once(from..to).collect(),
        };
    }
    let grid = if grid.width_us < HOUR_US { self::grid(from, to, buckets, HOUR_US) } else { grid };
    let edges = [from..first_hour * HOUR_US, end_hour * HOUR_US..to];
    Plan {
        range: from..to,
        grid,
        resolution: Resolution::Hourly,
        hours: first_hour..end_hour,
        raw: edges.into_iter().filter(|edge| !edge.is_empty()).collect(),
    }
}

/// The finest grid of at most `buckets` whose width is at least `least`.
fn grid(from: i64, to: i64, buckets: u32, least: i64) -> Grid {
    if buckets == 1 {
        return Grid { from, width_us: to - from, buckets: 1 };
    }
    let seconds = BELOW_HOUR_S.iter().map(|s| s * SECOND_US);
    let hours = HOURS.iter().map(|hours| hours * HOUR_US);
    seconds
        .chain(hours)
        .filter(|&width| width >= least)
        .map(|width| aligned(from, to, width))
        .find(|&(_, count)| count <= i64::from(buckets))
        .map(|(grid, _)| grid)
        .unwrap_or_else(|| {
            // One bucket fewer makes room for the alignment.
            let day_us = DAY_H * HOUR_US;
            let days = div_ceil(div_ceil(to - from, day_us), i64::from(buckets) - 1);
            aligned(from, to, days * day_us).0
        })
}

/// The buckets of this width that cover the range, the first one beginning at a multiple of it; and how many they are.
fn aligned(from: i64, to: i64, width_us: i64) -> (Grid, i64) {
    let first = from.div_euclid(width_us);
    let count = div_ceil(to, width_us) - first;
    let buckets = u32::try_from(count).unwrap_or(u32::MAX);
    (Grid { from: first * width_us, width_us, buckets }, count)
}

fn div_ceil(n: i64, by: i64) -> i64 {
    -(-n).div_euclid(by)
}

#[cfg(test)]
mod tests;
