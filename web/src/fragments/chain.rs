//! The loop at a glance, with the time of each step: samples → votes → verdict → plan → delivery → proof, and for a
//! step back recovery → plan → delivery → proof.

use super::{
    Clock, story,
    words::{Shape, cause},
};
use crate::{
    format,
    html::{Icon, Stamp},
};
use wire::{
    Micros,
    plan::Cause,
    view::{DeliveryState, DeliveryView, Overview, PlanView, ProofState, ServiceView},
};

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
    /// Time since the loop began; for the votes, how many agree.
    pub offset: String,
    pub text: String,
}

/// The steps of one plan.
pub struct Chain {
    pub steps: Vec<Step>,
    /// How long the whole loop took, once it is closed.
    pub total: Option<String>,
    /// Since when it runs, while it is open.
    pub running: Option<Running>,
}

/// A loop that is not closed.
pub struct Running {
    pub words: &'static str,
    pub since: Stamp,
}

/// A step before the offsets are known.
pub(super) struct Draft {
    name: &'static str,
    progress: Progress,
    at: Option<Micros>,
    /// Shown where the offset would be, for a step without a time.
    instead: String,
    text: String,
}

impl Draft {
    pub(super) fn new(
        name: &'static str,
        progress: Progress,
        at: Option<Micros>,
        text: impl Into<String>,
    ) -> Self {
        Self { name, progress, at, instead: String::new(), text: text.into() }
    }

    /// A step that is done, at no time that could be told.
    pub(super) fn timeless(name: &'static str, instead: String, text: &str) -> Self {
        Self { instead, ..Self::new(name, Progress::Done, None, text) }
    }

    pub(super) fn skipped(name: &'static str, text: &str) -> Self {
        Self::new(name, Progress::Skipped, None, text)
    }

    fn step(self, start: Micros) -> Step {
        Step {
            name: self.name,
            progress: self.progress,
            at: self.at.map(Stamp::clock),
            offset: self.at.map_or(self.instead, |at| offset(at.since(start))),
            text: self.text,
        }
    }
}

impl Chain {
    pub fn new(overview: &Overview, service: &ServiceView, plan: &PlanView, clock: Clock) -> Self {
        let mut drafts = story::before(&overview.timeline, service, &plan.plan);
        let step_back = matches!(plan.plan.cause, Cause::Failback { .. });
        // A step back begins with its plan: that it waited for the recovery to last is on purpose, no delay.
        let begun = drafts.iter().find_map(|d| d.at).filter(|_| !step_back);
        let start = begun.unwrap_or(plan.plan.created);
        let (done, running) = match () {
            () if step_back => ("Step back proved in", "Step back under way for"),
            () if drafts[0].at.is_some() => ("Loop closed: first failure to proof in", "Loop open for"),
            () => ("Loop closed: cause to proof in", "Loop open for"),
        };
        let planned = format!("generation {}: {}", plan.plan.generation, cause(&plan.plan.cause));
        drafts.push(Draft::new("plan", Progress::Done, Some(plan.plan.created), planned));
        drafts.push(delivery(&plan.deliveries));
        drafts.push(proof(plan));
        let open = matches!(plan.proof.state, ProofState::Waiting | ProofState::Measuring);
        let closed = plan.proof.at.filter(|_| plan.proof.state == ProofState::Verified);
        Self {
            total: closed.map(|at| format!("{done} {}", format::duration(at.since(start)))),
            running: open.then(|| Running { words: running, since: clock.age(start) }),
            steps: drafts.into_iter().map(|draft| draft.step(start)).collect(),
        }
    }
}

fn offset(us: i64) -> String {
    match us {
        0 => "start".to_owned(),
        1.. => format::signed(us),
        _ => format!("{} before", format::age(us.saturating_neg())),
    }
}

fn delivery(deliveries: &[DeliveryView]) -> Draft {
    let all = deliveries.len();
    // One that is told again has the instant of before, and is open.
    let closed = deliveries.iter().filter(|d| d.state == DeliveryState::Acknowledged);
    let acknowledged: Vec<_> = closed.filter_map(|d| d.acknowledged).collect();
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
