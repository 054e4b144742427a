//! What people and the REST API read. The dashboard renders these same types, so that a page never shows a
//! fact that the API does not have.

use crate::{
    CheckId, Micros, ProbeId, ReceiverId, RegionId, ServiceId,
    assignment::Target,
    instant::rfc3339,
    mesh::MeshWindow,
    plan::Plan,
    sample::{Flag, Outcome, Phases},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// One page's worth of everything: regions, services, probes and the newest timeline entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    #[serde(with = "rfc3339")]
    pub now: Micros,
    /// Configuration revision in force.
    pub revision: i64,
    pub automation: Automation,
    /// One sentence on the worst thing going on.
    pub headline: String,
    pub mood: VerdictState,
    pub regions: Vec<RegionView>,
    pub services: Vec<ServiceView>,
    pub probes: Vec<ProbeView>,
    /// The newest window of each session of the mesh and method, as far as it is not too old; empty without a mesh.
    #[serde(default)]
    pub mesh: Vec<MeshWindow>,
    /// Newest first, at most 100.
    pub timeline: Vec<TimelineEntry>,
    /// What keeps the collector from storing; absent while all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<StorageView>,
}

/// What does not work below the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageView {
    #[serde(with = "rfc3339")]
    pub since: Micros,
    /// One sentence: what is wrong, and what it means for the data.
    pub what: String,
}

/// Whether Sextant moves traffic by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Automation {
    /// Plans are made and delivered.
    #[default]
    On,
    /// Verdicts are made, what would be planned is written to the timeline, nothing is delivered.
    Observe,
    /// The kill switch: the last plan stays in force.
    Off,
}

impl fmt::Display for Automation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Automation::On => "on",
            Automation::Observe => "observe",
            Automation::Off => "off",
        })
    }
}

/// A region of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionView {
    pub id: RegionId,
    /// What people call it; the id when not configured.
    pub name: String,
    /// Degrees, −90 to 90 and −180 to 180.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// What is believed of a service in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    Healthy,
    /// Too little fresh evidence to say anything. Never a reason to move traffic.
    #[default]
    Unknown,
    /// Failing or slow in a way that does not justify an evacuation.
    Degraded,
    Down,
}

impl fmt::Display for VerdictState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            VerdictState::Healthy => "healthy",
            VerdictState::Unknown => "unknown",
            VerdictState::Degraded => "degraded",
            VerdictState::Down => "down",
        })
    }
}

/// A service with everything known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    pub id: ServiceId,
    pub name: String,
    /// The public entrance that users take, where there is one.
    pub public_url: Option<String>,
    pub regions: Vec<ServiceRegionView>,
    pub checks: Vec<CheckId>,
    /// Absent until the first plan.
    pub plan: Option<PlanView>,
}

/// A service in one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRegionView {
    pub region: RegionId,
    pub url: String,
    pub verdict: VerdictView,
    /// 0 to 100, from the configuration.
    pub configured_weight: u8,
    /// 0 to 100, from the plan in force.
    pub planned_weight: u8,
    /// The share of recent public requests that this region served, 0 to 1; absent without fresh evidence.
    pub observed_share: Option<f64>,
    /// Median of fresh successful runs from all vantages, microseconds.
    pub median_us: Option<u32>,
    /// Oldest first: what all vantages together saw in each of the last buckets.
    pub beats: Vec<Beat>,
}

/// The verdict on a service in a region, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictView {
    pub state: VerdictState,
    #[serde(with = "rfc3339")]
    pub since: Micros,
    /// One sentence that names votes and evidence.
    pub reason: String,
    /// Where the fault is believed to be, for example `target eu-west-1`; empty when healthy.
    pub located: String,
    pub votes: Vec<VoteView>,
}

/// What one vantage says of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteView {
    pub probe: ProbeId,
    pub vantage: RegionId,
    pub vote: Vote,
    /// Age of the newest evidence, microseconds; absent when there is none.
    pub age_us: Option<i64>,
    /// Time of the newest run, microseconds.
    pub latency_us: Option<u32>,
    /// What the newest run saw, for example `timeout after 2.0 s in connect`.
    pub detail: String,
}

/// A vantage's vote on a region. The first four are in order of badness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    Up,
    /// Answering, and slow or failing in a check whose failure means degraded.
    Degraded,
    /// Failing, but not yet for as long as the hold.
    Suspect,
    Down,
    /// No fresh evidence: does not take part.
    Unknown,
    /// The vantage itself is at fault: does not take part.
    Excluded,
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Vote::Up => "up",
            Vote::Suspect => "suspect",
            Vote::Degraded => "degraded",
            Vote::Down => "down",
            Vote::Unknown => "unknown",
            Vote::Excluded => "excluded",
        })
    }
}

/// All vantages' runs against one region in one bucket of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Beat {
    #[serde(with = "rfc3339")]
    pub at: Micros,
    pub ok: u32,
    pub slow: u32,
    pub failed: u32,
}

/// The plan in force and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    #[serde(flatten)]
    pub plan: Plan,
    /// The rules that the plan had to pass, with what they said.
    pub guards: Vec<GuardView>,
    pub deliveries: Vec<DeliveryView>,
    pub proof: Proof,
}

/// One guard's word on a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardView {
    pub name: String,
    pub passed: bool,
    pub detail: String,
}

/// How a receiver was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// `rt_<service>_<term>_<generation>_<receiver>`, also the `webhook-id`.
    pub id: String,
    pub service: ServiceId,
    pub generation: i64,
    pub receiver: ReceiverId,
    pub state: DeliveryState,
    pub attempts: i64,
    #[serde(with = "rfc3339")]
    pub created: Micros,
    #[serde(with = "rfc3339::option")]
    pub acknowledged: Option<Micros>,
    #[serde(with = "rfc3339::option")]
    pub next_attempt: Option<Micros>,
    /// What went wrong last, with what to do; empty when nothing did.
    pub last_error: String,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Acknowledged,
    /// A newer plan took its place before it was acknowledged.
    Superseded,
    /// The receiver refused it for good.
    Refused,
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Acknowledged => "acknowledged",
            DeliveryState::Superseded => "superseded",
            DeliveryState::Refused => "refused",
        })
    }
}

/// Whether traffic was measured to follow the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub state: ProofState,
    /// Public requests counted since the plan was acknowledged.
    pub samples: u32,
    /// Share of the newest of those that each region served, 0 to 1; the ones that `detail` speaks of.
    pub shares: BTreeMap<RegionId, f64>,
    #[serde(with = "rfc3339::option")]
    pub at: Option<Micros>,
    /// One sentence: what was measured and what was needed.
    pub detail: String,
}

/// The state of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// Waiting for a receiver to acknowledge.
    #[default]
    Waiting,
    /// Acknowledged; counting public requests.
    Measuring,
    Verified,
    /// The time for proof ran out while traffic was not where the plan says.
    Unverified,
}

impl fmt::Display for ProofState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ProofState::Waiting => "waiting",
            ProofState::Measuring => "measuring",
            ProofState::Verified => "verified",
            ProofState::Unverified => "unverified",
        })
    }
}

/// A probe, a vantage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeView {
    pub id: ProbeId,
    pub region: RegionId,
    pub state: ProbeState,
    /// Time since its newest report, microseconds; absent before the first.
    pub age_us: Option<i64>,
    /// Whether its stream from the collector is open.
    pub connected: bool,
    /// Its clock minus ours, microseconds, including the path.
    pub clock_offset_us: Option<i64>,
    /// Samples it lost because its spool was full.
    pub lost: u64,
    /// What it said of itself by flagging samples in the last minute; those did not vote.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// Samples that did not arrive as they should, since the collector started.
    #[serde(default)]
    pub odd: OddSamples,
}

/// Samples that did not arrive as they should, of one probe since the collector started. The first two are in the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddSamples {
    /// More than ten minutes old when they arrived.
    pub late: u64,
    /// Dated in the future, also by the corrected clock of the probe; taken as of the moment they arrived.
    pub ahead: u64,
    /// More than seven days old; in the log only.
    pub too_old: u64,
    /// Of a check, target or step that the probe is not configured for (any more); in the log only.
    pub unconfigured: u64,
}

/// What is believed of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Reporting and eligible to vote.
    Eligible,
    /// Reporting, and failing in so many places that the fault is its own.
    Excluded,
    /// Not heard of lately: it does not vote.
    Silent,
}

impl fmt::Display for ProbeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ProbeState::Eligible => "eligible",
            ProbeState::Excluded => "excluded",
            ProbeState::Silent => "silent",
        })
    }
}

/// Something that happened, with its reason. Entries are never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Grows by one with each entry.
    pub id: i64,
    #[serde(with = "rfc3339")]
    pub at: Micros,
    pub kind: TimelineKind,
    pub service: Option<ServiceId>,
    pub region: Option<RegionId>,
    pub generation: Option<i64>,
    /// The state that a verdict came to, so that good news looks like good news.
    #[serde(default)]
    pub state: Option<VerdictState>,
    /// A few words.
    pub title: String,
    /// One or two sentences with the evidence.
    pub detail: String,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    Configuration,
    /// A first failure: every vantage is asked to confirm.
    Suspicion,
    Verdict,
    Plan,
    /// A guard or the automation switch held a plan back.
    Held,
    Delivery,
    Proof,
    Recovery,
    Probe,
}

impl fmt::Display for TimelineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TimelineKind::Configuration => "configuration",
            TimelineKind::Suspicion => "suspicion",
            TimelineKind::Verdict => "verdict",
            TimelineKind::Plan => "plan",
            TimelineKind::Held => "held",
            TimelineKind::Delivery => "delivery",
            TimelineKind::Proof => "proof",
            TimelineKind::Recovery => "recovery",
            TimelineKind::Probe => "probe",
        })
    }
}

/// The newest run of one series, as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesView {
    pub check: CheckId,
    pub service: ServiceId,
    pub probe: ProbeId,
    pub vantage: RegionId,
    pub target: Target,
    #[serde(with = "rfc3339")]
    pub at: Micros,
    pub outcome: Outcome,
    pub total_us: u32,
    pub phases: Phases,
    pub served_by: Option<String>,
    /// Consecutive failures up to now.
    pub failures: u32,
    pub summary: String,
}

/// A page of a list. Pass `next_cursor` as `cursor` for the next one; absent on the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}
