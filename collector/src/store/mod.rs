//! The only module that knows SQL. One text for SQLite and PostgreSQL; one file for each kind of thing.
//!
//! To add a function: write it in the file of its kind with `on!` for reading or `Store::write` for writing,
//! in portable SQL (see `migrations/README.md`), and add it to the conformance test that runs on both engines.

mod db;
mod decision;
mod delivery;
mod evidence;
mod history_read;
mod lease;
mod log;
mod mesh;
mod revision;
mod timeline;

#[cfg(test)]
mod conformance;

pub use db::{Error, Store};
pub use decision::{NewPlan, Saved};
pub use delivery::{Due, Outcome};
pub use evidence::{EvidenceAsked, StoredEvidence};
pub use history_read::{Erased, SegmentFacts, SegmentsOf, Snapshot, StoredRollup, StoredSeries};
pub use log::{Entry, Logged};
