//! Where users shall go: the one plan type, from the decision to every receiver.

use crate::{Micros, RegionId, ServiceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The highest weight, a region's full share.
pub const FULL: u8 = 100;

/// Absolute weights of a service's regions. A newer generation replaces an older one as a whole, so duplicates
/// and reordering are harmless: whoever applies plans ignores every generation not above the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub service: ServiceId,
    /// Grows by one with each plan of a service.
    pub generation: i64,
    /// The term of the decider that made it; grows with each change of the decider.
    pub term: i64,
    /// 0 to [`FULL`] for each region; at least one is above 0. A region's share is its weight over the sum.
    pub weights: BTreeMap<RegionId, u8>,
    pub cause: Cause,
    /// One sentence for people.
    pub reason: String,
    #[serde(with = "crate::instant::rfc3339")]
    pub created: Micros,
}

impl Plan {
    /// The share of traffic that a region shall get, 0 to 1; 0 for a region that is not in the plan.
    pub fn share(&self, region: &RegionId) -> f64 {
        let sum: u32 = self.weights.values().map(|w| u32::from(*w)).sum();
        let weight = self.weights.get(region).copied().unwrap_or(0);
        if sum == 0 { 0.0 } else { f64::from(weight) / f64::from(sum) }
    }
}

/// Why a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The configuration was applied: every region gets its configured weight.
    Configured,
    /// A region is down; its users go elsewhere.
    Evacuate(RegionId),
    /// A recovered region gets a part of its users back.
    Failback { region: RegionId, percent: u8 },
}
