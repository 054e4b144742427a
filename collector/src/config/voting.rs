//! Which checks vote on what, looked up instead of searched for: the decision core asks several times a second.

use super::{Check, Impact};
use std::collections::BTreeMap;
use wire::{CheckId, ProbeId, ServiceId, assignment::Target};

type Targets = BTreeMap<Target, Vec<(CheckId, Impact)>>;

/// The checks that vote, by service, vantage and target, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Voting(BTreeMap<ServiceId, BTreeMap<ProbeId, Targets>>);

impl Voting {
    /// Of all checks.
    pub fn of(checks: &BTreeMap<CheckId, Check>) -> Voting {
        let mut voting = Voting::default();
        for (id, check) in checks.iter().filter(|(_, check)| check.impact != Impact::None) {
            for probe in &check.from {
                let vantages = voting.0.entry(check.service.clone()).or_default();
                let targets = vantages.entry(probe.clone()).or_default();
                for target in &check.to {
                    targets.entry(target.clone()).or_default().push((id.clone(), check.impact));
                }
            }
        }
        voting
    }

    /// The vantages from which a voting check measures a target of a service, in the order of their ids.
    pub fn vantages<'a>(&'a self, service: &ServiceId, target: &Target) -> impl Iterator<Item = &'a ProbeId> {
        let vantages = self.0.get(service).into_iter().flatten();
        vantages.filter(move |(_, targets)| targets.contains_key(target)).map(|(probe, _)| probe)
    }

    /// The voting checks of a service from a vantage on a target.
    pub fn checks(&self, service: &ServiceId, probe: &ProbeId, target: &Target) -> &[(CheckId, Impact)] {
        let targets = self.0.get(service).and_then(|vantages| vantages.get(probe));
        targets.and_then(|targets| targets.get(target)).map_or(&[], Vec::as_slice)
    }
}
