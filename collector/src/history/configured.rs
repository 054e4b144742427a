//! What may become a series: only what the configuration has, so that a report cannot make series without end.

use super::shard::shard_of;
use crate::config::Config;
use std::collections::HashMap;
use wire::{
    CheckId, ProbeId,
    assignment::{CheckKind, PUBLIC, Target},
    sample::Sample,
};

/// The checks of a configuration, by id.
#[derive(Debug, Default)]
pub struct Configured(HashMap<CheckId, Known>);

/// What is known of a check.
#[derive(Debug)]
pub struct Known {
    pub shard: usize,
    from: Vec<ProbeId>,
    to: Vec<Target>,
    steps: Vec<String>,
}

impl Configured {
    /// What a configuration measures.
    pub fn new(config: &Config) -> Configured {
        let known = config.checks.iter().map(|(id, check)| {
            let (mut from, mut to) = (check.from.clone(), check.to.clone());
            from.sort();
            to.sort();
            let steps = match &check.kind {
                CheckKind::Journey(journey) => journey.steps.iter().map(|step| step.name.clone()).collect(),
                _ => Vec::new(),
            };
            (id.clone(), Known { shard: shard_of(id.as_str()), from, to, steps })
        });
        Configured(known.collect())
    }

    /// The check of a sample from a probe; absent when that probe does not run it, or not against that target.
    pub fn find(&self, probe: &ProbeId, sample: &Sample) -> Option<&Known> {
        let known = self.0.get(&sample.check)?;
        let runs = known.from.binary_search(probe).is_ok() && known.to.binary_search(&sample.target).is_ok();
        runs.then_some(known)
    }
}

impl Known {
    /// Whether the check has a step of this name.
    pub fn has_step(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step == name)
    }
}

/// A target as text.
pub fn target(target: &Target) -> &str {
    match target {
        Target::Region(region) => region.as_str(),
        Target::Public => PUBLIC,
    }
}
