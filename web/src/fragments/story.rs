//! What led to a plan, as the timeline tells it.

use super::{
    chain::{Draft, Progress},
    votes::count,
};
use wire::{
    Micros, RegionId,
    plan::{Cause, Plan},
    view::{ServiceRegionView, ServiceView, TimelineEntry, TimelineKind, VerdictState, Vote},
};

/// An older suspicion belongs to another story: 10 minutes.
const SAME_STORY_US: i64 = 600_000_000;

/// The steps before the plan. Never empty.
pub(super) fn before(timeline: &[TimelineEntry], service: &ServiceView, plan: &Plan) -> Vec<Draft> {
    let here = |region: &RegionId| service.regions.iter().find(|r| &r.region == region);
    // Newest first, as the timeline is.
    let told = |region: &RegionId| {
        let (service, region, created) = (service.id.clone(), region.clone(), plan.created);
        timeline.iter().filter(move |e| {
            e.at <= created && e.service.as_ref() == Some(&service) && e.region.as_ref() == Some(&region)
        })
    };
    match &plan.cause {
        Cause::Configured => vec![
            Draft::skipped("samples", "not needed"),
            Draft::skipped("votes", "not needed"),
            Draft::skipped("verdict", "follows the configuration"),
        ],
        Cause::Evacuate(region) => outage(told(region), here(region), region, plan.created),
        Cause::Failback { region, .. } => vec![recovery(told(region), here(region), region, plan.created)],
    }
}

/// Samples, votes and verdict.
fn outage<'a>(
    told: impl Iterator<Item = &'a TimelineEntry>,
    here: Option<&ServiceRegionView>,
    region: &RegionId,
    planned: Micros,
) -> Vec<Draft> {
    let mut told = told.skip_while(|e| !is_decision(e));
    // Good news led to no evacuation: then the timeline no longer holds the verdict that did.
    let decided = told.next().filter(|e| e.state != Some(VerdictState::Healthy));
    let decided_at = decided.map(|e| e.at).or_else(|| since(here, VerdictState::Down, planned));
    // Several vantages may have raised a suspicion; the oldest since the decision before is where it began.
    let suspected = told
        .take_while(|e| decided.is_some() && !is_decision(e))
        .filter(|e| {
            e.kind == TimelineKind::Suspicion && decided_at.is_some_and(|at| at.since(e.at) < SAME_STORY_US)
        })
        .last();
    let samples = if suspected.is_some() { "first failure" } else { "failing" };
    let verdict = decided.map_or_else(|| format!("{region} down"), |e| e.title.clone());
    vec![
        Draft::new("samples", Progress::Done, suspected.map(|e| e.at), samples),
        votes(here),
        Draft::new("verdict", Progress::Done, decided_at, verdict),
    ]
}

/// When the region answered again, which its first step back and every further one waited for.
fn recovery<'a>(
    mut told: impl Iterator<Item = &'a TimelineEntry>,
    here: Option<&ServiceRegionView>,
    region: &RegionId,
    planned: Micros,
) -> Draft {
    let recovered = told.find(|e| e.kind == TimelineKind::Recovery);
    let at = recovered.map(|e| e.at).or_else(|| since(here, VerdictState::Healthy, planned));
    let text = recovered.map_or_else(|| format!("{region} healthy"), |e| e.title.clone());
    Draft::new("recovery", Progress::Done, at, text)
}

/// Since when a verdict has stood, if it is the one that the plan was made on: for what the timeline no longer holds.
fn since(here: Option<&ServiceRegionView>, state: VerdictState, planned: Micros) -> Option<Micros> {
    here.map(|r| &r.verdict).filter(|v| v.state == state && v.since <= planned).map(|v| v.since)
}

fn is_decision(entry: &TimelineEntry) -> bool {
    matches!(entry.kind, TimelineKind::Verdict | TimelineKind::Recovery)
}

/// What the vantages say now: it moves on after the plan, which is the point of showing it.
fn votes(here: Option<&ServiceRegionView>) -> Draft {
    let text = here.map_or_else(String::new, |here| {
        let vote = match here.verdict.state {
            VerdictState::Down => Vote::Down,
            VerdictState::Degraded => Vote::Degraded,
            VerdictState::Healthy | VerdictState::Unknown => Vote::Up,
        };
        let (agreeing, eligible) = count(&here.verdict.votes, vote);
        format!("{agreeing} of {eligible} {vote}")
    });
    Draft::timeless("votes", text, "as of now")
}
