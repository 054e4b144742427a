//! The history of measurements, without input and output: what a row is, how rows become compressed segments, roll-ups
//! and buckets, and how unsealed rows wait in memory.
//!
//! A series is one check, probe and target, and optionally one step of a journey. Its rows live in these places, which
//! the collector keeps and this crate only forms:
//!
//! | where | module | resolution |
//! |---|---|---|
//! | not yet sealed, in memory | [`head`] | every run |
//! | a segment: many series of a check and a day | [`segment`] | every run, exact |
//! | a row in a table for each series and hour | [`rollup`] | counts, and a [`sketch`] of the latencies |
//! | the same once more: all series of a check and a day | [`bundle`] | hours, and the whole day |
//!
//! [`grid`] says which of them answer a question over a range, [`answer`] puts rows and roll-ups into its buckets.
//! [`synthetic`] makes rows for benchmarks and for `sextant load`.
//!
//! Instants are `i64` microseconds since 1970 (POSIX time), durations `u32` microseconds.

pub mod answer;
pub mod bundle;
mod bytes;
mod code;
mod corrupt;
mod envelope;
pub mod grid;
pub mod head;
pub mod rollup;
mod row;
pub mod segment;
pub mod sketch;
pub mod synthetic;
#[cfg(test)]
mod testing;

pub use code::{FAIL_CLASSES, class_index};
pub use corrupt::Corrupt;
pub use row::{Flags, Row, START_STEP_US, kept_start};

/// Microseconds in an hour: the width of a roll-up.
pub const HOUR_US: i64 = 3_600_000_000;
/// Microseconds in a day: the range of a segment.
pub const DAY_US: i64 = 24 * HOUR_US;
