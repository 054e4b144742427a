//! A journey: steps in order, sharing cookies and captured values, some of them in other regions.
//!
//! After a failure only the steps for cleaning up are made. They have their own time, so that they run also when the
//! journey's time is over, and the whole takes at most the check's timeout and the time for cleaning up. `step` makes
//! one step, `place` knows where it goes.

mod place;
mod step;

use super::{
    Measured, Run,
    attempt::{Attempt, lost},
    evidence,
    fault::Fault,
    secrets::Values,
    way::Way,
    words,
};
use std::time::{Duration, Instant};
use step::{Made, Traveller};
use wire::{
    assignment::{AssignedCheck, Endpoint, Journey, Step},
    sample::{Evidence, Outcome, Phases, StepResult},
};

/// Runs the steps.
pub(super) async fn run(
    check: &AssignedCheck,
    journey: &Journey,
    secrets: &Values,
    endpoint: &Endpoint,
    way: Way<'_>,
    run: &Run,
) -> Measured {
    let mut story = Story::begin();
    let mut traveller = Traveller::new(check, endpoint, secrets, way, run);
    if let Err(unfilled) = traveller.templates.set(&journey.set) {
        let secrets = traveller.templates.kept();
        story.failure = Some((None, Attempt { secrets, ..lost(unfilled.fault()) }));
    }
    for step in &journey.steps {
        let cleanup = step.when.is_cleanup();
        if cleanup {
            story.users_are_done();
            traveller.clean_up(Duration::from_micros(journey.cleanup_us.into()));
        }
        let begun = Instant::now();
        match traveller.due(step, story.failure.is_some()) {
            Ok(false) => {}
            Ok(true) => {
                if let Some(made) = traveller.step(step).await {
                    story.tell(step, made, &traveller);
                }
            }
            Err(fault) => {
                let secrets = traveller.templates.kept();
                let attempt = Attempt { secrets, ..lost(fault) };
                story.tell(step, Made { attempt, attempts: 1, begun, until_us: None }, &traveller);
            }
        }
    }
    story.users_are_done();
    story.end(check, traveller)
}

/// What happened so far.
struct Story {
    started: Instant,
    /// When the last step was over that is not for cleaning up, microseconds after `started`.
    total_us: Option<u32>,
    steps: Vec<StepResult>,
    /// The first failure, with its step.
    failure: Option<(Option<String>, Attempt)>,
    /// The last step of the users' that went well.
    last: Option<Attempt>,
}

impl Story {
    fn begin() -> Story {
        Story { started: Instant::now(), total_us: None, steps: Vec::new(), failure: None, last: None }
    }

    fn users_are_done(&mut self) {
        self.total_us.get_or_insert(since(self.started));
    }

    fn tell(&mut self, step: &Step, made: Made, traveller: &Traveller<'_>) {
        let Made { attempt, attempts, begun, until_us } = made;
        self.steps.push(StepResult {
            name: step.name.clone(),
            elsewhere: traveller.elsewhere(&step.place),
            outcome: attempt.fault.as_ref().map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
            total_us: since(begun),
            phases: attempt.record.phases,
            status: attempt.record.status,
            served_by: attempt.served_by.clone(),
            attempts,
            until_us,
        });
        match (&attempt.fault, &mut self.failure) {
            (Some(fault), Some((_, Attempt { fault: Some(first), secrets, .. }))) => {
                let name = words::line(&step.name, 60);
                first.summary = format!("{}; step `{name}` failed too: {}", first.summary, fault.summary);
                secrets.extend(attempt.secrets);
            }
            (Some(_), _) => self.failure = Some((Some(step.name.clone()), attempt)),
            (None, _) if step.when.is_cleanup() => {}
            (None, _) => self.last = Some(attempt),
        }
    }

    fn end(self, check: &AssignedCheck, traveller: Traveller<'_>) -> Measured {
        let Story { started, total_us, steps, failure, last } = self;
        let total_us = total_us.unwrap_or_else(|| since(started));
        let (name, decisive) = match (failure, last) {
            (Some(failure), _) => failure,
            (None, Some(last)) => (None, last),
            (None, None) => (None, lost(Fault::request("the journey has no steps that could be made"))),
        };
        let failure = decisive.fault.as_ref().map(|fault| {
            evidence::keep(&fault.summary, name.as_deref(), &decisive.record.body, &decisive.secrets)
        });
        let over = check.budget_us.filter(|budget| failure.is_none() && total_us > *budget);
        let slow = over.map(|budget| slowness(total_us, budget, &steps));
        let trace_id = traveller.run.trace.id();
        Measured {
            total_us,
            outcome: decisive.fault.as_ref().map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
            slow: slow.is_some(),
            phases: Phases::default(),
            address: decisive.record.address.map(|address| address.to_string()),
            status: decisive.record.status,
            served_by: decisive.served_by,
            bytes: decisive.record.bytes(),
            certificate_expires: decisive.record.certificate_expires,
            connection: decisive.record.connection,
            hops: decisive.hops,
            addresses: Vec::new(),
            resolver: decisive.record.resolver,
            evidence: failure.or(slow),
            trace_id: steps.iter().any(|step| step.phases.send.is_some()).then_some(trace_id),
            steps,
            trail: traveller.trail(),
        }
    }
}

/// The evidence of a slow journey: the step that took the longest.
fn slowness(total_us: u32, budget_us: u32, steps: &[StepResult]) -> Evidence {
    let most = steps.iter().max_by_key(|step| step.total_us);
    let named = most.map(|step| (format!("step `{}`", words::line(&step.name, 80)), step.total_us));
    evidence::keep(&words::slow(total_us, budget_us, named), most.map(|step| step.name.as_str()), b"", &[])
}

fn since(instant: Instant) -> u32 {
    u32::try_from(instant.elapsed().as_micros()).unwrap_or(u32::MAX)
}
