//! One run of a check, as the probe saw it.

use crate::{CheckId, Micros, RegionId, assignment::Target, residency::Withheld};
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
    /// From `started` to the end, monotonic, microseconds; the clean-up of a journey does not count. 0 for a missed
    /// run.
    pub total_us: u32,
    pub outcome: Outcome,
    /// True when the check has a latency budget and a successful run exceeded it.
    #[serde(default)]
    pub slow: bool,
    #[serde(default)]
    pub phases: Phases,
    #[serde(default)]
    pub trigger: Trigger,
    /// Which try this is: above 1 only for the repeated runs of a confirmation, each a sample of its own.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u16,
    /// The address that was connected to.
    pub address: Option<String>,
    /// What is known of the connection.
    #[serde(default, skip_serializing_if = "Connection::is_empty")]
    pub connection: Connection,
    /// The redirects that were followed, in order; `phases`, `address` and `status` are those of the request after the
    /// last one, and `total_us` is the sum over all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// One entry for each address of the name, where all of them are measured. The rest of the sample is then about
    /// the address that decided: the first that failed, or the slowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressResult>,
    /// The HTTP status, of the last step for a journey.
    pub status: Option<u16>,
    /// The region that says it served the request, by the service's region header.
    pub served_by: Option<String>,
    /// Body bytes read.
    pub bytes: Option<u32>,
    /// When the first certificate of the chain that the server showed stops being valid.
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

fn first() -> u16 {
    1
}

// The signature is serde's.
fn is_first(attempt: &u16) -> bool {
    *attempt == 1
}

impl Sample {
    /// How late the run started, microseconds, never negative.
    pub fn schedule_delay_us(&self) -> i64 {
        self.started.since(self.scheduled).max(0)
    }
}

/// What is known of the connection that carried a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connection {
    /// The protocol that was spoken: `HTTP/1.1` or `HTTP/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The connection was there before: it has no `dns`, `connect` and `tls` phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Segments that the system sent again (Linux `tcpi_total_retrans`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    /// The least round trip that the system saw on this connection, microseconds (Linux `tcpi_min_rtt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rtt_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
}

impl Connection {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Connection::default()
    }
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The server stapled an OCSP response (RFC 6066, 8).
    pub stapled: bool,
    /// False when the check skips verification.
    pub verified: bool,
}

/// How a name was resolved for a run: each run asks anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The server that answered, `address:port`.
    pub server: String,
    /// The response code by its name (RFC 1035, RFC 6895): `NOERROR`, `NXDOMAIN`, ...
    pub rcode: String,
    /// The least time to live among the address records, seconds.
    pub ttl_s: Option<u32>,
    /// How many addresses there were.
    pub found: u16,
}

/// A request that was answered by a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Scheme, host, port and path; no query, which may hold secrets.
    pub url: String,
    pub status: u16,
    pub address: Option<String>,
    pub total_us: u32,
    pub phases: Phases,
}

/// What one address of a name gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressResult {
    pub address: String,
    pub outcome: Outcome,
    pub total_us: u32,
    pub phases: Phases,
    pub status: Option<u16>,
    /// Why it failed, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
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
/// The phase that failed is billed with the time it took. Each redirect that is followed has phases of its own.
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
    /// This machine's processors were busy: latency may be its own.
    CpuSaturated,
    /// The probe's own resolver failed, also for its control names: the failure is no evidence about the target.
    ResolverFailing,
    /// The probe reached none of its control targets either: it is blind.
    Blind,
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
    /// Where the rest is, when a region's policy does not let it travel; the summary is a fixed sentence then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
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
    /// Of a step that may repeat and succeeded: from its first request to the end of the answer that was right,
    /// microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u32>,
}
