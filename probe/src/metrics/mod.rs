//! What the probe counts about itself, through the OpenTelemetry API.
//!
//! Names have no unit and no `_total`: the Prometheus exporter appends them. Every instrument carries the region,
//! so that several probes of one process stay apart. What grows with the number of checks is not counted by
//! instruments but kept in [`table`] and written by [`text`].

mod mesh;
mod table;
mod text;

use self::table::Table;
use crate::{link::Sent, spool::Gauges};
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram},
};
use runtime::lock::lock;
use std::{
    collections::BTreeSet,
    slice,
    sync::{Arc, Mutex, atomic::Ordering},
};
use wire::{
    Micros, ProbeId, RegionId,
    assignment::Assignment,
    mesh::MeshWindow,
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
    sent: Counter<u64>,
    at: RegionId,
    series: Table,
    mesh: Arc<Mutex<mesh::Windows>>,
}

impl Metrics {
    /// The instruments; telemetry must be set up before, or nothing is counted.
    pub fn new(place: &RegionId, spool: Arc<Gauges>) -> Self {
        let meter = global::meter("probe");
        let region = KeyValue::new("region", place.to_string());
        let (at, gauges) = (region.clone(), spool.clone());
        meter
            .u64_observable_gauge("sextant_probe_spool")
            .with_unit("By")
            .with_description("Disk that the spool takes")
            .with_callback(move |seen| {
                seen.observe(gauges.bytes.load(Ordering::Relaxed), slice::from_ref(&at))
            })
            .build();
        let (at, gauges) = (region.clone(), spool.clone());
        meter
            .u64_observable_gauge("sextant_probe_samples_in_memory")
            .with_description("Samples that the disk refuses: they would be lost with this process")
            .with_callback(move |seen| {
                seen.observe(gauges.held.load(Ordering::Relaxed), slice::from_ref(&at))
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
            at: place.clone(),
            series: Table::default(),
            mesh: Arc::default(),
            sent: meter
                .u64_counter("sextant_probe_uplink")
                .with_unit("By")
                .with_description("Size of the batches that the collector took, as sent and before packing")
                .build(),
            runs: meter
                .u64_counter("sextant_probe_runs")
                .with_description("Runs by outcome (ok, missed, unsupported or a failure class)")
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

    /// Watches how many runs are under way, of `most`.
    pub fn watch_runs(&self, under_way: impl Fn() -> usize + Send + Sync + 'static, most: usize) {
        let meter = global::meter("probe");
        let region = self.region.clone();
        meter
            .u64_observable_gauge("sextant_probe_runs_under_way")
            .with_description("Runs that have begun and not ended")
            .with_callback(move |seen| seen.observe(under_way() as u64, slice::from_ref(&region)))
            .build();
        let gauge = meter
            .u64_gauge("sextant_probe_runs_most")
            .with_description("The most runs at one time; what exceeds it is missed")
            .build();
        gauge.record(most as u64, slice::from_ref(&self.region));
    }

    /// Follows an assignment.
    pub fn assigned(&self, assignment: &Assignment) {
        self.series.assign(assignment);
    }

    /// Counts one finished or missed run.
    pub fn run(&self, sample: &Sample) {
        self.series.take(sample);
        let outcome = KeyValue::new("outcome", outcome_word(sample.outcome));
        self.runs.add(1, &[self.region.clone(), outcome]);
        if sample.outcome == Outcome::Missed {
            return;
        }
        let target = KeyValue::new("target", sample.target.to_string());
        self.duration.record(f64::from(sample.total_us) / 1e6, &[self.region.clone(), target]);
        if sample.trigger == Trigger::Schedule {
            self.delay.record(seconds(sample.schedule_delay_us()), slice::from_ref(&self.region));
        }
    }

    /// The figures of each series in the Prometheus text format. Takes a moment when there are thousands.
    pub fn series_text(&self) -> String {
        text::render(&self.series.rows(), &self.at) + &mesh::render(&lock(&self.mesh))
    }

    /// Forgets windows with probes that are no peers of the mesh any more.
    pub fn mesh_with(&self, peers: &BTreeSet<ProbeId>) {
        mesh::keep(&mut lock(&self.mesh), peers);
    }

    /// Takes a finished window of the mesh.
    pub fn mesh_window(&self, window: &MeshWindow) {
        lock(&self.mesh).insert((window.to.clone(), window.method), window.clone());
    }

    /// Counts a batch that the collector took.
    pub fn sent(&self, sent: Sent) {
        for (form, bytes) in [("sent", sent.bytes), ("plain", sent.plain_bytes)] {
            self.sent.add(bytes as u64, &[self.region.clone(), KeyValue::new("form", form)]);
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
