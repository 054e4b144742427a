//! Makes a sample of each due slot. The loop is open: every run is a task of its own, so a slow target never delays
//! the next run; what exceeds the [`Capacity`] is told as missed.

use crate::{
    capacity::Capacity,
    check::{self, Measured, Run, Trace},
    metrics::{Metrics, outcome_word},
    net::{Net, Trouble},
    residency,
    schedule::{Due, Series},
    selfcheck::Condition,
    spool::SharedSpool,
};
use futures_util::FutureExt;
use runtime::{clock::SharedClock, random::Random};
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, error, field::Empty, info_span};
use wire::{
    Micros, ProbeId,
    residency::Content,
    sample::{Connection, Evidence, FailClass, Flag, Outcome, Phases, Sample},
};

/// A wall clock that moved this much more or less than the monotonic clock during a run was stepped, microseconds.
const STEP_US: u64 = 50_000;

/// A sample and the probe that took it (a report names its probe).
#[derive(Debug)]
pub struct Taken {
    pub probe: ProbeId,
    pub sample: Sample,
    /// What must not travel with it, and is to be kept here.
    pub withheld: Option<Content>,
}

/// What runs need.
pub struct Runner {
    shared: Arc<Shared>,
    capacity: Capacity,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    abandon: CancellationToken,
}

/// What every run uses.
pub struct Shared {
    pub net: Net,
    pub clock: SharedClock,
    pub random: Random,
    pub metrics: Metrics,
    /// Where samples go.
    pub out: mpsc::Sender<Taken>,
    /// Counts samples that did not fit into `out` when nobody may wait.
    pub spool: SharedSpool,
    pub condition: Condition,
}

impl Runner {
    /// A runner without runs.
    pub fn new(shared: Shared, capacity: Capacity) -> Self {
        let permits = Arc::new(Semaphore::new(capacity.runs));
        let (free, most) = (permits.clone(), capacity.runs);
        shared.metrics.watch_runs(move || most.saturating_sub(free.available_permits()), most);
        Self {
            shared: Arc::new(shared),
            capacity,
            permits,
            tasks: TaskTracker::new(),
            abandon: CancellationToken::new(),
        }
    }

    /// Starts a run and does not wait for it.
    pub fn start(&self, due: Due) {
        let shared = self.shared.clone();
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            let mut taken = missed(due);
            let Capacity { runs, set_by } = self.capacity;
            taken.sample.evidence = Some(own_evidence(format!(
                "{runs} runs are under way, the most that {set_by} allows: this one was left out"
            )));
            shared.metrics.run(&taken.sample);
            if shared.out.try_send(taken).is_err() {
                shared.spool.note_lost(1);
            }
            return;
        };
        let abandon = self.abandon.clone();
        self.tasks.spawn(async move {
            let taken = tokio::select! {
                taken = shared.run(&due) => taken,
                () = abandon.cancelled() => missed(due),
            };
            shared.hand_on(taken).await;
            drop(permit);
        });
    }

    /// Tells slots that were not run.
    pub fn missed(&self, slots: Vec<Due>) {
        if slots.is_empty() {
            return;
        }
        let shared = self.shared.clone();
        self.tasks.spawn(async move {
            for due in slots {
                shared.hand_on(missed(due)).await;
            }
        });
    }

    /// Waits for the runs under way, each for its timeout and none longer than `grace`; what is left then is told
    /// as missed, because a run that was cut short says nothing about its target.
    pub async fn finish(&self, grace: Duration) {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.abandon.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Shared {
    async fn run(&self, due: &Due) -> Taken {
        let (series, scheduled) = (&due.series, due.scheduled);
        let span = span(series);
        // Where spans are exported, the request carries this span's own id, so that a trace that begins here goes
        // on in the service. Elsewhere it carries a random one: a failing sample can still be found in their logs.
        let (trace_id, span_id) =
            runtime::trace::identity(&span).unwrap_or_else(|| (self.random.bytes(), self.random.bytes()));
        let trace = Trace { trace_id, span_id };
        let begin = self.condition.snapshot();
        let started = self.clock.now();
        let monotonic = Instant::now();
        let context = Run { trace, started, explain: false };
        let run = check::run(&series.check, &series.endpoint, &self.net, &context).instrument(span.clone());
        // A panic is a mistake of ours; it must cost one sample and not the series.
        let measured = AssertUnwindSafe(run).catch_unwind().await;
        let passed = wire::instant::us(monotonic.elapsed());
        let stepped = self.clock.now().since(started).abs_diff(passed) > STEP_US;
        let Ok(measured) = measured else {
            error!(check = %series.check.id, target = %series.endpoint.target, "a check panicked: please report it");
            let mut taken = missed(due.clone());
            let summary = "the probe itself failed while it ran this check; its log says more";
            taken.sample.evidence = Some(own_evidence(summary.into()));
            return taken;
        };
        span.record("outcome", outcome_word(measured.outcome));
        if let Outcome::Fail(class) = measured.outcome {
            span.record("error.type", class.to_string());
            span.record("otel.status_code", "ERROR");
        }
        let timeout_us = series.check.timeout_us;
        let mut flags = self.condition.flags(begin, measured.outcome, measured.slow, timeout_us);
        if started.since(scheduled) > late_us(series) {
            flags.push(Flag::LateStart);
        }
        if stepped {
            flags.push(Flag::ClockStepped);
        }
        if measured.outcome == Outcome::Fail(FailClass::Dns) && measured.resolver == Trouble::Failed {
            flags.push(Flag::ResolverFailing);
        }
        let mut sample = sample(due, started, flags, measured);
        let withheld = residency::withhold(series, &mut sample);
        Taken { probe: series.probe.clone(), sample, withheld }
    }

    async fn hand_on(&self, taken: Taken) {
        self.metrics.run(&taken.sample);
        if self.out.send(taken).await.is_err() {
            self.spool.note_lost(1);
        }
    }
}

/// The span of a run, where spans are exported; else none, because making one costs as much as a check's logic.
fn span(series: &Series) -> Span {
    if !runtime::trace::exported() {
        return Span::none();
    }
    info_span!(
        "check.run",
        check = %series.check.id,
        target = %series.endpoint.target,
        outcome = Empty,
        otel.kind = "internal",
        otel.status_code = Empty,
        error.type = Empty,
        user_agent.synthetic.type = "test",
    )
}

/// How late a run may start, microseconds: a tenth of the interval, but at least 100 ms (what a busy machine does
/// now and then) and at most 1 s (a probe that is later than this is overloaded, whatever the interval).
fn late_us(series: &Series) -> i64 {
    (i64::from(series.check.interval_us) / 10).clamp(100_000, 1_000_000)
}

fn sample(due: &Due, started: Micros, flags: Vec<Flag>, measured: Measured) -> Sample {
    Sample {
        check: due.series.check.id.clone(),
        target: due.series.endpoint.target.clone(),
        scheduled: due.scheduled,
        started,
        total_us: measured.total_us,
        outcome: measured.outcome,
        slow: measured.slow,
        phases: measured.phases,
        trigger: due.trigger,
        address: measured.address,
        status: measured.status,
        served_by: measured.served_by,
        bytes: measured.bytes,
        certificate_expires: measured.certificate_expires,
        attempt: due.attempt,
        connection: measured.connection,
        hops: measured.hops,
        addresses: measured.addresses,
        flags,
        trace_id: measured.trace_id,
        evidence: measured.evidence,
        steps: measured.steps,
    }
}

/// What the probe says of itself in a sample.
fn own_evidence(summary: String) -> Evidence {
    Evidence { summary, step: None, excerpt: None, withheld: None }
}

/// The sample of a slot that was not run: it never started, so `started` is the slot itself.
fn missed(due: Due) -> Taken {
    let nothing = Measured {
        total_us: 0,
        outcome: Outcome::Missed,
        slow: false,
        phases: Phases::default(),
        address: None,
        status: None,
        served_by: None,
        bytes: None,
        certificate_expires: None,
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        resolver: Trouble::None,
        evidence: None,
        steps: Vec::new(),
        trace_id: None,
        trail: Vec::new(),
    };
    let sample = sample(&due, due.scheduled, Vec::new(), nothing);
    Taken { probe: due.series.probe.clone(), sample, withheld: None }
}

#[cfg(test)]
mod tests;
