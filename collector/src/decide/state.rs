//! What the core remembers. Serialised as a whole into the snapshot; small: one head for each series.

use super::{
    GAP_US,
    evidence::{Beats, Head},
};
use crate::{clocks::Quickest, config::Config};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::{
    CheckId, Micros, ProbeId, ReceiverId, RegionId, ServiceId,
    assignment::Target,
    plan::Plan,
    sample::Flag,
    view::{GuardView, ProofState, VerdictState},
};

/// How long a flag is told after a report held it, microseconds.
const FLAGGED_US: i64 = 60_000_000;

/// Everything the core remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The configuration that the timeline says is in force.
    pub revision: i64,
    /// The newest time it was given.
    pub now: Micros,
    /// When it was last judged.
    pub judged: Micros,
    /// No evacuation before this: after a gap in judging, what has piled up must be read first.
    pub warm_at: Micros,
    pub probes: BTreeMap<ProbeId, ProbeHead>,
    /// The newest of each series: check, then vantage, then target.
    pub series: BTreeMap<CheckId, BTreeMap<ProbeId, BTreeMap<Target, Head>>>,
    pub services: BTreeMap<ServiceId, ServiceState>,
}

impl State {
    /// The head of a series.
    pub fn head(&self, check: &CheckId, probe: &ProbeId, target: &Target) -> Option<&Head> {
        self.series.get(check)?.get(probe)?.get(target)
    }

    /// Makes a kept state fit a clock that stands at `now`. After a restart the clock may be behind what it was, by
    /// whatever it had been wrong. Evidence from the future is dropped, and what lasts began now at the latest. A little
    /// behind, as the clock of another collector, it only has to catch up: time does not go back in the core.
    pub fn fit(&mut self, now: Micros) {
        if self.now.since(now) <= GAP_US {
            return;
        }
        (self.now, self.judged, self.warm_at) = (now, now, now);
        self.probes.clear();
        self.series.clear();
        for service in self.services.values_mut() {
            service.public.clear();
            for region in service.regions.values_mut() {
                region.beats = Beats::default();
                region.suspicion = None;
                region.clean_since = None;
                region.verdict.since = region.verdict.since.min(now);
                if let Some(evacuation) = &mut region.evacuation {
                    evacuation.since = evacuation.since.min(now);
                    evacuation.ended = evacuation.ended.map(|at| at.min(now));
                    evacuation.stepped = evacuation.stepped.map(|at| at.min(now));
                }
            }
            if let Some(plan) = &mut service.plan {
                plan.acknowledged_at = plan.acknowledged_at.map(|at| at.min(now));
                plan.proof.asked = Micros(0);
            }
        }
    }

    /// Lets what probes were asked for be asked for again at once: whoever decided before may not have come to asking.
    pub fn ask_again(&mut self) {
        for service in self.services.values_mut() {
            for suspicion in service.regions.values_mut().filter_map(|region| region.suspicion.as_mut()) {
                suspicion.confirm_asked = Micros(0);
            }
            if let Some(plan) = &mut service.plan {
                plan.proof.asked = Micros(0);
            }
        }
    }

    /// Forgets the plans in force, because nobody knows what the receivers go by: this state is of a backup, and they may
    /// have been told more since. The next plan is made as the first one of a service is, when something is known of
    /// every region, and with the next generation.
    pub fn forget_plans(&mut self) {
        for service in self.services.values_mut() {
            service.spent = service.generation();
            service.plan = None;
            service.public.clear();
            service.held.clear();
        }
    }

    /// Drops what the configuration does not have, so that a removed region cannot keep its users away for ever. A
    /// removed service keeps its last plan: were it to come back, its generations must go on growing.
    pub fn forget_unknown(&mut self, config: &Config) {
        self.probes.retain(|id, _| config.probes.contains_key(id));
        self.series.retain(|id, _| config.checks.contains_key(id));
        for (check, by_probe) in &mut self.series {
            let Some(check) = config.checks.get(check) else { continue };
            by_probe.retain(|probe, _| check.from.contains(probe));
            by_probe
                .values_mut()
                .for_each(|by_target| by_target.retain(|target, _| check.to.contains(target)));
        }
        for (id, state) in &mut self.services {
            let Some(service) = config.services.get(id) else { continue };
            state.regions.retain(|region, _| service.endpoints.contains_key(region));
        }
    }
}

/// What is known of a probe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeHead {
    /// Our clock when its newest report arrived.
    pub heard: Micros,
    /// Its clock minus ours, including the path, microseconds.
    pub clock_offset_us: i64,
    /// How quick its batches were on the way.
    pub paths: Quickest,
    pub lost: u64,
    /// When a report last held flagged samples, and which flags those had.
    pub flagged: Option<(Micros, Vec<Flag>)>,
    /// Whether the timeline says that it is silent.
    pub silent: bool,
    /// Whether the timeline says that it is excluded.
    pub excluded: bool,
}

impl ProbeHead {
    /// What it said of itself in the last minute.
    pub fn flags(&self, now: Micros) -> Vec<Flag> {
        let recent = self.flagged.as_ref().filter(|(at, _)| now.since(*at) < FLAGGED_US);
        recent.map(|(_, flags)| flags.clone()).unwrap_or_default()
    }
}

/// What is known of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceState {
    pub regions: BTreeMap<RegionId, RegionState>,
    pub plan: Option<PlanState>,
    /// The newest public requests, oldest first, at most [`super::proof::WINDOW`].
    pub public: VecDeque<Seen>,
    /// What is held back, and by which guards; empty when nothing is. The timeline says it once.
    pub held: String,
    /// The generation of the last plan before a backup was restored; 0 when none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spent: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl ServiceState {
    /// The highest generation that was ever given; 0 before the first plan.
    pub fn generation(&self) -> i64 {
        self.plan.as_ref().map_or(0, |plan| plan.plan.generation).max(self.spent)
    }
}

/// What is known of a service in a region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionState {
    pub verdict: Verdict,
    pub beats: Beats,
    pub suspicion: Option<Suspicion>,
    /// Since when it is healthy without any vantage voting suspect or down; absent while one does.
    pub clean_since: Option<Micros>,
    pub evacuation: Option<Evacuation>,
}

/// The verdict in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub state: VerdictState,
    pub since: Micros,
    pub reason: String,
    pub located: String,
}

/// A first failure that waits for confirmation or for its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    pub since: Micros,
    pub confirm_asked: Micros,
}

/// A region that lost users to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evacuation {
    /// When it was found down.
    pub since: Micros,
    /// When it was last found down no longer.
    pub ended: Option<Micros>,
    /// How often it fell again while its users came back; doubles the time to recover each time.
    pub relapses: u32,
    /// The percent of its configured weight that it has back, 0 while evacuated.
    pub percent: u8,
    /// When the last step back was planned.
    pub stepped: Option<Micros>,
}

/// The plan in force and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanState {
    pub plan: Plan,
    pub guards: Vec<GuardView>,
    /// Who has acknowledged it.
    pub acknowledged: BTreeSet<ReceiverId>,
    /// When the last of its receivers did.
    pub acknowledged_at: Option<Micros>,
    pub proof: ProofHead,
}

/// How far the proof of a plan has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProofHead {
    pub state: ProofState,
    pub asked: Micros,
    pub at: Option<Micros>,
    pub detail: String,
}

/// One public request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub sent: Micros,
    pub probe: ProbeId,
    /// The region that served it; absent when it failed or nobody said.
    pub region: Option<String>,
    pub ok: bool,
}
