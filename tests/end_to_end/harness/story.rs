//! The timeline as a story, oldest first.

use anyhow::ensure;
use std::collections::BTreeMap;
use wire::{
    RegionId,
    view::{TimelineEntry, TimelineKind},
};

/// A timeline, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story(pub Vec<TimelineEntry>);

impl Story {
    /// The entries of a kind, oldest first.
    pub fn of(&self, kind: TimelineKind) -> impl Iterator<Item = &TimelineEntry> {
        self.0.iter().filter(move |entry| entry.kind == kind)
    }

    /// The entries of a kind about one generation.
    pub fn of_generation(&self, kind: TimelineKind, generation: i64) -> Vec<&TimelineEntry> {
        self.of(kind).filter(|entry| entry.generation == Some(generation)).collect()
    }

    /// Checks that nothing is told twice: plans and proofs once for each generation of the shop up to `last`, verdicts only
    /// when they change, and no two entries that say the same of the same instant.
    pub fn check_told_once(&self, last: i64) -> anyhow::Result<()> {
        for generation in 1..=last {
            for kind in [TimelineKind::Plan, TimelineKind::Proof] {
                let told = self.of_generation(kind, generation).len();
                ensure!(told == 1, "{kind} of generation {generation} is told {told} times: {self:?}");
            }
        }
        let mut verdicts = BTreeMap::new();
        for entry in self.of(TimelineKind::Verdict) {
            let before = verdicts.insert((entry.service.clone(), entry.region.clone()), entry.state);
            ensure!(before != Some(entry.state), "a verdict is told again: {entry:?}");
        }
        for (place, entry) in self.0.iter().enumerate() {
            let same = |other: &&TimelineEntry| TimelineEntry { id: entry.id, ..(*other).clone() } == *entry;
            let twin = self.0[place + 1..].iter().find(same);
            ensure!(twin.is_none(), "told twice: {entry:?} and {twin:?}");
        }
        Ok(())
    }

    /// The ids of: the newest suspicion and the newest verdict on a region before the plan, the plan itself, its
    /// first delivery and its proof. `None` for what is missing.
    pub fn of_plan(&self, region: &RegionId, generation: i64) -> [Option<i64>; 5] {
        let first = |kind| self.of_generation(kind, generation).first().map(|entry| entry.id);
        let plan = first(TimelineKind::Plan);
        let before = |kind| {
            let about =
                |entry: &&TimelineEntry| entry.region.as_ref() == Some(region) && Some(entry.id) < plan;
            self.of(kind).filter(about).last().map(|entry| entry.id)
        };
        [
            before(TimelineKind::Suspicion),
            before(TimelineKind::Verdict),
            plan,
            first(TimelineKind::Delivery),
            first(TimelineKind::Proof),
        ]
    }
}
