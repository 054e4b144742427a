//! Many rows of many series in few bytes, exactly: what is written of a check and a day.
//!
//! A segment has a directory, the columns of each series, and a sum over everything (`frame`). What columns there are
//! is told in `columns`. Series are decoded one by one, when asked for. Bytes are checked before they are believed:
//! whatever they are, there is neither a panic nor memory beyond the limits below.

mod columns;
mod frame;
mod numbers;
mod packed;
mod shape;
mod slots;

use crate::{Corrupt, Row};
use thiserror::Error;

/// The most rows of one series in a segment: one every 83 ms for a day.
pub const ROWS_MOST: usize = 1 << 20;
/// The most series in a segment.
pub const SERIES_MOST: usize = 1 << 16;
/// The most rows in a segment.
pub const ROWS_ALL_MOST: usize = 1 << 22;

/// What does not go into one segment, and has to be written as several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooMany {
    #[error("{0} rows of one series are more than a segment takes ({ROWS_MOST}): write several")]
    Rows(usize),
    #[error("{0} rows are more than a segment takes ({ROWS_ALL_MOST}): write several")]
    RowsInAll(usize),
    #[error("{0} series are more than a segment takes ({SERIES_MOST}): write several")]
    Series(usize),
}

/// Encodes series by their ids. Their rows can be in any order, which is kept; sorted by start they take least.
/// A series without rows is left out; one that is given twice has two entries, and both give their rows.
///
/// # Errors
/// When there are more rows or series than a segment takes.
pub fn encode(series: &[(i64, &[Row])]) -> Result<Vec<u8>, TooMany> {
    frame::encode(series)
}

/// Checks the sum and the directory of a segment. Rows are decoded when asked for.
///
/// # Errors
/// When the bytes changed, or a newer version wrote them.
pub fn decode(bytes: &[u8]) -> Result<Segment<'_>, Corrupt> {
    frame::decode(bytes)
}

/// What the directory says about a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub series: i64,
    /// How many rows there are, at least 1.
    pub rows: usize,
    /// The earliest start.
    pub min_at: i64,
    /// The latest start.
    pub max_at: i64,
}

/// A segment whose sum and directory are right.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    entries: Vec<Entry>,
    /// The columns of each entry.
    columns: Vec<&'a [u8]>,
}

impl Segment<'_> {
    /// The series that it holds.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All rows of a series, in the order in which they were given; none when it is not in here.
    ///
    /// # Errors
    /// When the columns are not what [`encode`] writes.
    pub fn rows(&self, series: i64) -> Result<Vec<Row>, Corrupt> {
        let mut rows = Vec::new();
        for (entry, columns) in self.entries.iter().zip(&self.columns) {
            if entry.series == series {
                columns::decode(columns, entry.rows, &mut rows)?;
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
