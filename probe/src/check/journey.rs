//! A journey: steps in order, sharing cookies and captured values, some of them in other regions.

use super::{
    Measured, Trace,
    attempt::{self, Attempt, Limit, Order, lost},
    evidence,
    fault::Fault,
    jar::Jar,
    judge,
    secrets::Values,
    template::Templates,
    way::Way,
    words,
};
use std::time::{Duration, Instant};
use wire::{
    RegionId,
    assignment::{AssignedCheck, Endpoint, Journey, Place, Step, Target},
    sample::{Evidence, FailClass, Outcome, Phases, StepResult},
};

/// The pause between two attempts of a repeated step: it grows, so that a slow replica is not flooded.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// Runs the steps until one fails, the limit cuts them, or all are done.
pub(super) async fn run(
    check: &AssignedCheck,
    journey: &Journey,
    secrets: &Values,
    endpoint: &Endpoint,
    way: Way<'_>,
    trace: &Trace,
) -> Measured {
    let started = Instant::now();
    let limit = way.limit;
    let templates = Templates::new(&trace.id(), &endpoint.target.to_string(), secrets);
    let mut traveller =
        Traveller { check, endpoint, way, trace, limit, templates, jar: Jar::default(), requests: 0 };
    let mut steps: Vec<StepResult> = Vec::new();
    let mut last = None;
    for step in &journey.steps {
        let begun = Instant::now();
        let (attempt, attempts) = traveller.step(step).await;
        steps.push(StepResult {
            name: step.name.clone(),
            elsewhere: traveller.elsewhere(&step.place).map(|(region, _)| region.clone()),
            outcome: attempt.fault.as_ref().map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
            total_us: since(begun),
            phases: attempt.record.phases,
            status: attempt.record.status,
            served_by: attempt.served_by.clone(),
            attempts,
        });
        let failed = attempt.fault.is_some();
        last = Some(attempt);
        if failed {
            break;
        }
    }
    let total_us = since(started);
    let last = last.unwrap_or_else(|| lost(Fault::request("the journey has no steps")));
    let failure = last.fault.as_ref().map(|fault| {
        let step = steps.last().map(|step| step.name.as_str());
        evidence::keep(&fault.summary, step, &last.record.body, &last.secrets)
    });
    let over = check.budget_us.filter(|budget| failure.is_none() && total_us > *budget);
    let slow = over.map(|budget| slowness(total_us, budget, &steps));
    Measured {
        total_us,
        outcome: last.fault.as_ref().map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
        slow: slow.is_some(),
        phases: Phases::default(),
        address: last.record.address.map(|address| address.to_string()),
        status: last.record.status,
        served_by: last.served_by,
        bytes: last.record.bytes(),
        certificate_expires: last.record.certificate_expires,
        connection: last.record.connection,
        hops: last.hops,
        addresses: Vec::new(),
        resolver: last.record.resolver,
        evidence: failure.or(slow),
        trace_id: steps.iter().any(|step| step.phases.send.is_some()).then(|| trace.id()),
        steps,
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

/// What goes from step to step.
struct Traveller<'a> {
    check: &'a AssignedCheck,
    endpoint: &'a Endpoint,
    way: Way<'a>,
    trace: &'a Trace,
    limit: Limit,
    templates: Templates,
    jar: Jar,
    /// How many requests were made, each a span of its own.
    requests: u64,
}

impl Traveller<'_> {
    /// Makes a step, repeatedly where it may be repeated: the attempt that decides, and how many there were.
    async fn step(&mut self, step: &Step) -> (Attempt, u16) {
        let Some(within) = step.within_us.map(|us| Limit::from_now(Duration::from_micros(us.into()))) else {
            let attempt = self.attempt(step, self.limit).await;
            return (self.explain_cut(attempt), 1);
        };
        let limit = if within.until < self.limit.until { within } else { self.limit };
        let mut pause = FIRST_PAUSE;
        let mut attempts: u16 = 1;
        let mut decisive = self.attempt(step, limit).await;
        loop {
            let Some(fault) = &decisive.fault else { return (decisive, attempts) };
            // A request that cannot be made now cannot be made later either.
            if fault.class == FailClass::Request {
                return (decisive, attempts);
            }
            let seen = fault.summary.clone();
            let _elapsed = tokio::time::timeout_at(limit.until, tokio::time::sleep(pause)).await;
            if limit.over() {
                break;
            }
            pause = (pause * 2).min(LAST_PAUSE);
            attempts = attempts.saturating_add(1);
            let next = self.attempt(step, limit).await;
            match next.fault {
                // What an answer said is worth more than that the next one did not arrive in time; only when
                // it is the whole journey that was cut, the request in progress is what is reported.
                Some(Fault { class: FailClass::Timeout, .. }) if limit.over() => {
                    if self.limit.over() {
                        decisive = Attempt { fault: Some(Fault::new(FailClass::Timeout, seen)), ..next };
                    }
                    break;
                }
                _ => decisive = next,
            }
        }
        let cut = self.limit.over();
        decisive.fault = decisive.fault.map(|fault| {
            let times = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            let seen = fault.summary;
            if cut {
                let length = self.limit.words();
                let summary = format!("the journey was cut after {length}, here repeating ({times}): {seen}");
                Fault::new(FailClass::Timeout, summary)
            } else {
                Fault::new(fault.class, format!("not within {} ({times}): {seen}", within.words()))
            }
        });
        (decisive, attempts)
    }

    /// One request, judged, and its values captured.
    async fn attempt(&mut self, step: &Step, limit: Limit) -> Attempt {
        let filled = self.templates.fill(&step.request);
        let ready = filled.and_then(|request| Ok((request, self.base(&step.place)?)));
        let (request, base) = match ready {
            Ok(ready) => ready,
            // A template's error may quote the values it stumbled over.
            Err(fault) => return Attempt { secrets: self.templates.learned(), ..lost(fault) },
        };
        let order = Order {
            request: &request,
            base: &base,
            region_header: self.check.region_header.as_deref(),
            jar: Some(&mut self.jar),
            traceparent: self.trace.parent(self.requests),
            limit,
        };
        self.requests += 1;
        let mut attempt = attempt::http(order, &self.way).await;
        if attempt.fault.is_none() {
            match judge::capture(&step.capture, &attempt.record) {
                Ok(values) => self.templates.learn(values),
                Err(fault) => attempt.fault = Some(fault),
            }
        }
        attempt
    }

    /// Where a step goes.
    fn base(&self, place: &Place) -> Result<String, Fault> {
        let region = match place {
            Place::Region(region) => region,
            Place::Here => return Ok(self.endpoint.url.clone()),
            Place::Other => {
                let other = self.elsewhere(place).map(|(_, base)| base.clone());
                return other.ok_or_else(|| Fault::request("the service has no other region"));
            }
        };
        let base = self.check.regions.get(region).cloned();
        base.ok_or_else(|| Fault::request(format!("region {region} has no endpoint")))
    }

    /// The region that a step goes to, with its address, when it is not the one that the series points at.
    fn elsewhere(&self, place: &Place) -> Option<(&RegionId, &String)> {
        let not_here =
            |region: &RegionId| !matches!(&self.endpoint.target, Target::Region(here) if here == region);
        match place {
            Place::Here => None,
            Place::Region(region) => {
                self.check.regions.get_key_value(region).filter(|(region, _)| not_here(region))
            }
            Place::Other => self.check.regions.iter().find(|(region, _)| not_here(region)),
        }
    }

    /// Says that it was the journey's time that ran out, if it did.
    fn explain_cut(&self, mut attempt: Attempt) -> Attempt {
        let cut = attempt.record.ended_in.is_some()
            && attempt.fault.as_ref().is_some_and(|f| f.class == FailClass::Timeout);
        if cut && self.limit.over() {
            let during = attempt.record.ended_in();
            let summary = format!("the journey was cut after {}, here in {during}", self.limit.words());
            attempt.fault = Some(Fault::new(FailClass::Timeout, summary));
        }
        attempt
    }
}

impl Limit {
    fn over(&self) -> bool {
        tokio::time::Instant::now() >= self.until
    }
}
