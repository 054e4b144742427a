//! The agent: it measures services from one vantage and reports what it saw.
//!
//! Read in the order of the data: [`stream`] takes the assignment from the collector (and [`kept`] keeps it on
//! disk, so that the probe measures when the collector is away), [`schedule`] and [`confirm`] say what is due,
//! [`pacer`] starts it on time, [`runner`] makes a sample of each run of a [`check`] over [`net`], [`collect`]
//! gathers samples into reports (and lets [`residency`] keep here what must not travel), [`spool`] keeps them on disk, and [`uplink`] sends them in order until the
//! collector has them. [`selfcheck`] tells whether the probe itself is fit to measure. [`app`] puts the parts together,
//! [`cli`] is its command line, and [`command`] what can be asked for beside it.
//!
//! Two rules shape it. The loop is open: a slow target never delays the next run, and what could not run is said
//! (`missed`), not left out. And the collector may be away at any time: nothing that was measured is lost before
//! the spool is full, and nothing is counted twice.

pub mod app;
mod atomic_file;
pub mod capacity;
pub mod check;
pub mod cli;
pub mod collect;
pub mod command;
mod complaint;
pub mod confirm;
mod directive;
pub mod evidence;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
pub mod kept;
mod lines;
mod link;
mod mesh;
mod metrics;
pub mod net;
pub mod pacer;
pub mod residency;
pub mod runner;
pub mod schedule;
pub mod secrets;
pub mod selfcheck;
pub mod settings;
pub mod spool;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod uplink;
mod validate;

pub use app::{App, BuildError, RunError};
pub use settings::{Settings, Token};
