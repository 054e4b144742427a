//! What `/metrics` shows of the history.

use super::{Arrivals, History};
use opentelemetry::{KeyValue, global};

/// One number of how samples arrived.
type Count = fn(&Arrivals) -> u64;

/// Lets the metrics read the history when somebody looks.
pub fn observe(history: &History) {
    let meter = global::meter("collector");
    let of = history.clone();
    meter
        .u64_observable_gauge("sextant_history_head_rows")
        .with_description("Runs in memory that are not sealed yet")
        .with_callback(move |gauge| gauge.observe(of.heads().rows() as u64, &[]))
        .build();
    let of = history.clone();
    meter
        .u64_observable_gauge("sextant_history_head_bytes")
        .with_description("Memory of the runs that are not sealed yet")
        .with_callback(move |gauge| gauge.observe(of.heads().memory().1 as u64, &[]))
        .build();
    let of = history.clone();
    meter
        .u64_observable_gauge("sextant_history_behind_samples")
        .with_description(
            "Samples in the log since the shard that is sealed the least far: a restart reads them again",
        )
        .with_callback(move |gauge| {
            gauge.observe(of.heads().shards().map(|held| held.behind).max().unwrap_or_default(), &[]);
        })
        .build();
    let of = history.clone();
    meter
        .u64_observable_gauge("sextant_history_head_series")
        .with_description("Series seen since the start")
        .with_callback(move |gauge| gauge.observe(of.heads().memory().0 as u64, &[]))
        .build();
    let of = history.clone();
    let kinds: [(&str, Count); 5] = [
        ("taken", |counts| counts.taken),
        ("late", |counts| counts.late),
        ("ahead", |counts| counts.ahead),
        ("too_old", |counts| counts.too_old),
        ("unconfigured", |counts| counts.unconfigured),
    ];
    meter
        .u64_observable_counter("sextant_history_samples")
        .with_description("Samples that came for the history, by probe and what was unusual about them")
        .with_callback(move |counter| {
            for (probe, counts) in of.heads().arrivals() {
                for (kind, count) in kinds {
                    let labels = [KeyValue::new("probe", probe.to_string()), KeyValue::new("kind", kind)];
                    counter.observe(count(&counts), &labels);
                }
            }
        })
        .build();
}
