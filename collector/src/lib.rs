//! The centre: takes reports, decides, steers, delivers, verifies, and shows.
//!
//! Read downwards, as a sample travels:
//!
//! 1. [`ingest`] takes reports from probes, lets [`residency`] seal what must not be stored in clear, and answers after
//!    the commit;
//! 2. [`store`] keeps the log, which is the truth;
//! 3. [`fold`] applies the log to the pure core in [`decide`] and commits what follows in one transaction;
//! 4. [`history`] seals what was measured into segments and roll-ups;
//! 5. [`deliver`] tells receivers what the outbox holds;
//! 6. [`hub`] asks probes to confirm suspicions and to measure whether traffic moved;
//! 7. [`board`] and [`api`] show all of it to people and programs.
//!
//! [`app`] puts the parts together. [`backup`] is the form of archives, which [`store::backup`] makes and takes.

pub mod api;
pub mod app;
pub mod assigned;
pub mod backup;
pub mod board;
pub mod clocks;
pub mod config;
pub mod decide;
pub mod deliver;
pub mod exchange;
pub mod fold;
pub mod history;
pub mod hub;
pub mod ingest;
pub mod mandate;
pub mod mesh;
pub mod metrics;
pub mod replay;
pub mod residency;
pub mod retention;
pub mod secret;
pub mod store;
pub mod tail;

pub use app::{App, BuildError, Collector, Settings};
