//! What the core is told. Everything but the tick comes from the log, so that a restart tells it again.

use serde::{Deserialize, Serialize};
use wire::{Micros, ReceiverId, ServiceId, report::Report};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A probe's report was committed.
    Report {
        /// Our clock when it arrived.
        received: Micros,
        /// The probe's clock when it sent the batch.
        sent: Micros,
        report: Report,
        /// Samples that this probe has lost so far.
        lost: u64,
    },
    /// A receiver was told of a plan, or could not be.
    Told { service: ServiceId, term: i64, generation: i64, receiver: ReceiverId, told: Told, at: Micros },
    /// Time passed.
    Tick,
}

/// How telling a receiver went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It answered 2xx, microseconds after the plan was made.
    Acknowledged { after_us: i64 },
    /// It refused for good.
    Refused { why: String },
    /// The first failed attempt at a plan; it is tried again.
    Failing { why: String },
}
