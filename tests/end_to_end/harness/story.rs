//! The timeline as a story, oldest first.

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
