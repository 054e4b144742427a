//! The only module that knows SQL. One text for SQLite and PostgreSQL; one file for each kind of thing.
//!
//! To add a function: write it in the file of its kind with `on!` for reading or `Store::write` for writing,
//! in portable SQL (see `migrations/README.md`), and add it to the conformance test that runs on both engines.

mod audit;
pub mod backup;
mod compaction;
mod db;
mod decision;
mod delivery;
mod erasure;
mod error;
mod evidence;
mod evidence_read;
mod expire;
mod health;
mod history;
mod history_read;
mod integrity;
mod lease;
mod log;
mod mesh;
mod migrate;
mod notify;
mod partition;
mod payload;
mod postgres;
mod read_only;
mod replay;
mod revision;
mod rollup;
mod rollup_day;
mod seen;
mod series;
mod sqlite;
mod timeline;
mod trouble;
mod writing;

#[cfg(test)]
pub(crate) mod conformance;

pub use compaction::{DayOfCheck, Replacement, SegmentInfo};
pub use db::{Options, Place, Store};
pub use decision::{Commit, NewPlan, Saved};
pub use delivery::{Due, Outcome};
pub use erasure::{Bite, Rewrite};
pub use error::{Error, Reaction};
pub use evidence_read::{EvidenceAsked, Order, StoredEvidence};
pub use expire::{Expired, Kind};
pub use health::{Degraded, Health};
pub use history::{NewSegment, Seal, SealState};
pub use history_read::{Packed, SegmentFacts, SegmentsOf, Snapshot, StoredDay, StoredRollup, StoredSeries};
pub use lease::{EXPIRES, Lease};
pub use log::{Appended, Entry, Logged, PackedEntry};
pub use migrate::{ExtraMigration, newest as newest_schema};
pub use notify::{Channel, Notice, Notices, Tell};
pub use payload::MOST_REPORT;
pub use replay::Mark;
pub use rollup::{Rollups, SeriesHour};
pub use rollup_day::PackedDay;
