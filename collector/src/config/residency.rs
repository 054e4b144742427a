//! Where the evidence of a run may be kept: the strictest of the regions that it has to do with.

use super::{Check, Config, Region, nearest};
use wire::{
    RegionId,
    assignment::{CheckKind, Place, Target},
    residency::Residency,
};

/// What holds for the samples of one series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResidencyRule {
    pub residency: Residency,
    /// The region whose key seals, where the content is encrypted.
    pub key_of: Option<RegionId>,
}

/// The rule of a check from a vantage's region to a target.
///
/// The regions that count are the vantage's, the target's and, for a journey, those that its steps go to. The public
/// entrance has no region of its own. Where one of them lets evidence stay on probes only and the vantage is in another
/// jurisdiction, the content must be kept nowhere: keeping it on that probe would take it out of the region. Where
/// several regions encrypt, the key is the target's, else that of the first step that has one, else the vantage's.
pub fn residency(config: &Config, vantage: &RegionId, check: &Check, target: &Target) -> ResidencyRule {
    let visited = visited(config, vantage, check, target);
    rule(config, vantage, &visited)
}

/// As [`residency`], for a sample of a check that is not configured (any more).
pub fn residency_of_stranger(config: &Config, vantage: &RegionId, target: &Target) -> ResidencyRule {
    let strict = || config.regions.values().any(|region| !region.evidence.travels());
    match target {
        // Nobody knows any more what was promised for it.
        Target::Region(region) if !config.regions.contains_key(region) && strict() => {
            ResidencyRule { residency: Residency::Dropped, key_of: None }
        }
        Target::Region(region) => rule(config, vantage, std::slice::from_ref(region)),
        Target::Public => rule(config, vantage, &[]),
    }
}

fn rule(config: &Config, vantage: &RegionId, visited: &[RegionId]) -> ResidencyRule {
    let at = |id: &RegionId| config.regions.get(id);
    let policy = |id: &RegionId| at(id).map_or(Residency::Travels, |region| region.evidence);
    let here = at(vantage).map(|region| &region.jurisdiction);
    let foreign = |id: &&RegionId| at(id).map(|region| &region.jurisdiction) != here;
    let all = || visited.iter().chain([vantage]);
    let residency = all().map(policy).max().unwrap_or_default();
    match residency {
        Residency::Stays if visited.iter().filter(foreign).any(|id| policy(id) == Residency::Stays) => {
            ResidencyRule { residency: Residency::Dropped, key_of: None }
        }
        Residency::Encrypted => {
            let key_of = all().find(|id| policy(id) == Residency::Encrypted).cloned();
            ResidencyRule { residency, key_of }
        }
        _ => ResidencyRule { residency, key_of: None },
    }
}

/// The regions whose endpoints a run asks, the target's first. Where a redirect leads nobody knows before.
fn visited(config: &Config, vantage: &RegionId, check: &Check, target: &Target) -> Vec<RegionId> {
    let here = match target {
        Target::Region(region) => Some(region),
        Target::Public => None,
    };
    let steps = match &check.kind {
        CheckKind::Journey(journey) => journey.steps.as_slice(),
        _ => &[],
    };
    let service = config.services.get(&check.service);
    let places = steps.iter().filter_map(|step| match &step.place {
        Place::Here | Place::Public => None,
        Place::Region(region) => Some(region.clone()),
        Place::Nearest => nearest::to(&config.regions, vantage, service?.endpoints.keys()),
        Place::Other => service?.endpoints.keys().find(|region| Some(*region) != here).cloned(),
    });
    here.cloned().into_iter().chain(places).collect()
}

/// What will disappoint somebody about a region's policy.
pub(super) fn warnings(config: &Config, mut warn: impl FnMut(&RegionId, String)) {
    for (id, region) in &config.regions {
        if region.evidence.travels() && !region.evidence_keys.is_empty() {
            warn(
                id,
                "has an `evidence_key`, and its evidence is not encrypted; write `evidence: encrypted`"
                    .to_owned(),
            );
        }
        if region.evidence == Residency::Stays && is_measured(config, id) && !is_at_home(config, id, region) {
            warn(
                id,
                format!(
                    "evidence of its endpoints stays on probes in jurisdiction `{}`, and none of them measures it: it is \
                     kept nowhere; add a probe there, or give the regions of the same jurisdiction the same `jurisdiction`",
                    region.jurisdiction
                ),
            );
        }
    }
}

fn is_measured(config: &Config, id: &RegionId) -> bool {
    let target = Target::Region(id.clone());
    config.checks.values().any(|check| check.to.contains(&target))
}

/// Whether a probe in the same jurisdiction measures it.
fn is_at_home(config: &Config, id: &RegionId, region: &Region) -> bool {
    let target = Target::Region(id.clone());
    let near = |probe| {
        let vantage: Option<&Region> =
            config.probes.get(probe).and_then(|probe| config.regions.get(&probe.region));
        vantage.is_some_and(|vantage| vantage.jurisdiction == region.jurisdiction)
    };
    config.checks.values().any(|check| check.to.contains(&target) && check.from.iter().any(near))
}
