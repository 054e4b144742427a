//! What the probe counts about itself, through the OpenTelemetry API.
//!
//! Names have no unit and no `_total`: the Prometheus exporter appends them. Every instrument carries the region,
//! so that several probes of one process stay apart.

use crate::spool::Gauges;
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram},
};
use std::{
    slice,
    sync::{Arc, atomic::Ordering},
};
use wire::{
    Micros, RegionId,
    sample::{Outcome, Sample, Trigger},
};

/// The instruments of one probe. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    region: KeyValue,
    runs: Counter<u64>,
    duration: Histogram<f64>,
    delay: Histogram<f64>,
    omitted: Counter<u64>,
    offset: Gauge<f64>,
}

impl Metrics {
    /// The instruments; telemetry must be set up before, or nothing is counted.
    pub fn new(region: &RegionId, spool: Arc<Gauges>) -> Self {
        let meter = global::meter("probe");
        let region = KeyValue::new("region", region.to_string());
        let (at, gauges) = (region.clone(), spool.clone());
        meter
            .u64_observable_gauge("sextant_probe_spool")
            .with_unit("By")
            .with_description("Disk that the spool takes")
            .with_callback(move |seen| {
                seen.observe(gauges.bytes.load(Ordering::Relaxed), slice::from_ref(&at))
            })
            .build();
        let at = region.clone();
        meter
            .u64_observable_counter("sextant_probe_samples_lost")
            .with_description("Samples that were lost before the collector had them")
            .with_callback(move |seen| seen.observe(spool.lost.load(Ordering::Relaxed), slice::from_ref(&at)))
            .build();
        Self {
            region,
            runs: meter
                .u64_counter("sextant_probe_runs")
                .with_description(
                    "Runs by check, target and outcome (ok, missed, unsupported or a failure class)",
                )
                .build(),
            duration: meter
                .f64_histogram("sextant_probe_duration")
                .with_unit("s")
                .with_description("Time that runs took")
                .with_boundaries(vec![
                    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
                ])
                .build(),
            delay: meter
                .f64_histogram("sextant_probe_schedule_delay")
                .with_unit("s")
                .with_description("How late scheduled runs started; the probe is overloaded when this grows")
                .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0])
                .build(),
            omitted: meter
                .u64_counter("sextant_probe_slots_omitted")
                .with_description("Slots of long gaps for which no missed sample was made")
                .build(),
            offset: meter
                .f64_gauge("sextant_probe_clock_offset")
                .with_unit("s")
                .with_description("This probe's clock minus the collector's, the path's delay included")
                .build(),
        }
    }

    /// Counts one finished or missed run.
    pub fn run(&self, sample: &Sample) {
        let target = KeyValue::new("target", sample.target.to_string());
        let check = KeyValue::new("check", sample.check.to_string());
        let outcome = KeyValue::new("outcome", outcome_word(sample.outcome));
        self.runs.add(1, &[self.region.clone(), check.clone(), target.clone(), outcome]);
        if sample.outcome == Outcome::Missed {
            return;
        }
        self.duration.record(f64::from(sample.total_us) / 1e6, &[self.region.clone(), check, target]);
        if sample.trigger == Trigger::Schedule {
            self.delay.record(seconds(sample.schedule_delay_us()), slice::from_ref(&self.region));
        }
    }

    /// Counts slots of a long gap.
    pub fn omitted(&self, slots: u64) {
        self.omitted.add(slots, slice::from_ref(&self.region));
    }

    /// Notes both clocks at a heartbeat.
    pub fn clocks(&self, ours: Micros, collectors: Micros) {
        self.offset.record(seconds(ours.since(collectors)), slice::from_ref(&self.region));
    }
}

/// The outcome as one word.
pub fn outcome_word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".into(),
        Outcome::Fail(class) => class.to_string(),
        Outcome::Missed => "missed".into(),
        Outcome::Unsupported => "unsupported".into(),
    }
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}
