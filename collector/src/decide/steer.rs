//! From verdicts to weights: evacuate at once, give back in steps, and never without the guards.

use super::{
    Effect, Note,
    guard::{self, Proposal},
    state::{Evacuation, PlanState, ProofHead, RegionState, ServiceState, State},
    verdict, vote,
    vote::Scene,
    words,
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    Micros, ProbeId, RegionId,
    instant::us,
    plan::{Cause, Plan},
    view::{GuardView, ProofState, TimelineKind, VerdictState},
};

/// Makes at most one plan.
pub(super) fn update(scene: &Scene<'_>, state: &mut State, term: i64, effects: &mut Vec<Effect>) {
    note_recoveries(scene, state, effects);
    let Some(service) = state.services.get(scene.id) else { return };
    // The first plan waits until something is known of every region: a collector that has just been born must not
    // send users into an outage that it has not seen yet.
    let known = |region: &RegionId| {
        service.regions.get(region).is_some_and(|r| r.verdict.state != VerdictState::Unknown)
    };
    if service.plan.is_none() && !scene.service.endpoints.keys().all(known) {
        return;
    }
    let excluded = vote::excluded(state);
    let step =
        next_evacuation(scene, service, state.warm_at).or_else(|| next_failback(scene, service, &excluded));
    let Some(Step { proposal, change }) = step.or_else(|| configured(scene, service)) else {
        clear_held(state, scene);
        return;
    };
    let tally = match &proposal.cause {
        Cause::Evacuate(region) => Some(verdict::tally(&vote::ballots(scene, state, region))),
        _ => None,
    };
    let guards = guard::ask(scene, service, &proposal, tally.as_ref());
    let Some(service) = state.services.get_mut(scene.id) else { return };
    if let Some((rules, held)) = hold_back(&proposal, &guards) {
        // The numbers in the explanation change all the time; what is held by which rules is what is new or not.
        let what = format!("{:?} by {rules}", proposal.cause);
        if service.held != what {
            service.held = what;
            let title = format!("Not done: {}", title(scene, &proposal));
            effects
                .push(Note::new(TimelineKind::Held, scene.now, title).service(scene.id).detail(held).into());
        }
        return;
    }
    service.held.clear();
    if let Some((region, evacuation)) = change
        && let Some(record) = service.regions.get_mut(&region)
    {
        record.evacuation = evacuation;
    }
    adopt(scene, service, proposal, guards, term, effects);
}

/// A change of weights, with what it means for the region that causes it.
struct Step {
    proposal: Proposal,
    change: Option<(RegionId, Option<Evacuation>)>,
}

/// The weights that follow from what is evacuated, with one region's share replaced.
fn weights(
    scene: &Scene<'_>,
    service: &ServiceState,
    replaced: Option<(&RegionId, u8)>,
) -> BTreeMap<RegionId, u8> {
    let percent = |region: &RegionId| match replaced {
        Some((other, percent)) if other == region => percent,
        _ => service.regions.get(region).and_then(|r| r.evacuation.as_ref()).map_or(100, |e| e.percent),
    };
    let scaled = |weight: u8, percent: u8| {
        // Rounded up, so that a small share of a small weight is not nothing.
        let scaled = (u32::from(weight) * u32::from(percent)).div_ceil(100);
        u8::try_from(scaled).unwrap_or(weight)
    };
    let endpoints = scene.service.endpoints.iter();
    endpoints.map(|(region, endpoint)| (region.clone(), scaled(endpoint.weight, percent(region)))).collect()
}

/// A region that is down and still gets users.
fn next_evacuation(scene: &Scene<'_>, service: &ServiceState, warm_at: Micros) -> Option<Step> {
    if scene.now < warm_at {
        return None;
    }
    let down = |r: &RegionState| {
        r.verdict.state == VerdictState::Down && r.evacuation.as_ref().is_none_or(|e| e.percent > 0)
    };
    let has_weight = |region: &RegionId| scene.service.endpoints.get(region).is_some_and(|e| e.weight > 0);
    let (region, record) = service.regions.iter().find(|(region, r)| has_weight(region) && down(r))?;
    let evacuation = match &record.evacuation {
        // It fell while its users came back: the next recovery must last twice as long.
        Some(old) => Evacuation {
            ended: None,
            percent: 0,
            stepped: None,
            relapses: old.relapses.saturating_add(1),
            since: scene.now,
        },
        None => Evacuation { since: scene.now, ended: None, relapses: 0, percent: 0, stepped: None },
    };
    let proposal = Proposal {
        weights: weights(scene, service, Some((region, 0))),
        cause: Cause::Evacuate(region.clone()),
        reason: format!("{region} is down. {}", record.verdict.reason),
    };
    Some(Step { proposal, change: Some((region.clone(), Some(evacuation))) })
}

/// A region that has recovered for long enough, or whose last step back has proved itself.
fn next_failback(scene: &Scene<'_>, service: &ServiceState, excluded: &BTreeSet<ProbeId>) -> Option<Step> {
    let config = &scene.config.steering.failback;
    service.regions.iter().find_map(|(region, record)| {
        let evacuation = record.evacuation.as_ref()?;
        let clean = scene.now.since(record.clean_since?);
        let percent = config.steps.iter().copied().find(|step| *step > evacuation.percent)?;
        match evacuation.stepped {
            None if clean < recovery_us(scene, evacuation) => return None,
            Some(stepped) if scene.now.since(stepped) < us(config.every) => return None,
            _ => {}
        }
        // Where users never left, because the receivers did not follow, there is nothing to give back in steps: the
        // plan is made to say again what is the case.
        let percent = match plan_is_settled(scene, service) {
            true => percent,
            false if never_left(scene, service, region, excluded) => 100,
            false => return None,
        };
        let done = percent >= 100;
        let next = Evacuation { percent, stepped: Some(scene.now), ..evacuation.clone() };
        let proposal = Proposal {
            weights: weights(scene, service, Some((region, percent))),
            cause: Cause::Failback { region: region.clone(), percent },
            reason: format!(
                "{region} has been healthy for {}: {percent} % of its users return.",
                words::span(clean)
            ),
        };
        Some(Step { proposal, change: Some((region.clone(), (!done).then_some(next))) })
    })
}

/// How long a region must be healthy before the first step, microseconds: as long as the outage within the
/// configured bounds, doubled for each relapse (four times the upper bound at most).
pub fn recovery_us(scene: &Scene<'_>, evacuation: &Evacuation) -> i64 {
    let config = &scene.config.steering.failback;
    let outage = evacuation.ended.unwrap_or(scene.now).since(evacuation.since);
    let base = outage.clamp(us(config.recover), us(config.recover_max.max(config.recover)));
    base.saturating_mul(1 << evacuation.relapses.min(8)).min(us(config.recover_max.max(config.recover)) * 4)
}

/// Whether the plan in force has arrived, and traffic was measured to follow it where that can be measured.
fn plan_is_settled(scene: &Scene<'_>, service: &ServiceState) -> bool {
    let Some(plan) = &service.plan else { return false };
    let provable = super::proof::can_be_measured(scene);
    plan.acknowledged_at.is_some() && (!provable || plan.proof.state == ProofState::Verified)
}

/// Whether an unverified plan took users away from a region that was measured to serve them all the same.
fn never_left(
    scene: &Scene<'_>,
    service: &ServiceState,
    region: &RegionId,
    excluded: &BTreeSet<ProbeId>,
) -> bool {
    let Some(plan) = &service.plan else { return false };
    let Some(acknowledged) = plan.acknowledged_at else { return false };
    let seen = super::proof::seen_after(&service.public, acknowledged, excluded);
    let shares = super::proof::shares(&super::proof::judged(scene.config, &seen));
    let share = shares.get(region.as_str()).copied().unwrap_or(0.0);
    plan.proof.state == ProofState::Unverified && share > scene.config.steering.proof.max_share
}

/// The first plan, or one after the configured weights changed.
fn configured(scene: &Scene<'_>, service: &ServiceState) -> Option<Step> {
    // A region that is new in the configuration waits until something is known of it, as all do before the first plan.
    let unknown = |region: &RegionId| {
        let known = service.regions.get(region).map_or(VerdictState::Unknown, |r| r.verdict.state);
        known == VerdictState::Unknown
    };
    let is_new =
        |region: &&RegionId| service.plan.as_ref().is_some_and(|p| !p.plan.weights.contains_key(*region));
    if scene.service.endpoints.keys().filter(is_new).any(unknown) {
        return None;
    }
    let weights = weights(scene, service, None);
    let same = service.plan.as_ref().is_some_and(|plan| plan.plan.weights == weights);
    (!same).then(|| Step {
        proposal: Proposal {
            weights,
            cause: Cause::Configured,
            reason: "The weights of the configuration, less what is evacuated.".into(),
        },
        change: None,
    })
}

/// Which rules hold a plan back, and why; absent when it may be made.
fn hold_back(proposal: &Proposal, guards: &[GuardView]) -> Option<(String, String)> {
    let failed: Vec<&GuardView> = guards.iter().filter(|guard| !guard.passed).collect();
    if failed.is_empty() {
        return None;
    }
    let rules = words::list(failed.iter().map(|guard| &guard.name));
    let told = words::list(failed.iter().map(|guard| format!("{} ({})", guard.name, guard.detail)));
    Some((rules, format!("Held by {told}. {}", proposal.reason)))
}

fn adopt(
    scene: &Scene<'_>,
    service: &mut ServiceState,
    proposal: Proposal,
    guards: Vec<GuardView>,
    term: i64,
    effects: &mut Vec<Effect>,
) {
    let title = title(scene, &proposal);
    let Proposal { weights, cause, reason } = proposal;
    let generation = service.generation() + 1;
    let plan = Plan {
        service: scene.id.clone(),
        generation,
        term,
        weights,
        cause: cause.clone(),
        reason,
        created: scene.now,
    };
    let shares = plan.weights.keys().map(|region| format!("{region} {}", words::percent(plan.share(region))));
    let mut note = Note::new(TimelineKind::Plan, scene.now, title)
        .service(scene.id)
        .generation(generation)
        .detail(format!("Generation {generation}: {}. {}", words::list(shares), plan.reason));
    if let Cause::Evacuate(region) | Cause::Failback { region, .. } = &cause {
        note = note.region(region);
    }
    effects.push(note.into());
    effects.push(Effect::Plan { plan: plan.clone(), guards: guards.clone() });
    service.plan = Some(PlanState {
        plan,
        guards,
        acknowledged: Default::default(),
        acknowledged_at: None,
        proof: ProofHead::default(),
    });
}

fn title(scene: &Scene<'_>, proposal: &Proposal) -> String {
    let name = &scene.service.name;
    match &proposal.cause {
        Cause::Configured => format!("{name} as configured"),
        Cause::Evacuate(region) => format!("{name} leaves {region}"),
        Cause::Failback { region, percent: 100 } => format!("{name} is fully back in {region}"),
        Cause::Failback { region, percent } => format!("{name} returns to {region}: {percent} %"),
    }
}

/// Notes when evacuated regions stop and start being down.
fn note_recoveries(scene: &Scene<'_>, state: &mut State, effects: &mut Vec<Effect>) {
    let Some(service) = state.services.get_mut(scene.id) else { return };
    for (region, record) in &mut service.regions {
        let Some(evacuation) = &mut record.evacuation else { continue };
        match (record.verdict.state, evacuation.ended) {
            (VerdictState::Healthy, None) => {
                evacuation.ended = Some(scene.now);
                let wait = words::span(recovery_us(scene, evacuation));
                let title = format!("{region} answers again");
                let detail = format!("Its users stay away until every vantage has seen it well for {wait}.");
                let note =
                    Note::new(TimelineKind::Recovery, scene.now, title).service(scene.id).region(region);
                effects.push(note.detail(detail).into());
            }
            (VerdictState::Down, Some(_)) if evacuation.percent == 0 => {
                evacuation.ended = None;
                evacuation.stepped = None;
                let note = Note::new(TimelineKind::Recovery, scene.now, format!("{region} failed again"))
                    .service(scene.id)
                    .region(region)
                    .detail("Before any of its users had returned; the wait starts anew.");
                effects.push(note.into());
            }
            _ => {}
        }
    }
}

fn clear_held(state: &mut State, scene: &Scene<'_>) {
    if let Some(service) = state.services.get_mut(scene.id) {
        service.held.clear();
    }
}
