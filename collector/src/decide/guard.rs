//! The rules that a plan must pass, each with a name. All are asked, so that a person sees every answer.

use super::{
    state::{RegionState, ServiceState},
    verdict::Tally,
    vote::Scene,
    words,
};
use std::collections::BTreeMap;
use wire::{
    RegionId,
    plan::{Cause, FULL},
    view::{Automation, GuardView, VerdictState},
};

/// A plan before it has passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub weights: BTreeMap<RegionId, u8>,
    pub cause: Cause,
    pub reason: String,
}

/// Asks every guard.
pub fn ask(
    scene: &Scene<'_>,
    state: &ServiceState,
    proposal: &Proposal,
    tally: Option<&Tally>,
) -> Vec<GuardView> {
    let mut answers = vec![automation(scene), valid(proposal)];
    if matches!(proposal.cause, Cause::Evacuate(_)) {
        answers.extend(tally.map(quorum_present));
        answers.push(keep_regions(scene, state, proposal));
        answers.push(max_evacuated(scene, proposal));
    }
    answers
}

fn answer(name: &str, passed: bool, detail: String) -> GuardView {
    GuardView { name: name.into(), passed, detail }
}

/// The kill switch, and observing without acting.
fn automation(scene: &Scene<'_>) -> GuardView {
    let mode = scene.config.steering.automation;
    answer("automation-on", mode == Automation::On, format!("automation is {mode}"))
}

/// Never an empty or all-zero plan, never a weight above full: receivers would answer 503 to everybody.
fn valid(proposal: &Proposal) -> GuardView {
    let on = proposal.weights.values().filter(|weight| **weight > 0).count();
    let whole = proposal.weights.values().all(|weight| *weight <= FULL);
    answer("never-empty", on > 0 && whole, format!("{on} of {} regions get users", proposal.weights.len()))
}

/// A collector that hears too few of its vantages is blind, and freezes.
fn quorum_present(tally: &Tally) -> GuardView {
    answer(
        "enough-vantages",
        tally.sees_enough(),
        format!("{} of {} independent vantages have fresh evidence", tally.eligible, tally.configured),
    )
}

/// Enough regions must be left that are known to work. This also refuses to chase a fault that all regions share:
/// moving users does not help there.
fn keep_regions(scene: &Scene<'_>, state: &ServiceState, proposal: &Proposal) -> GuardView {
    let regions = scene.service.endpoints.len();
    let needed = usize::from(scene.config.steering.keep_regions.unwrap_or(if regions >= 3 { 2 } else { 1 }));
    let works = |region: &RegionId| {
        let verdict = state.regions.get(region).map(|r: &RegionState| r.verdict.state);
        matches!(verdict, Some(VerdictState::Healthy | VerdictState::Degraded))
    };
    let left: Vec<&RegionId> = proposal
        .weights
        .iter()
        .filter(|(region, w)| **w > 0 && works(region))
        .map(|(region, _)| region)
        .collect();
    answer(
        "keep-regions",
        left.len() >= needed,
        format!("{} would be left working, {needed} needed", words::list(&left)),
    )
}

/// Many regions down at once is more likely our error, or needs a person.
fn max_evacuated(scene: &Scene<'_>, proposal: &Proposal) -> GuardView {
    let most = usize::from(scene.config.steering.max_evacuated);
    let empty = |region: &RegionId| scene.service.endpoints.get(region).is_some_and(|e| e.weight > 0);
    let evacuated = proposal.weights.iter().filter(|(region, w)| **w == 0 && empty(region)).count();
    answer("max-evacuated", evacuated <= most, format!("{evacuated} evacuated at a time, {most} allowed"))
}
