//! A journey: several requests in order, as a probe is told them.

use crate::{
    RegionId,
    request::{Request, Source},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long clean-up steps may take together, microseconds, where nothing else is said.
pub const CLEANUP_US: u32 = 5_000_000;

/// Several requests in order, sharing cookies and captured values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    pub steps: Vec<Step>,
    /// Values made before the first step, in order: names and texts with templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// How long the steps that run after a failure may take together, microseconds, beyond the check's timeout.
    #[serde(default = "cleanup")]
    pub cleanup_us: u32,
}

fn cleanup() -> u32 {
    CLEANUP_US
}

/// One step of a journey.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// Which region's endpoint takes the request.
    #[serde(default)]
    pub place: Place,
    pub request: Request,
    /// Values made when the step begins, in order: names and texts with templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// Values to keep for later steps, by name; used as `{{ name }}`.
    #[serde(default)]
    pub capture: BTreeMap<String, Source>,
    /// Names of values that this step makes or keeps and that nobody may see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secret: BTreeSet<String>,
    /// Repeat the step until its expectations hold, for at most this long (microseconds).
    pub within_us: Option<u32>,
    #[serde(default)]
    pub when: When,
    /// The longest that one request of this step may take, microseconds.
    #[serde(default)]
    pub timeout_us: Option<u32>,
    /// How long to wait before the step begins, microseconds.
    #[serde(default)]
    pub wait_us: u32,
}

/// When a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// When all steps before it succeeded.
    #[default]
    Succeeded,
    /// When a step before it failed.
    Failed,
    /// In any case, also when the journey's time is over.
    Always,
    /// When all steps before it succeeded and this expression is true.
    If(String),
}

impl When {
    /// Whether such a step is for cleaning up: it has its own time, and does not count in the run's.
    pub fn is_cleanup(&self) -> bool {
        matches!(self, When::Failed | When::Always)
    }
}

/// Where a journey's step goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The endpoint that the series points at.
    #[default]
    Here,
    /// The first other region of the service, in order of id.
    Other,
    /// The region of the service that is nearest to the probe.
    Nearest,
    /// The public entrance.
    Public,
    /// A named region of the service.
    Region(RegionId),
}
