//! The only module that knows SQL. One text for SQLite and PostgreSQL; one file for each kind of thing.
//!
//! To add a function: write it in the file of its kind with `on!` for reading or `Store::write` for writing,
//! in portable SQL (see `migrations/README.md`), and add it to the conformance test that runs on both engines.

mod db;
mod decision;
mod delivery;
mod evidence_read;
mod history;
mod history_read;
mod lease;
mod log;
mod mesh;
mod revision;
mod rollup;
mod series;
mod timeline;

#[cfg(test)]
pub(crate) mod conformance;

pub use db::{Error, Store};
pub use decision::{NewPlan, Saved};
pub use delivery::{Due, Outcome};
pub use evidence_read::{EvidenceAsked, StoredEvidence};
pub use history::{NewSegment, Seal, SealState};
pub use history_read::{SegmentFacts, SegmentsOf, Snapshot, StoredRollup, StoredSeries};
pub use log::{Entry, Logged};
pub use rollup::{Rollups, SeriesHour};
