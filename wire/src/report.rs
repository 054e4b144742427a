//! How samples travel: numbered reports, kept by the probe until the collector has committed them.

use crate::{Micros, ProbeId, mesh::MeshWindow, sample::Sample};
use serde::{Deserialize, Serialize};

/// Where reports are posted.
pub const PATH: &str = "/api/v1/reports";
/// Where a probe reads its directives, one JSON object ([`crate::assignment::Directive`]) a line, for as long as it
/// listens. The bearer token says which probe it is; the query `region=R` says where it believes to be, so that a
/// mixed-up token is noticed. The first line is the assignment; heartbeats follow at least every [`HEARTBEAT_SECONDS`].
pub const STREAM_PATH: &str = "/api/v1/stream";
/// How often the stream says that it is alive; a probe reconnects after three times this without a line.
pub const HEARTBEAT_SECONDS: u64 = 2;
/// The most samples one report carries.
pub const MAX_SAMPLES: usize = 500;
/// The most windows of the mesh one report carries.
pub const MAX_WINDOWS: usize = 500;
/// The most reports one batch carries.
pub const MAX_REPORTS: usize = 100;
/// The most bytes a batch may have, before it is packed. It may be posted as it is or with `content-encoding: gzip`.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// Samples, and windows of the mesh, under one number. `(probe, sequence)` is unique for ever, so a resend changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub probe: ProbeId,
    /// Grows by one with each report. A new spool starts at the wall clock's microseconds, so that a probe
    /// which lost its disk does not reuse numbers.
    pub sequence: i64,
    pub samples: Vec<Sample>,
    /// Windows of the mesh that this probe sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mesh: Vec<MeshWindow>,
}

/// What is posted to [`PATH`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The probe's wall clock when this batch was sent. Receive time minus this is the probe's clock offset
    /// (plus the path), so the collector can tell the age of every sample without trusting the clock itself.
    pub sent: Micros,
    pub reports: Vec<Report>,
    /// Samples lost so far because the spool was full.
    #[serde(default)]
    pub lost: u64,
}

/// The collector's answer, sent after the batch was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Reports that were new.
    pub stored: usize,
    /// Reports that had been stored before.
    pub duplicates: usize,
}
