//! Which region gets the next request, what was told last, and the count of both.

use crate::http::{lock, now};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Mutex};
use wire::{Micros, RegionId, ServiceId, event::WeightsChanged, plan::FULL};

/// Requests that were sent to one region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RegionRequests {
    pub total: u64,
    /// Those without an answer, or answered with a status of 500 or above.
    pub failed: u64,
}

/// Webhooks that were refused, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Refusals {
    pub signature: u64,
    pub malformed: u64,
    pub service: u64,
    pub weights: u64,
    pub stale: u64,
}

/// What an entrance was told and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntranceState {
    pub service: ServiceId,
    pub weights: BTreeMap<RegionId, u8>,
    /// Of the plan in force; absent until the first one.
    pub term: Option<i64>,
    pub generation: Option<i64>,
    /// When the plan in force arrived.
    #[serde(with = "wire::instant::rfc3339::option")]
    pub applied_at: Option<Micros>,
    /// Plans that came into force.
    pub applied: u64,
    /// Webhooks that repeated the plan in force.
    pub repeated: u64,
    pub refused: Refusals,
    pub requests: BTreeMap<RegionId, RegionRequests>,
}

/// Why weights were not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this entrance serves {0}: send its own plans only")]
    Service(ServiceId),
    #[error("there is no region {0} here: name the entrance's regions only")]
    Region(RegionId),
    #[error("the weight {weight} of {region} is above {FULL}: use 0 to {FULL}")]
    TooHigh { region: RegionId, weight: u8 },
    #[error("every weight is 0, which would serve nobody: leave at least one region above 0")]
    AllZero,
    #[error("term {term}, generation {generation} is in force already: this plan is older, drop it")]
    Stale { term: i64, generation: i64 },
}

/// What happened to a believed webhook.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Applied,
    /// This very plan is in force: a retry of the sender.
    Repeated,
}

struct State {
    rng: StdRng,
    weights: BTreeMap<RegionId, u8>,
    last: Option<(i64, i64)>,
    applied_at: Option<Micros>,
    applied: u64,
    repeated: u64,
    refused: Refusals,
    requests: BTreeMap<RegionId, RegionRequests>,
}

/// The weights in force.
pub(super) struct Weights {
    state: Mutex<State>,
}

impl Weights {
    /// Full weights for all regions.
    pub fn new(regions: impl Iterator<Item = RegionId>, seed: u64) -> Weights {
        let weights: BTreeMap<_, _> = regions.map(|region| (region, FULL)).collect();
        let requests = weights.keys().map(|region| (region.clone(), RegionRequests::default())).collect();
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            weights,
            last: None,
            applied_at: None,
            applied: 0,
            repeated: 0,
            refused: Refusals::default(),
            requests,
        };
        Weights { state: Mutex::new(state) }
    }

    /// Draws the region of a request; each gets its weight's part of the sum.
    pub fn draw(&self) -> Option<RegionId> {
        let mut state = lock(&self.state);
        let sum: u32 = state.weights.values().map(|weight| u32::from(*weight)).sum();
        let mut at = if sum == 0 { return None } else { state.rng.random_range(0..sum) };
        for (region, weight) in &state.weights {
            match at.checked_sub(u32::from(*weight)) {
                Some(rest) => at = rest,
                None => return Some(region.clone()),
            }
        }
        None
    }

    /// Takes new weights, if they make sense and are newer than those in force. A region that is not named gets
    /// nothing.
    pub fn take(&self, service: &ServiceId, told: &WeightsChanged) -> Result<Taken, Refusal> {
        let mut state = lock(&self.state);
        let seen = state.judge(service, told);
        match &seen {
            Ok(Taken::Applied) => {
                state.applied += 1;
                state.last = Some((told.term, told.generation));
                state.applied_at = Some(now());
                for (region, weight) in &mut state.weights {
                    *weight = told.weights.get(region).copied().unwrap_or(0);
                }
            }
            Ok(Taken::Repeated) => state.repeated += 1,
            Err(Refusal::Service(_)) => state.refused.service += 1,
            Err(Refusal::Stale { .. }) => state.refused.stale += 1,
            Err(Refusal::Region(_) | Refusal::TooHigh { .. } | Refusal::AllZero) => {
                state.refused.weights += 1
            }
        }
        seen
    }

    /// Counts a request.
    pub fn count(&self, region: &RegionId, failed: bool) {
        if let Some(requests) = lock(&self.state).requests.get_mut(region) {
            requests.total += 1;
            requests.failed += u64::from(failed);
        }
    }

    /// Counts a webhook that was not understood or not believed.
    pub fn refuse(&self, count: impl FnOnce(&mut Refusals)) {
        count(&mut lock(&self.state).refused);
    }

    pub fn state(&self, service: &ServiceId) -> EntranceState {
        let state = lock(&self.state);
        EntranceState {
            service: service.clone(),
            weights: state.weights.clone(),
            term: state.last.map(|(term, _)| term),
            generation: state.last.map(|(_, generation)| generation),
            applied_at: state.applied_at,
            applied: state.applied,
            repeated: state.repeated,
            refused: state.refused,
            requests: state.requests.clone(),
        }
    }
}

impl State {
    fn judge(&self, service: &ServiceId, told: &WeightsChanged) -> Result<Taken, Refusal> {
        if told.service != *service {
            return Err(Refusal::Service(service.clone()));
        }
        for (region, weight) in &told.weights {
            if !self.weights.contains_key(region) {
                return Err(Refusal::Region(region.clone()));
            }
            if *weight > FULL {
                return Err(Refusal::TooHigh { region: region.clone(), weight: *weight });
            }
        }
        if told.weights.values().all(|weight| *weight == 0) {
            return Err(Refusal::AllZero);
        }
        match self.last {
            Some(last) if (told.term, told.generation) == last => Ok(Taken::Repeated),
            Some((term, generation)) if (told.term, told.generation) < (term, generation) => {
                Err(Refusal::Stale { term, generation })
            }
            _ => Ok(Taken::Applied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> RegionId {
        name.parse().expect("a slug")
    }

    fn told(term: i64, generation: i64, weights: &[(&str, u8)]) -> WeightsChanged {
        let weights = weights.iter().map(|(name, weight)| (region(name), *weight)).collect();
        let service = "shop".parse().expect("a slug");
        WeightsChanged { service, generation, term, weights, reason: "test".into() }
    }

    fn draws(weights: &Weights) -> BTreeMap<RegionId, u32> {
        let mut seen = BTreeMap::new();
        for _ in 0..4000 {
            *seen.entry(weights.draw().expect("a region")).or_default() += 1;
        }
        seen
    }

    #[test]
    fn requests_follow_the_weights_and_the_seed() {
        let service = "shop".parse().expect("a slug");
        let new = || Weights::new([region("a"), region("b"), region("c")].into_iter(), 5);
        let (one, two) = (new(), new());
        let equal = draws(&one);
        assert_eq!(equal, draws(&two));
        assert!(equal.values().all(|count| (1200..1470).contains(count)), "{equal:?}");
        assert_eq!(one.take(&service, &told(1, 1, &[("a", 75), ("b", 25)])), Ok(Taken::Applied));
        let seen = draws(&one);
        assert!((2850..3150).contains(&seen[&region("a")]) && !seen.contains_key(&region("c")), "{seen:?}");
    }

    #[test]
    fn older_plans_never_win() {
        let service = "shop".parse().expect("a slug");
        let weights = Weights::new([region("a"), region("b")].into_iter(), 0);
        let take = |term, generation| weights.take(&service, &told(term, generation, &[("a", 100)]));
        assert_eq!(take(2, 5), Ok(Taken::Applied));
        assert_eq!(take(2, 5), Ok(Taken::Repeated));
        let stale = Err(Refusal::Stale { term: 2, generation: 5 });
        assert_eq!(take(2, 4), stale);
        assert_eq!(take(1, 99), stale);
        assert_eq!(take(3, 1), Ok(Taken::Applied));
        let nonsense =
            [told(9, 9, &[]), told(9, 9, &[("a", 0)]), told(9, 9, &[("a", 101)]), told(9, 9, &[("x", 1)])];
        assert!(nonsense.iter().all(|told| weights.take(&service, told).is_err()));
        let state = weights.state(&service);
        assert_eq!((state.applied, state.repeated, state.refused.stale, state.refused.weights), (2, 1, 2, 4));
        assert_eq!((state.term, state.generation), (Some(3), Some(1)));
    }
}
