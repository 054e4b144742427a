//! What the collector counts of itself, in one place, through the OpenTelemetry API. Names are those that `/metrics`
//! shows, without its suffixes.

use crate::{
    decide::State,
    fold::Published,
    mandate::Mandate,
    store::{Health, Outcome},
};
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Meter},
};
use tokio::sync::watch;
use wire::{
    Micros, ProbeId, ReceiverId,
    view::{ProofState, VerdictState},
};

/// The collector's instruments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    reports: Counter<u64>,
    refused: Counter<u64>,
    samples: Counter<u64>,
    strangers: Counter<u64>,
    deliveries: Counter<u64>,
}

impl Metrics {
    /// Makes the instruments; those that are read from the state are read when somebody looks.
    pub fn new(published: watch::Receiver<Published>) -> Metrics {
        let meter = global::meter("collector");
        observe_verdicts(&meter, published.clone());
        observe_plans(&meter, published);
        Metrics {
            reports: meter
                .u64_counter("sextant_ingest_reports")
                .with_description("Reports taken, by probe and whether they were new")
                .build(),
            refused: meter
                .u64_counter("sextant_ingest_refused_batches")
                .with_description("Batches not taken, by probe and status")
                .build(),
            samples: meter
                .u64_counter("sextant_ingest_samples")
                .with_description("Samples taken, duplicates included")
                .build(),
            strangers: meter
                .u64_counter("sextant_ingest_left_out_samples")
                .with_description("Samples left out because their check was never assigned to the probe")
                .build(),
            deliveries: meter
                .u64_counter("sextant_webhook_deliveries")
                .with_description("Attempts to tell a receiver, by result")
                .build(),
        }
    }

    /// Shows whether the store works, whenever somebody looks.
    pub fn watch_storage(&self, health: watch::Receiver<Health>) {
        global::meter("collector")
            .u64_observable_gauge("sextant_storage_degraded")
            .with_description(
                "1 while the database cannot be written (what=\"writes\") or read, or is damaged; else 0",
            )
            .with_callback(move |gauge| {
                let health = health.borrow();
                let writes = health.degraded().is_some_and(|degraded| !degraded.writes);
                let other = health.degraded().is_some_and(|degraded| degraded.writes);
                gauge.observe(u64::from(writes), &[KeyValue::new("what", "writes")]);
                gauge.observe(u64::from(other), &[KeyValue::new("what", "reads")]);
            })
            .build();
    }

    /// Shows since when this process counts: a counter that begins anew is not one that lost something.
    pub fn observe_start(at: Micros) {
        global::meter("collector")
            .f64_observable_gauge("process_start_time_seconds")
            .with_description("When this collector started, by its clock; its counters count from then on")
            .with_callback(move |gauge| gauge.observe(at.0 as f64 / 1e6, &[]))
            .build();
    }

    /// Shows whether this collector decides.
    pub fn observe_role(mandate: Mandate) {
        global::meter("collector")
            .u64_observable_gauge("sextant_decider")
            .with_description("1 while this collector holds the lease and decides, 0 while it follows")
            .with_callback(move |gauge| gauge.observe(u64::from(mandate.term().is_some()), &[]))
            .build();
    }

    /// Counts a batch that was not taken, by the status that its sender got.
    pub fn refused(&self, probe: &ProbeId, status: u16) {
        let labels = [KeyValue::new("probe", probe.to_string()), KeyValue::new("status", i64::from(status))];
        self.refused.add(1, &labels);
    }

    /// Counts a batch: its reports that were stored or were there already, and its samples that were taken and left out.
    pub fn ingested(
        &self,
        probe: &ProbeId,
        stored: usize,
        duplicates: usize,
        (samples, left_out): (usize, usize),
    ) {
        let with = |result| [KeyValue::new("probe", probe.to_string()), KeyValue::new("result", result)];
        self.reports.add(stored as u64, &with("stored"));
        self.reports.add(duplicates as u64, &with("duplicate"));
        let of = [KeyValue::new("probe", probe.to_string())];
        self.samples.add(samples as u64, &of);
        if left_out > 0 {
            self.strangers.add(left_out as u64, &of);
        }
    }

    /// Counts an attempt.
    pub fn delivered(&self, receiver: &ReceiverId, outcome: &Outcome) {
        let result = match outcome {
            Outcome::Acknowledged => "acknowledged",
            Outcome::Refused(_) => "refused",
            Outcome::Retry { .. } => "failed",
        };
        self.deliveries
            .add(1, &[KeyValue::new("receiver", receiver.to_string()), KeyValue::new("result", result)]);
    }
}

fn observe_verdicts(meter: &Meter, published: watch::Receiver<Published>) {
    meter
        .u64_observable_gauge("sextant_verdict")
        .with_description("1 for the verdict in force of a service in a region, 0 for the other states")
        .with_callback(move |gauge| {
            let state = std::sync::Arc::clone(&published.borrow().state);
            for (service, region, verdict) in verdicts(&state) {
                for known in
                    [VerdictState::Healthy, VerdictState::Unknown, VerdictState::Degraded, VerdictState::Down]
                {
                    let labels = [
                        KeyValue::new("service", service.clone()),
                        KeyValue::new("region", region.clone()),
                        KeyValue::new("state", known.to_string()),
                    ];
                    gauge.observe(u64::from(known == verdict), &labels);
                }
            }
        })
        .build();
}

fn verdicts(state: &State) -> impl Iterator<Item = (String, String, VerdictState)> {
    state.services.iter().flat_map(|(service, s)| {
        s.regions.iter().map(move |(region, r)| (service.to_string(), region.to_string(), r.verdict.state))
    })
}

fn observe_plans(meter: &Meter, published: watch::Receiver<Published>) {
    let weights = published.clone();
    meter
        .u64_observable_gauge("sextant_plan_weight")
        .with_description("Weight of a region in the plan in force, 0 to 100")
        .with_callback(move |gauge| {
            let state = std::sync::Arc::clone(&weights.borrow().state);
            for (service, plan) in state.services.iter().filter_map(|(id, s)| Some((id, s.plan.as_ref()?))) {
                for (region, weight) in &plan.plan.weights {
                    let labels = [
                        KeyValue::new("service", service.to_string()),
                        KeyValue::new("region", region.to_string()),
                    ];
                    gauge.observe(u64::from(*weight), &labels);
                }
            }
        })
        .build();
    meter
        .i64_observable_gauge("sextant_plan_generation")
        .with_description("Generation of the plan in force, and whether traffic was measured to follow it")
        .with_callback(move |gauge| {
            let state = std::sync::Arc::clone(&published.borrow().state);
            for (service, plan) in state.services.iter().filter_map(|(id, s)| Some((id, s.plan.as_ref()?))) {
                let verified = plan.proof.state == ProofState::Verified;
                let labels = [
                    KeyValue::new("service", service.to_string()),
                    KeyValue::new("verified", verified.to_string()),
                ];
                gauge.observe(plan.plan.generation, &labels);
            }
        })
        .build();
}
