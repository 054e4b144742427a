//! What holds for each series, worked out once.

use crate::config::{Config, ResidencyRule, residency, residency_of_stranger};
use std::{collections::BTreeMap, sync::Arc};
use wire::{CheckId, ProbeId, assignment::Target, sample::Sample};

/// The rules of all series of a configuration.
#[derive(Debug)]
pub(super) struct Rules {
    config: Arc<Config>,
    series: BTreeMap<ProbeId, BTreeMap<CheckId, Vec<(Target, ResidencyRule)>>>,
}

impl Rules {
    /// Works them out; nothing when evidence travels everywhere.
    pub(super) fn of(config: &Arc<Config>) -> Option<Rules> {
        if config.regions.values().all(|region| region.evidence.travels()) {
            return None;
        }
        let mut series: BTreeMap<ProbeId, BTreeMap<_, Vec<_>>> = BTreeMap::new();
        for (id, check) in &config.checks {
            for probe in &check.from {
                let Some(vantage) = config.probes.get(probe) else { continue };
                let rule = |to: &Target| (to.clone(), residency(config, &vantage.region, check, to));
                let rules = check.to.iter().map(rule).collect();
                series.entry(probe.clone()).or_default().insert(id.clone(), rules);
            }
        }
        Some(Rules { config: Arc::clone(config), series })
    }

    /// What holds for a sample, also for one that nobody asked for any more.
    pub(super) fn of_sample(&self, probe: &ProbeId, sample: &Sample) -> ResidencyRule {
        let known = self.series.get(probe).and_then(|checks| checks.get(&sample.check));
        let known = known.into_iter().flatten().find(|(target, _)| *target == sample.target);
        match (known, self.config.probes.get(probe)) {
            (Some((_, rule)), _) => rule.clone(),
            (None, Some(vantage)) => residency_of_stranger(&self.config, &vantage.region, &sample.target),
            // Only probes of the configuration have tokens.
            (None, None) => ResidencyRule { residency: wire::residency::Residency::Dropped, key_of: None },
        }
    }

    /// Whether an answer to a check may name this region.
    pub(super) fn lists(&self, check: &CheckId, name: &str) -> bool {
        let check = self.config.checks.get(check);
        let service = check.and_then(|check| self.config.services.get(&check.service));
        service.is_some_and(|service| service.endpoints.keys().any(|region| region.as_str() == name))
    }
}
