//! One run of a check, as the probe saw it.

use crate::{CheckId, Micros, RegionId, assignment::Target};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub check: CheckId,
    pub target: Target,
    /// When the run should have started, by the probe's wall clock.
    pub scheduled: Micros,
    /// When it did start, by the probe's wall clock.
    pub started: Micros,
    /// From `started` to the end, monotonic, microseconds. 0 for a missed run.
    pub total_us: u32,
    pub outcome: Outcome,
    /// True when the check has a latency budget and a successful run exceeded it.
    #[serde(default)]
    pub slow: bool,
    #[serde(default)]
    pub phases: Phases,
    #[serde(default)]
    pub trigger: Trigger,
    /// The address that was connected to.
    pub address: Option<String>,
    /// The HTTP status, of the last step for a journey.
    pub status: Option<u16>,
    /// The region that says it served the request, by the service's region header.
    pub served_by: Option<String>,
    /// Body bytes read.
    pub bytes: Option<u32>,
    /// When the certificate that the server showed stops being valid.
    #[serde(default)]
    pub certificate_expires: Option<Micros>,
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// The trace id sent in `traceparent`.
    pub trace_id: Option<String>,
    /// Present for failing and slow runs.
    pub evidence: Option<Evidence>,
    /// One entry for each step that ran; empty when the check is not a journey.
    #[serde(default)]
    pub steps: Vec<StepResult>,
}

impl Sample {
    /// How late the run started, microseconds, never negative.
    pub fn schedule_delay_us(&self) -> i64 {
        self.started.since(self.scheduled).max(0)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Fail(FailClass),
    /// The run was due and did not start, for example because the process was suspended.
    Missed,
    /// This probe cannot run such a check.
    Unsupported,
}

impl Outcome {
    /// True for a run that was made and failed.
    pub fn is_fail(self) -> bool {
        matches!(self, Outcome::Fail(_))
    }
}

/// What kind of failure, named for where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailClass {
    /// The name did not resolve.
    Dns,
    /// The connection was refused, reset or unreachable.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// No answer within the timeout.
    Timeout,
    /// The answer was not HTTP, or was cut short.
    Protocol,
    /// The status was not an expected one.
    Status,
    /// The status was right and something else was not as expected.
    Assertion,
    /// The request could not be made: a template or a URL is wrong.
    Request,
}

impl fmt::Display for FailClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FailClass::Dns => "dns",
            FailClass::Connect => "connect",
            FailClass::Tls => "tls",
            FailClass::Timeout => "timeout",
            FailClass::Protocol => "protocol",
            FailClass::Status => "status",
            FailClass::Assertion => "assertion",
            FailClass::Request => "request",
        })
    }
}

/// Where the time went, microseconds, monotonic. A phase that did not happen is absent, never 0.
/// The phase that failed is billed with the time it took. Redirects are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<u32>,
    /// Until the request was handed to the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<u32>,
    /// Until the response head arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
    /// Until the last body byte arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<u32>,
}

impl Phases {
    /// The phases that happened, in order, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("dns", self.dns),
            ("connect", self.connect),
            ("tls", self.tls),
            ("send", self.send),
            ("wait", self.wait),
            ("transfer", self.transfer),
        ]
        .into_iter()
        .filter_map(|(name, us)| us.map(|us| (name, us)))
    }

    /// The sum of the phases that happened, microseconds.
    pub fn sum(&self) -> u32 {
        self.named().fold(0, |sum, (_, us)| sum.saturating_add(us))
    }
}

/// Why the run was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    #[default]
    Schedule,
    Confirm,
    Proof,
}

/// What lowers the worth of a sample; flagged samples do not vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The run started so late that its latency says more about the probe than about the target.
    LateStart,
    /// The wall clock was stepped during the run.
    ClockStepped,
}

/// What is kept of a failing or slow run for a person to read. Secrets are redacted by the probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One sentence: what was expected and what happened. At most 300 characters.
    pub summary: String,
    /// The step of a journey that failed.
    pub step: Option<String>,
    /// The beginning of the body, at most 512 bytes.
    pub excerpt: Option<String>,
}

/// One step of a journey's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    pub name: String,
    /// The region that the step was sent to, when it is not the series' target: a failure there says nothing of the
    /// target alone.
    #[serde(default)]
    pub elsewhere: Option<RegionId>,
    pub outcome: Outcome,
    pub total_us: u32,
    #[serde(default)]
    pub phases: Phases,
    pub status: Option<u16>,
    pub served_by: Option<String>,
    /// How many requests the step took; more than one only where it was allowed to repeat.
    pub attempts: u16,
}
