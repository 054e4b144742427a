//! The unsealed rows of one series, in memory.
//!
//! Each row carries the position of its entry in the report log. Sealing copies the rows up to a position
//! ([`Head::rows_until`]), writes them, and drops them after the commit ([`Head::drop_until`]); a query ignores rows at
//! or below the position up to which the database is sealed. So no row counts twice, and none is missing.

mod packed;

use crate::Row;
use packed::Packed;

/// Unsealed rows of a series.
#[derive(Debug, Clone, Default)]
pub struct Head {
    rows: Vec<Packed>,
}

impl Head {
    /// Without rows; allocates nothing.
    pub fn new() -> Head {
        Head::default()
    }

    /// Takes a row of the log entry at `position`.
    pub fn push(&mut self, position: i64, row: Row) {
        if self.rows.len() == self.rows.capacity() {
            // By a quarter only: there are many heads, and doubling would leave a third of their memory empty.
            self.rows.reserve_exact((self.rows.len() / 4).max(4));
        }
        self.rows.push(Packed::new(position, &row));
    }

    /// The rows that started in `from..to`, with their positions, in the order in which they came.
    pub fn rows(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, Row)> {
        self.rows
            .iter()
            .filter(move |row| (from..to).contains(&row.at()))
            .map(|row| (row.position(), row.row()))
    }

    /// The rows of log entries up to and including `position`, by their start; rows of one instant in the order in
    /// which they came.
    pub fn rows_until(&self, position: i64) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.rows.iter().filter(|row| row.position() <= position).map(Packed::row).collect();
        rows.sort_by_key(|row| row.at);
        rows
    }

    /// Forgets the rows of log entries up to and including `position`; says how many they were.
    pub fn drop_until(&mut self, position: i64) -> usize {
        let before = self.rows.len();
        self.rows.retain(|row| row.position() > position);
        if self.rows.len() <= self.rows.capacity() / 2 {
            self.rows.shrink_to(self.rows.len() + self.rows.len() / 4);
        }
        before - self.rows.len()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.rows.capacity() * size_of::<Packed>()
    }
}

#[cfg(test)]
mod tests;
