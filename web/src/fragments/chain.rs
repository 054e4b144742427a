//! The loop at a glance: samples → votes → verdict → plan → delivery → proof, with the time of each step.

use super::{
    Clock,
    votes::count,
    words::{Shape, cause},
};
use crate::{
    format,
    html::{Icon, Stamp},
};
use wire::{
    Micros, RegionId,
    plan::Cause,
    view::{
        DeliveryState, DeliveryView, Overview, PlanView, ProofState, ServiceRegionView, ServiceView,
        TimelineEntry, TimelineKind, VerdictState, Vote,
    },
};

/// An older suspicion belongs to another story: 10 minutes.
const SAME_STORY_US: i64 = 600_000_000;

/// How far a step has come; also its style class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Done,
    Active,
    Waiting,
    Failed,
    /// This plan did not need the step.
    Skipped,
}

impl Progress {
    pub fn class(self) -> &'static str {
        match self {
            Progress::Done => "done",
            Progress::Active => "active",
            Progress::Waiting => "waiting",
            Progress::Failed => "failed",
            Progress::Skipped => "skipped",
        }
    }

    pub fn icon(self) -> Icon {
        Icon(match self {
            Progress::Done => "healthy",
            Progress::Active => "waiting",
            Progress::Waiting => "none",
            Progress::Failed => "down",
            Progress::Skipped => "excluded",
        })
    }
}

/// One step.
pub struct Step {
    pub name: &'static str,
    pub progress: Progress,
    pub at: Option<Stamp>,
    /// Time since the first step that has one; for the votes, how many agree.
    pub offset: String,
    pub text: String,
}

/// The steps of one plan.
pub struct Chain {
    pub steps: [Step; 6],
    /// How long the whole loop took, once it is closed.
    pub total: Option<String>,
    /// Since when it runs, while it is not.
    pub running_since: Option<Stamp>,
}

/// A step before the offsets are known.
struct Draft {
    name: &'static str,
    progress: Progress,
    at: Option<Micros>,
    /// Shown where the offset would be, for a step without a time.
    instead: String,
    text: String,
}

impl Draft {
    fn new(name: &'static str, progress: Progress, at: Option<Micros>, text: impl Into<String>) -> Self {
        Self { name, progress, at, instead: String::new(), text: text.into() }
    }

    fn skipped(name: &'static str, text: &str) -> Self {
        Self::new(name, Progress::Skipped, None, text)
    }
}

impl Chain {
    pub fn new(overview: &Overview, service: &ServiceView, plan: &PlanView, clock: Clock) -> Self {
        let [samples, votes, verdict] = evidence(&overview.timeline, service, plan);
        let planned = Draft::new(
            "plan",
            Progress::Done,
            Some(plan.plan.created),
            format!("generation {}: {}", plan.plan.generation, cause(&plan.plan.cause)),
        );
        let drafts = [samples, votes, verdict, planned, delivery(&plan.deliveries), proof(plan)];
        let start = drafts.iter().find_map(|d| d.at);
        let closed = match plan.proof.state {
            ProofState::Verified => plan.proof.at,
            _ => None,
        };
        let open = matches!(plan.proof.state, ProofState::Waiting | ProofState::Measuring);
        let name = if drafts[0].at.is_some() { "first failure to proof" } else { "cause to proof" };
        Self {
            total: start
                .zip(closed)
                .map(|(a, b)| format!("Loop closed: {name} in {}", format::duration(b.since(a)))),
            running_since: start.filter(|_| open).map(|at| clock.age(at)),
            steps: drafts.map(|draft| Step {
                name: draft.name,
                progress: draft.progress,
                at: draft.at.map(Stamp::clock),
                offset: start.zip(draft.at).map_or(draft.instead, |(a, b)| offset(b.since(a))),
                text: draft.text,
            }),
        }
    }
}

fn offset(us: i64) -> String {
    if us == 0 { "start".to_owned() } else { format::signed(us) }
}

/// Samples, votes and verdict, as the timeline tells them.
fn evidence(timeline: &[TimelineEntry], service: &ServiceView, plan: &PlanView) -> [Draft; 3] {
    let region = match &plan.plan.cause {
        Cause::Configured => {
            return [
                Draft::skipped("samples", "not needed"),
                Draft::skipped("votes", "not needed"),
                Draft::skipped("verdict", "follows the configuration"),
            ];
        }
        Cause::Evacuate(region) | Cause::Failback { region, .. } => region,
    };
    let failing = matches!(plan.plan.cause, Cause::Evacuate(_));
    let mut story = timeline
        .iter()
        .filter(|e| e.service.as_ref() == Some(&service.id) && e.region.as_ref() == Some(region))
        .skip_while(|e| e.at > plan.plan.created || !is_decision(e));
    let here = service.regions.iter().find(|r| &r.region == region);
    let decided = story.next();
    let since = here.map(|r| r.verdict.since).filter(|since| failing && *since <= plan.plan.created);
    let decided_at = decided.map(|e| e.at).or(since);
    // Several vantages may have raised a suspicion; the oldest since the decision before is where it began.
    let suspected = story
        .take_while(|e| failing && !is_decision(e))
        .filter(|e| {
            e.kind == TimelineKind::Suspicion && decided_at.is_some_and(|at| at.since(e.at) < SAME_STORY_US)
        })
        .last();
    let samples = match suspected {
        Some(_) => "first failure",
        None if failing => "failing",
        None => "good again",
    };
    let samples = Draft::new("samples", Progress::Done, suspected.map(|e| e.at), samples);
    let verdict = decided.map_or_else(|| fallback(region, failing), |e| e.title.clone());
    let verdict = Draft::new("verdict", Progress::Done, decided_at, verdict);
    [samples, votes(here), verdict]
}

fn is_decision(entry: &TimelineEntry) -> bool {
    matches!(entry.kind, TimelineKind::Verdict | TimelineKind::Recovery)
}

fn fallback(region: &RegionId, failing: bool) -> String {
    format!("{region} {}", if failing { "down" } else { "recovered" })
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
    Draft { instead: text, ..Draft::new("votes", Progress::Done, None, "as of now") }
}

fn delivery(deliveries: &[DeliveryView]) -> Draft {
    let all = deliveries.len();
    let acknowledged: Vec<_> = deliveries.iter().filter_map(|d| d.acknowledged).collect();
    let refused = deliveries.iter().any(|d| d.state == DeliveryState::Refused);
    let text = format!("{} of {all} acknowledged", acknowledged.len());
    let (progress, text) = match () {
        () if all == 0 => (Progress::Waiting, "no receiver yet".to_owned()),
        () if refused => (Progress::Failed, format!("{text}, refused by a receiver")),
        () if acknowledged.len() == all => (Progress::Done, text),
        () => (Progress::Active, text),
    };
    Draft::new("delivery", progress, acknowledged.into_iter().max(), text)
}

fn proof(plan: &PlanView) -> Draft {
    let proof = &plan.proof;
    let counted = format!("{} requests counted", format::count(proof.samples.into()));
    let (progress, text) = match proof.state {
        ProofState::Waiting => (Progress::Waiting, "after the delivery".to_owned()),
        ProofState::Measuring => (Progress::Active, counted),
        ProofState::Verified => (Progress::Done, format!("traffic as planned, {counted}")),
        ProofState::Unverified => (Progress::Failed, format!("traffic is not where planned, {counted}")),
    };
    Draft::new("proof", progress, proof.at, text)
}

/// The icon of the proof's own state, for the block below the chain.
pub fn proof_icon(plan: &PlanView) -> Icon {
    plan.proof.state.icon()
}
