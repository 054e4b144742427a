//! What the self check says in metrics.

use super::judge::State;
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge},
};
use wire::RegionId;

/// The instruments of one probe's self check.
pub struct Gauges {
    region: KeyValue,
    blind: Gauge<u64>,
    saturated: Gauge<u64>,
    late: Gauge<f64>,
    busy: Gauge<f64>,
    steps: Counter<u64>,
    control: Gauge<u64>,
}

impl Gauges {
    pub fn new(region: &RegionId) -> Gauges {
        let meter = global::meter("probe");
        let flag = |name, what| meter.u64_gauge(name).with_description(what).build();
        Gauges {
            region: KeyValue::new("region", region.to_string()),
            blind: flag("sextant_probe_blind", "1 while none of the control targets answers"),
            saturated: flag("sextant_probe_cpu_saturated", "1 while the processors are too busy to measure"),
            late: meter
                .f64_gauge("sextant_probe_wakeup_delay")
                .with_unit("s")
                .with_description("How late this process is woken in one case of a hundred, last 5 s")
                .build(),
            busy: meter
                .f64_gauge("sextant_probe_cpu_busy_ratio")
                .with_description("Share of time that the machine's processors were busy, last 5 s")
                .build(),
            steps: meter
                .u64_counter("sextant_probe_clock_steps")
                .with_description("How often the wall clock was set")
                .build(),
            control: flag(
                "sextant_probe_control_up",
                "1 when the control target accepted the last connection",
            ),
        }
    }

    pub fn state(&self, state: &State, busy: Option<f64>) {
        let at = std::slice::from_ref(&self.region);
        self.blind.record(state.blind.is_some().into(), at);
        self.saturated.record(state.saturated.is_some().into(), at);
        self.late.record(f64::from(state.late_us) / 1e6, at);
        if let Some(busy) = busy {
            self.busy.record(busy, at);
        }
    }

    pub fn step(&self) {
        self.steps.add(1, std::slice::from_ref(&self.region));
    }

    pub fn control(&self, name: &str, answered: bool) {
        let control = KeyValue::new("control", name.to_owned());
        self.control.record(answered.into(), &[self.region.clone(), control]);
    }
}
