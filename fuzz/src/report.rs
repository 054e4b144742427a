//! A batch of reports, as the collector takes it from a probe.

use crate::json;
use wire::report::Batch;

/// How much larger a batch may become by reading and writing it: absent fields are written with their names, and
/// nothing else grows.
const GROWTH: usize = 8;

/// Reads a batch.
pub fn run(data: &[u8]) {
    let Some(batch) = json::round_trip::<Batch>(data) else { return };
    let written = json::same_again(&batch);
    assert!(written.len() <= GROWTH * data.len(), "{} bytes became {}", data.len(), written.len());
    for sample in batch.reports.iter().flat_map(|report| &report.samples) {
        assert!(sample.schedule_delay_us() >= 0);
        assert!(sample.phases.sum() >= sample.phases.named().map(|(_, us)| us).max().unwrap_or(0));
        let _never_panics = (sample.started.to_string(), sample.target.to_string());
    }
}
