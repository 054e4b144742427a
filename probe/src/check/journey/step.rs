//! One step: its values, its wait, its request, and the repetitions of that.

use crate::check::{
    Exchange, Run,
    attempt::{self, Attempt, Limit, Order, lost},
    evidence,
    fault::Fault,
    jar::Jar,
    judge::{self, Answer},
    secrets::Values,
    template::{Templates, Unfilled},
    way::Way,
};
use std::time::{Duration, Instant};
use wire::{
    assignment::{AssignedCheck, Endpoint, Step, When},
    sample::FailClass,
};

/// The pause between two attempts of a repeated step: it grows, so that a slow replica is not flooded.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// What goes from step to step.
pub(super) struct Traveller<'a> {
    pub(super) check: &'a AssignedCheck,
    pub(super) endpoint: &'a Endpoint,
    way: Way<'a>,
    pub(super) run: &'a Run,
    limit: Limit,
    /// Whose limit that is.
    whose: &'static str,
    pub(super) templates: Templates,
    jar: Jar,
    /// How many requests were made, each a span of its own.
    requests: u64,
    /// Values that nobody may see, whatever step stumbles over them.
    secrets: Vec<String>,
    trail: Vec<Exchange>,
}

/// A step that was made.
pub(super) struct Made {
    /// The request that decided.
    pub(super) attempt: Attempt,
    /// How many requests there were.
    pub(super) attempts: u16,
    pub(super) begun: Instant,
    /// From the first request to the end of the one that went well, microseconds, where it may repeat.
    pub(super) until_us: Option<u32>,
}

impl<'a> Traveller<'a> {
    pub(super) fn new(
        check: &'a AssignedCheck,
        endpoint: &'a Endpoint,
        secrets: &Values,
        way: Way<'a>,
        run: &'a Run,
    ) -> Self {
        Traveller {
            check,
            endpoint,
            way,
            run,
            limit: way.limit,
            whose: "the journey",
            templates: Templates::new(check, endpoint, run, secrets),
            jar: Jar::default(),
            requests: 0,
            secrets: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// From the first call on there is at least this much time, for cleaning up.
    pub(super) fn clean_up(&mut self, length: Duration) {
        const CLEANUP: &str = "the clean-up";
        let limit = Limit::from_now(length);
        if self.whose != CLEANUP {
            self.whose = CLEANUP;
            if self.limit.until < limit.until {
                self.limit = limit;
            }
        }
    }

    /// Whether a step is to be made.
    pub(super) fn due(&self, step: &Step, failed: bool) -> Result<bool, Fault> {
        match &step.when {
            When::Always => Ok(true),
            When::Failed => Ok(failed),
            _ if failed => Ok(false),
            When::Succeeded => Ok(true),
            When::If(expression) => self.templates.holds(expression),
        }
    }

    /// Makes a step, repeatedly where it may be repeated. Nothing when it is for cleaning up what was never made: it
    /// names a value that does not exist.
    pub(super) async fn step(&mut self, step: &Step) -> Option<Made> {
        let wait = Duration::from_micros(step.wait_us.into());
        let waited = tokio::time::timeout_at(self.limit.until, tokio::time::sleep(wait)).await;
        let begun = Instant::now();
        if waited.is_err() {
            let summary = format!("{} was cut after {}, here waiting", self.whose, self.limit.words());
            let attempt = lost(Fault::new(FailClass::Timeout, summary));
            return Some(Made { attempt, attempts: 1, begun, until_us: None });
        }
        match self.set(step) {
            Ok(()) => {}
            Err(Unfilled::Missing(_)) if step.when.is_cleanup() => return None,
            Err(unfilled) => {
                let attempt = Attempt { secrets: self.templates.kept(), ..lost(unfilled.fault()) };
                return Some(Made { attempt, attempts: 1, begun, until_us: None });
            }
        }
        let Some(within) = step.within_us.map(|us| Limit::from_now(Duration::from_micros(us.into()))) else {
            let attempt = self.attempt(step, self.limit, 1).await?;
            return Some(Made { attempt: self.explain_cut(attempt), attempts: 1, begun, until_us: None });
        };
        let (attempt, attempts) = self.repeat(step, within).await?;
        let took = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        let until_us = attempt.fault.is_none().then_some(took);
        Some(Made { attempt, attempts, begun, until_us })
    }

    fn set(&mut self, step: &Step) -> Result<(), Unfilled> {
        let before = self.templates.kept().len();
        let set = self.templates.set(&step.set);
        let made = self.templates.kept();
        let secret = step.set.iter().zip(&made[before..]);
        let secret = secret.filter(|((name, _), _)| step.secret.contains(name) || evidence::is_secret(name));
        self.secrets.extend(evidence::spellings(secret.map(|(_, value)| value.clone()).collect()));
        set
    }

    async fn repeat(&mut self, step: &Step, within: Limit) -> Option<(Attempt, u16)> {
        let limit = if within.until < self.limit.until { within } else { self.limit };
        let mut pause = FIRST_PAUSE;
        let mut attempts: u16 = 1;
        let mut decisive = self.attempt(step, limit, 1).await?;
        loop {
            let Some(fault) = &decisive.fault else { return Some((decisive, attempts)) };
            // A request that cannot be made now cannot be made later either.
            if fault.class == FailClass::Request {
                return Some((decisive, attempts));
            }
            let seen = fault.summary.clone();
            let _elapsed = tokio::time::timeout_at(limit.until, tokio::time::sleep(pause)).await;
            if limit.over() {
                break;
            }
            pause = (pause * 2).min(LAST_PAUSE);
            attempts = attempts.saturating_add(1);
            let next = self.attempt(step, limit, attempts).await?;
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
                let (whose, length) = (self.whose, self.limit.words());
                let summary = format!("{whose} was cut after {length}, here repeating ({times}): {seen}");
                Fault::new(FailClass::Timeout, summary)
            } else {
                Fault::new(fault.class, format!("not within {} ({times}): {seen}", within.words()))
            }
        });
        Some((decisive, attempts))
    }

    /// One request, judged, and its values captured.
    async fn attempt(&mut self, step: &Step, limit: Limit, number: u16) -> Option<Attempt> {
        let filled = self.templates.fill(&step.request);
        if step.when.is_cleanup() && matches!(filled, Err(Unfilled::Missing(_))) {
            return None;
        }
        let ready =
            filled.map_err(Unfilled::fault).and_then(|request| Ok((request, self.base(&step.place)?)));
        let (request, base) = match ready {
            Ok(ready) => ready,
            // A template's error may quote the values it stumbled over.
            Err(fault) => return Some(Attempt { secrets: self.templates.kept(), ..lost(fault) }),
        };
        let own = step.timeout_us.map(|us| Limit::from_now(Duration::from_micros(us.into())));
        let order = Order {
            check: self.check,
            request: &request,
            base: &base,
            target: &self.endpoint.target,
            jar: Some(&mut self.jar),
            traceparent: self.run.trace.parent(self.requests),
            boundary: self.run.boundary(self.requests),
            limit: own.filter(|own| own.until < limit.until).unwrap_or(limit),
            now: self.run.started,
            explain: self.run.explain,
        };
        self.requests += 1;
        let mut attempt = attempt::http(order, &self.way).await;
        if attempt.fault.is_none() {
            attempt.fault = self.capture(step, &mut attempt).err();
        }
        attempt.secrets.extend_from_slice(&self.secrets);
        if let Some(mut exchange) = attempt.exchange.take() {
            exchange.step = Some(step.name.clone());
            exchange.attempt = number;
            exchange.fault = attempt.fault.as_ref().map(|fault| fault.summary.clone());
            exchange.redact(&attempt.secrets);
            self.trail.push(exchange);
        }
        Some(attempt)
    }

    fn capture(&mut self, step: &Step, attempt: &mut Attempt) -> Result<(), Fault> {
        if step.capture.is_empty() {
            return Ok(());
        }
        let served_by = attempt.served_by.as_deref();
        let answer = Answer::new(&attempt.record, served_by, &self.endpoint.target, self.run.started);
        for (name, captured) in judge::capture(step, &answer)? {
            self.templates.keep(&name, &captured.value);
            if let Some(exchange) = &mut attempt.exchange {
                exchange.kept(&name, &captured.value, captured.secret);
            }
            if captured.secret {
                self.secrets.extend(evidence::spellings(vec![captured.value]));
            }
        }
        Ok(())
    }

    /// Every request that was made, where somebody asked.
    pub(super) fn trail(mut self) -> Vec<Exchange> {
        // A value may turn out to be a secret after it was shown.
        self.trail.iter_mut().for_each(|exchange| exchange.redact(&self.secrets));
        self.trail
    }

    /// Says that it was the journey's time that ran out, if it did.
    fn explain_cut(&self, mut attempt: Attempt) -> Attempt {
        let cut = attempt.record.ended_in.is_some()
            && attempt.fault.as_ref().is_some_and(|f| f.class == FailClass::Timeout);
        if cut && self.limit.over() {
            let during = attempt.record.ended_in();
            let summary = format!("{} was cut after {}, here in {during}", self.whose, self.limit.words());
            attempt.fault = Some(Fault::new(FailClass::Timeout, summary));
        }
        attempt
    }
}
