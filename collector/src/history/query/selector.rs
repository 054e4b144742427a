//! Which series a question is about, and how they are put together.

use crate::{config::Config, history::KeyRef};
use std::collections::{BTreeMap, BTreeSet};
use wire::{CheckId, ProbeId, RegionId, assignment::Target};

/// Some series. Empty sets take everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// Named one by one, because history is kept by checks; none are none.
    pub checks: BTreeSet<String>,
    pub probes: BTreeSet<String>,
    /// Regions, or `public`.
    pub targets: BTreeSet<String>,
    pub part: Part,
}

/// Whole runs, or steps of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Part {
    #[default]
    Whole,
    /// The step of this name.
    Step(String),
    /// Whole runs and every step, each for itself.
    Every,
}

impl Selector {
    /// Whether a series is one of them.
    pub fn takes(&self, key: KeyRef<'_>) -> bool {
        let part = match &self.part {
            Part::Whole => key.part.is_empty(),
            Part::Step(name) => key.part == name,
            Part::Every => true,
        };
        part && self.checks.contains(key.check)
            && (self.probes.is_empty() || self.probes.contains(key.probe))
            && (self.targets.is_empty() || self.targets.contains(key.target))
    }

    /// The names of the checks, for the store.
    pub fn check_names(&self) -> Vec<String> {
        self.checks.iter().cloned().collect()
    }
}

/// What series must share to be answered together. Nothing: all are one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grouping {
    pub check: bool,
    /// The region of the probe, as it is configured now.
    pub vantage: bool,
    pub probe: bool,
    pub target: bool,
    pub part: bool,
}

/// What the series of a group share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GroupKey {
    pub check: Option<CheckId>,
    pub vantage: Option<RegionId>,
    pub probe: Option<ProbeId>,
    pub target: Option<Target>,
    pub part: Option<String>,
}

/// The groups of an answer, numbered as they are found.
#[derive(Debug)]
pub struct Groups<'a> {
    grouping: Grouping,
    config: &'a Config,
    numbers: BTreeMap<GroupKey, usize>,
}

impl Groups<'_> {
    /// No group yet.
    pub fn new(grouping: Grouping, config: &Config) -> Groups<'_> {
        Groups { grouping, config, numbers: BTreeMap::new() }
    }

    /// The number of the group that a series belongs to. Names that are none of ours count as absent.
    pub fn number(&mut self, series: KeyRef<'_>) -> usize {
        let Grouping { check, vantage, probe, target, part } = self.grouping;
        let id = || series.probe.parse::<ProbeId>().ok();
        let region = || Some(self.config.probes.get(&id()?)?.region.clone());
        let key = GroupKey {
            check: check.then(|| series.check.parse().ok()).flatten(),
            vantage: vantage.then(region).flatten(),
            probe: probe.then(id).flatten(),
            target: target.then(|| series.target.parse().ok()).flatten(),
            part: part.then(|| series.part.to_owned()),
        };
        let next = self.numbers.len();
        *self.numbers.entry(key).or_insert(next)
    }

    /// All groups and their numbers, in the order of their keys.
    pub fn finish(self) -> Vec<(GroupKey, usize)> {
        self.numbers.into_iter().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.numbers.len()
    }
}
