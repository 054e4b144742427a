//! What the entrance was told, what it did, and by which weights it goes.

use std::collections::BTreeMap;
use wire::RegionId;

/// A webhook that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The header `webhook-id`.
    pub id: String,
    /// Whether the signature was right.
    pub verified: bool,
    pub term: i64,
    pub generation: i64,
    pub weights: BTreeMap<RegionId, u8>,
    pub effect: Effect,
    /// Users' requests that had been sent to a region before.
    pub served_before: usize,
}

/// What a webhook changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// New weights came into force.
    Applied,
    /// It was in force already.
    Repeated,
    /// A newer one was in force.
    Stale,
    /// It made no sense: a bad signature, a bad body, no region with a weight.
    Nonsense,
    /// The entrance was in no mood for it.
    TurnedAway,
}

/// The book of an entrance.
#[derive(Debug)]
pub struct Book {
    pub weights: BTreeMap<RegionId, u8>,
    /// Term and generation in force.
    last: Option<(i64, i64)>,
    pub told: Vec<Told>,
    /// The region of each user's request, in order.
    pub served: Vec<RegionId>,
    /// How much each region is owed, for [`Book::draw`].
    owed: BTreeMap<RegionId, i64>,
}

impl Book {
    /// Equal weights.
    pub fn new<'a>(regions: impl Iterator<Item = &'a RegionId>) -> Book {
        let weights = regions.map(|region| (region.clone(), 100)).collect();
        Book { weights, last: None, told: Vec::new(), served: Vec::new(), owed: BTreeMap::new() }
    }

    /// Applies new weights by the rule of `wire::plan`: only what is newer than what is in force.
    pub fn apply(&mut self, term: i64, generation: i64, weights: &BTreeMap<RegionId, u8>) -> Effect {
        let known = weights.keys().eq(self.weights.keys());
        if !known
            || weights.values().all(|weight| *weight == 0)
            || weights.values().any(|weight| *weight > 100)
        {
            return Effect::Nonsense;
        }
        match self.last {
            Some(last) if last == (term, generation) => Effect::Repeated,
            Some(last) if last > (term, generation) => Effect::Stale,
            _ => {
                self.last = Some((term, generation));
                self.weights = weights.clone();
                self.owed.clear();
                Effect::Applied
            }
        }
    }

    /// The region of the next request: the smooth weighted round robin of nginx, so that shares are exact and no
    /// test depends on luck.
    pub fn draw(&mut self) -> Option<RegionId> {
        let mut best: Option<(RegionId, i64)> = None;
        for (region, weight) in self.weights.iter().filter(|(_, weight)| **weight > 0) {
            let owed = self.owed.entry(region.clone()).or_default();
            *owed += i64::from(*weight);
            if best.as_ref().is_none_or(|(_, most)| *owed > *most) {
                best = Some((region.clone(), *owed));
            }
        }
        let (region, _) = best?;
        let sum: i64 = self.weights.values().map(|weight| i64::from(*weight)).sum();
        *self.owed.entry(region.clone()).or_default() -= sum;
        self.served.push(region.clone());
        Some(region)
    }
}
