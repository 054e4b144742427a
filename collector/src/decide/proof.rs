//! Did users follow? Public requests are counted from the moment a plan was acknowledged, by the region that says it
//! served them. An acknowledgement is a claim; only this is proof.

use super::{
    Core, Effect, Note,
    event::Told,
    state::{PlanState, Seen, ServiceState, State},
    vote::{self, Scene},
    words,
};
use crate::config::{Check, Config};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::{
    Micros, ProbeId, ReceiverId, RegionId, ServiceId,
    assignment::{Confirm, Purpose, Target},
    instant::us,
    plan::{Cause, Plan},
    sample::{Outcome, Sample},
    view::{ProofState, TimelineKind},
};

/// The most public requests of a service that are kept.
pub const WINDOW: usize = 200;
/// How often a request for proof is renewed, microseconds.
const ASK_AGAIN_US: i64 = 5_000_000;
/// What a request for proof asks of each vantage: runs, and the time between them.
const ASK_RUNS: u16 = 16;
const ASK_EVERY_US: u32 = 250_000;
/// The share of public requests that may fail, whoever served them.
const MAX_FAILED: f64 = 0.10;
/// 99 % two-sided normal quantile, for the interval of a measured share.
const Z: f64 = 2.576;

/// Whether a check makes requests to the public address of a service that can name the region which served them.
fn is_proof(service: &ServiceId, check: &Check) -> bool {
    check.service == *service && check.to.contains(&Target::Public) && check.can_name_region()
}

/// Whether a service has public checks that say who served them, and receivers to follow a plan.
pub fn can_be_measured(scene: &Scene<'_>) -> bool {
    let public = |c: &Check| is_proof(scene.id, c);
    scene.service.names_regions()
        && !scene.service.receivers.is_empty()
        && scene.config.checks.values().any(public)
}

/// Takes in how telling a receiver went.
pub(super) fn told(
    core: &mut Core,
    service: &ServiceId,
    plan: (i64, i64),
    receiver: &ReceiverId,
    told: &Told,
    at: Micros,
    effects: &mut Vec<Effect>,
) {
    let Some(receivers) = core.config.services.get(service).map(|s| &s.receivers) else { return };
    let Some(state) = core.state.services.get_mut(service).and_then(|s| s.plan.as_mut()) else { return };
    let (term, generation) = plan;
    // News of a plan that is no longer in force changes nothing.
    if (state.plan.term, state.plan.generation) != (term, generation) || state.acknowledged.contains(receiver)
    {
        return;
    }
    let note = |title: String, detail: String| {
        let note = Note::new(TimelineKind::Delivery, at, title).service(service).generation(generation);
        Effect::from(note.detail(detail))
    };
    match told {
        Told::Acknowledged { after_us } => {
            state.acknowledged.insert(receiver.clone());
            let detail =
                format!("Generation {generation}, {} after the plan was made.", words::span(*after_us));
            if state.proof.state != ProofState::Unverified {
                effects.push(note(format!("{receiver} acknowledged"), detail));
            }
            if receivers.iter().all(|r| state.acknowledged.contains(r)) {
                state.acknowledged_at = Some(at);
                // A plan that was told again stays unverified until it is proved.
                if state.proof.state == ProofState::Waiting {
                    state.proof.state = ProofState::Measuring;
                }
                state.proof.asked = Micros(0);
            }
        }
        Told::Refused { why } => {
            effects.push(note(format!("{receiver} refused generation {generation}"), why.clone()))
        }
        Told::Failing { why } => {
            let detail = format!("{why} It is tried again until a newer plan takes its place.");
            effects.push(note(format!("{receiver} cannot be told"), detail));
        }
    }
}

/// Counts one public request.
pub(super) fn count(state: &mut State, service: &ServiceId, probe: &ProbeId, sample: &Sample, sent: Micros) {
    let public = &mut state.services.entry(service.clone()).or_default().public;
    let ok = sample.outcome == Outcome::Ok;
    let seen = Seen {
        sent,
        probe: probe.clone(),
        region: sample.served_by.as_deref().map(super::evidence::clean),
        ok,
    };
    let place = public.partition_point(|other| other.sent <= sent);
    public.insert(place, seen);
    if public.len() > WINDOW {
        public.pop_front();
    }
}

/// The kept public requests that were sent after `since`, but for those of excluded vantages: a probe whose network is
/// broken says nothing of where users arrive.
pub fn seen_after<'a>(
    public: &'a VecDeque<Seen>,
    since: Micros,
    excluded: &BTreeSet<ProbeId>,
) -> Vec<&'a Seen> {
    public.iter().filter(|seen| seen.sent > since && !excluded.contains(&seen.probe)).collect()
}

/// Judges the proof of the plan in force, and asks for more of it.
pub(super) fn update(scene: &Scene<'_>, state: &mut State, effects: &mut Vec<Effect>) {
    let measurable = can_be_measured(scene);
    let excluded = vote::excluded(state);
    let Some(ServiceState { plan: Some(plan), public, .. }) = state.services.get_mut(scene.id) else {
        return;
    };
    let Some(acknowledged) = plan.acknowledged_at else { return };
    if !measurable {
        plan.proof.detail =
            "It cannot be measured: the service needs a region_header and a check of its public \
                             address."
                .into();
        return;
    }
    // Requests from before the acknowledgement say nothing of what the receivers do now.
    let judged = judge(scene, &plan.plan, &seen_after(public, acknowledged, &excluded));
    plan.proof.detail = judged.detail.clone();
    let before = plan.proof.state;
    let late = scene.now.since(acknowledged) > us(scene.config.steering.proof.deadline);
    let after = match (before, judged.holds) {
        (ProofState::Verified, _) | (_, true) => ProofState::Verified,
        (ProofState::Unverified, false) => ProofState::Unverified,
        (_, false) if late => ProofState::Unverified,
        _ => ProofState::Measuring,
    };
    if after != before {
        plan.proof.state = after;
        plan.proof.at = matches!(after, ProofState::Verified | ProofState::Unverified).then_some(scene.now);
        effects.extend(note(scene, plan, acknowledged, &judged.detail));
    }
    // What was acknowledged and did not happen is told again: a receiver may have lost it since, and repeating the same
    // generation harms nobody.
    if after == ProofState::Unverified && late {
        plan.acknowledged_at = Some(scene.now);
        plan.acknowledged.clear();
        effects.push(Effect::Retell(plan.plan.clone()));
    }
    if after != ProofState::Verified && scene.now.since(plan.proof.asked) >= ASK_AGAIN_US {
        plan.proof.asked = scene.now;
        effects.extend(ask(scene));
    }
}

fn note(scene: &Scene<'_>, plan: &PlanState, acknowledged: Micros, detail: &str) -> Option<Effect> {
    let title = match plan.proof.state {
        ProofState::Verified => "Traffic was measured to follow",
        ProofState::Unverified => "Traffic does not follow",
        _ => return None,
    };
    let after = words::span(scene.now.since(acknowledged));
    let mut note = Note::new(TimelineKind::Proof, scene.now, title)
        .service(scene.id)
        .generation(plan.plan.generation)
        .detail(format!("{detail} {after} after the acknowledgement."));
    if let Cause::Evacuate(region) | Cause::Failback { region, .. } = &plan.plan.cause {
        note = note.region(region);
    }
    Some(note.into())
}

/// The request to run every public check in a burst.
fn ask(scene: &Scene<'_>) -> Option<Effect> {
    let public = |c: &Check| is_proof(scene.id, c);
    let checks: Vec<_> =
        scene.config.checks.iter().filter(|(_, c)| public(c)).map(|(id, _)| id.clone()).collect();
    (!checks.is_empty()).then_some(Effect::Confirm(Confirm {
        checks,
        target: Target::Public,
        every_us: ASK_EVERY_US,
        runs: ASK_RUNS,
        purpose: Purpose::Proof,
    }))
}

/// What the counted requests say.
struct Judged {
    holds: bool,
    detail: String,
}

/// The share of the newest requests that each region served, among those that say who served them.
pub fn shares(seen: &[&Seen]) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for region in seen.iter().filter_map(|seen| seen.region.as_ref()) {
        *counts.entry(region.clone()).or_default() += 1;
    }
    let total = counts.values().sum::<u32>().max(1);
    counts.into_iter().map(|(region, n)| (region, f64::from(n) / f64::from(total))).collect()
}

/// The requests that a proof is judged by: the newest, at most half of them from one vantage where there are several.
pub fn judged<'a>(config: &Config, all: &[&'a Seen]) -> Vec<&'a Seen> {
    let needed = config.steering.proof.samples as usize;
    newest(all, needed, if config.probes.len() > 1 { needed.div_ceil(2) } else { needed })
}

/// The newest requests, at most `needed` in all and `each` of one vantage, newest first: no single probe can make a proof.
fn newest<'a>(all: &[&'a Seen], needed: usize, each: usize) -> Vec<&'a Seen> {
    let mut counts: BTreeMap<&ProbeId, usize> = BTreeMap::new();
    let mut newest = Vec::with_capacity(needed);
    for seen in all.iter().rev() {
        let count = counts.entry(&seen.probe).or_default();
        if *count < each && newest.len() < needed {
            *count += 1;
            newest.push(*seen);
        }
    }
    newest
}

fn judge(scene: &Scene<'_>, plan: &Plan, all: &[&Seen]) -> Judged {
    let config = &scene.config.steering.proof;
    let needed = config.samples as usize;
    let newest = judged(scene.config, all);
    if newest.len() < needed {
        let detail = format!(
            "{} public requests counted; {needed} are needed, at most half of them from one vantage.",
            all.len()
        );
        return Judged { holds: false, detail };
    }
    let failed = newest.iter().filter(|seen| !seen.ok).count() as f64 / newest.len() as f64;
    let recent = shares(&newest);
    let share = |region: &RegionId| recent.get(region.as_str()).copied().unwrap_or(0.0);
    let empty: Vec<&RegionId> = plan.weights.iter().filter(|(_, w)| **w == 0).map(|(r, _)| r).collect();
    let left: Vec<&RegionId> = empty.iter().copied().filter(|r| share(r) > config.max_share).collect();
    let spread = off_the_plan(plan, all);
    let told: Vec<String> =
        plan.weights.keys().map(|r| format!("{r} {}", words::percent(share(r)))).collect();
    let measured = format!("Of the newest {} public requests: {}", newest.len(), words::list(told));
    let detail = if failed > MAX_FAILED {
        format!("{measured}; {} failed, at most {} may.", words::percent(failed), words::percent(MAX_FAILED))
    } else if !left.is_empty() {
        format!(
            "{measured}; at most {} may still reach {}.",
            words::percent(config.max_share),
            words::list(left)
        )
    } else if let Some(spread) = &spread {
        format!("{measured}; {spread}")
    } else {
        format!("{measured}.")
    };
    let holds =
        failed <= MAX_FAILED && spread.is_none() && empty.iter().all(|r| share(r) <= config.max_share);
    Judged { holds, detail }
}

/// Names a region whose measured share cannot be the planned one: its planned share lies outside the 99 % Wilson
/// interval (Wilson 1927) of all requests counted since the acknowledgement.
fn off_the_plan(plan: &Plan, all: &[&Seen]) -> Option<String> {
    let said: Vec<&str> = all.iter().filter_map(|seen| seen.region.as_deref()).collect();
    let n = said.len() as f64;
    plan.weights.keys().filter(|region| plan.share(region) > 0.0).find_map(|region| {
        let served = said.iter().filter(|r| **r == region.as_str()).count() as f64;
        let (low, high) = wilson(served, n);
        let planned = plan.share(region);
        (planned < low || planned > high).then(|| {
            format!(
                "{region} should serve {}, measured {} to {}.",
                words::percent(planned),
                words::percent(low),
                words::percent(high)
            )
        })
    })
}

/// The Wilson score interval of a proportion; the whole range without observations.
fn wilson(successes: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let p = successes / n;
    let centre = p + Z * Z / (2.0 * n);
    let margin = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - margin) / scale).max(0.0), ((centre + margin) / scale).min(1.0))
}
