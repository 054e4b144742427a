//! What was measured, over time: the answers of `/api/v1/history`, `/api/v1/samples` and `/api/v1/evidence`.
//!
//! Latencies are microseconds and of successful runs only; counts are of all runs. Where there were no runs there is
//! no availability and no latency, never a zero.

use crate::{
    CheckId, Micros, ProbeId, RegionId,
    assignment::Target,
    instant::rfc3339,
    residency::Withheld,
    sample::{FailClass, Flag, Outcome, Phases, Trigger},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts and latencies of some series over a range, whole and in buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The range that is answered for: that of the question, or the whole hours around it where single runs are no
    /// longer kept or would be too many. The end is not in it.
    #[serde(with = "rfc3339")]
    pub from: Micros,
    #[serde(with = "rfc3339")]
    pub to: Micros,
    /// The width of a bucket, microseconds.
    pub bucket_us: i64,
    pub resolution: Resolution,
    /// How many series were found.
    pub series: usize,
    /// How many stored parts of the history are damaged, and therefore not in the numbers; the collector's log says
    /// which.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: u64,
    /// One entry for each combination of what was grouped by; one in all when nothing was. Groups without any series
    /// are left out.
    pub groups: Vec<HistoryGroup>,
}

/// What an answer was made of. The newest runs, which are not sealed yet, are in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Single runs.
    Raw,
    /// Roll-ups of whole hours.
    Hourly,
}

/// The series that share what was grouped by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryGroup {
    /// Present as far as it was grouped by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vantage: Option<RegionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The step of a journey; empty for whole runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Over the whole range.
    pub whole: HistoryStats,
    /// Oldest first, without gaps.
    pub buckets: Vec<HistoryBucket>,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryBucket {
    /// Where it begins.
    #[serde(with = "rfc3339")]
    pub at: Micros,
    #[serde(flatten)]
    pub stats: HistoryStats,
}

/// Counts of all runs and latencies of the successful ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HistoryStats {
    /// Runs that were made: `ok` and the failures.
    pub runs: u64,
    pub ok: u64,
    /// Successful runs above the check's budget.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow: u64,
    /// Runs that were due and did not start; no runs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// Runs that the probe cannot make; no runs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unsupported: u64,
    /// Failed runs by class; classes without any are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailClass, u64>,
    /// `ok` over `runs`, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_us: Option<u32>,
    /// Quantiles are within 0.6 % of the exact ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_us: Option<u32>,
    /// Further quantiles that were asked for, by their text in the question, microseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantiles: BTreeMap<String, u32>,
}

// The signature is serde's.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One run of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleView {
    pub check: CheckId,
    pub probe: ProbeId,
    pub target: Target,
    /// The step of a journey; left out for whole runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// When it started, corrected for the probe's clock.
    #[serde(with = "rfc3339")]
    pub at: Micros,
    /// How late it started, microseconds.
    pub delay_us: u32,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slow: bool,
    pub total_us: u32,
    /// Microseconds each.
    pub phases: Phases,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body bytes read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    pub trigger: Trigger,
    /// Above 1 for the repeated runs of a confirmation.
    pub attempt: u16,
}

/// What is kept of a failing or slow run for a person to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceView {
    pub check: CheckId,
    pub probe: ProbeId,
    pub target: Target,
    #[serde(with = "rfc3339")]
    pub at: Micros,
    /// When its report arrived.
    #[serde(with = "rfc3339")]
    pub received: Micros,
    /// `ok` for a run that was only slow.
    pub outcome: Outcome,
    pub slow: bool,
    pub total_us: u32,
    pub status: Option<u16>,
    /// The step of a journey that failed.
    pub step: Option<String>,
    /// One sentence: what was expected and what happened.
    pub summary: String,
    /// The beginning of the body.
    pub excerpt: Option<String>,
    pub address: Option<String>,
    /// The region that says it served the request.
    pub served_by: Option<String>,
    /// The trace id sent in `traceparent`.
    pub trace_id: Option<String>,
    /// Where the content is, when a region's policy keeps it elsewhere or encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}
