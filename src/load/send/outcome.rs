//! How a run went: for people, and as JSON.

use super::{Fared, plan::Plan, verify::Stored};
use crate::load::figures::{Percentiles, grouped};
use anyhow::bail;
use serde::Serialize;
use std::fmt;

/// The figures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub probes: usize,
    pub series: usize,
    /// Reports and samples that were due, and their mean size as JSON and packed, bytes a sample.
    pub reports: usize,
    pub samples: usize,
    pub json_bytes_per_sample: f64,
    pub packed_bytes_per_sample: f64,
    /// How long it took to make them, before the clock started, and how much memory they took.
    pub prepared_s: f64,
    pub prepared_mib: f64,
    /// From the start to the last answer.
    pub took_s: f64,
    pub acknowledged_reports: usize,
    pub acknowledged_samples: usize,
    pub batches: usize,
    /// Acknowledged samples by the time to the last answer.
    pub samples_per_s: f64,
    /// Of each report, from when it was due until it was acknowledged.
    pub latency: Percentiles,
    /// Answers 429 and 503.
    pub refused: usize,
    /// Requests without an answer, or with an error.
    pub failed: usize,
    /// Reports that were stored by a request whose answer was lost.
    pub duplicates: usize,
    /// Reports that were given up.
    pub lost: usize,
    pub trouble: Option<String>,
    pub collector_cpu_s: Option<f64>,
    pub collector_peak_rss_mib: Option<f64>,
    pub tool_cpu_s: f64,
    pub stored: Stored,
}

impl Outcome {
    /// Before it starts.
    pub fn of(plan: &Plan, series: usize) -> Outcome {
        let each = |bytes: usize| bytes as f64 / plan.samples.max(1) as f64;
        Outcome {
            probes: plan.queues.len(),
            series,
            reports: plan.reports,
            samples: plan.samples,
            json_bytes_per_sample: each(plan.plain_bytes),
            packed_bytes_per_sample: each(plan.packed_bytes),
            prepared_s: plan.took.as_secs_f64(),
            prepared_mib: plan.packed_bytes as f64 / f64::from(1 << 20),
            ..Outcome::default()
        }
    }

    /// Takes in how the probes fared.
    pub fn add(&mut self, told: &[Fared]) {
        let told = || told.iter().map(|(_, told)| told);
        self.acknowledged_reports = told().map(|told| told.reports).sum();
        self.acknowledged_samples = told().map(|told| told.samples).sum();
        self.batches = told().map(|told| told.batches).sum();
        self.refused = told().map(|told| told.refused).sum();
        self.failed = told().map(|told| told.failed).sum();
        self.duplicates = told().map(|told| told.duplicates).sum();
        self.lost = told().map(|told| told.lost).sum();
        self.trouble = told().find_map(|told| told.trouble.clone());
        self.latency = Percentiles::of(told().flat_map(|told| told.latencies.iter().copied()).collect());
        let last = told().map(|told| told.last).max().unwrap_or_default();
        self.samples_per_s = self.acknowledged_samples as f64 / last.as_secs_f64().max(f64::MIN_POSITIVE);
    }

    /// Whether everything was acknowledged and is there.
    ///
    /// # Errors
    /// When not.
    pub fn judge(&self) -> anyhow::Result<()> {
        let trouble = self.trouble.as_deref().unwrap_or("the collector was busy all the time");
        let Stored { counted, restarted, history, resent, known } = self.stored;
        if self.lost > 0 {
            bail!("{} reports were never acknowledged: {trouble}", self.lost);
        }
        if !restarted && counted != self.acknowledged_reports {
            let why = match counted > self.acknowledged_reports {
                true => "is anybody else sending?",
                false => "some are missing, or several collectors answer at this address",
            };
            bail!(
                "{} reports were acknowledged, and the collector counted {counted}: {why}",
                self.acknowledged_reports
            );
        }
        if let Some(runs) = history
            && runs != self.acknowledged_samples as u64
        {
            bail!(
                "{} samples were acknowledged, and the history grew by {runs} runs",
                self.acknowledged_samples
            );
        }
        if restarted && history.is_none() {
            bail!(
                "the collector was restarted during the run, so that its counter does not tell of all of it, and it has no \
                 history to ask: whether all {} acknowledged reports are stored is not known",
                self.acknowledged_reports
            );
        }
        if known != resent {
            bail!(
                "of {resent} acknowledged reports that were sent again the collector did not know {}",
                resent - known
            );
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: usize| grouped(number as u64);
        writeln!(
            f,
            "prepared before the clock started: {} reports, {} samples, {:.0} MiB packed ({:.0} B a sample, {:.0} as JSON), in {:.1} s",
            number(self.reports),
            number(self.samples),
            self.prepared_mib,
            self.packed_bytes_per_sample,
            self.json_bytes_per_sample,
            self.prepared_s
        )?;
        writeln!(
            f,
            "acknowledged: {} samples in {:.1} s, {} samples/s, {} batches",
            number(self.acknowledged_samples),
            self.took_s,
            grouped(self.samples_per_s.round() as u64),
            number(self.batches)
        )?;
        let Percentiles { p50_ms, p90_ms, p99_ms, max_ms, .. } = self.latency;
        writeln!(
            f,
            "latency from the time a report was due: p50 {p50_ms:.1} ms, p90 {p90_ms:.1} ms, p99 {p99_ms:.1} ms, max {max_ms:.1} ms"
        )?;
        writeln!(
            f,
            "refused (429, 503): {}; failed: {}; stored although the answer was lost: {}; given up: {}",
            self.refused, self.failed, self.duplicates, self.lost
        )?;
        let each = |cpu_s: f64| cpu_s * 1e6 / self.acknowledged_samples.max(1) as f64;
        if let (Some(cpu_s), Some(rss)) = (self.collector_cpu_s, self.collector_peak_rss_mib) {
            writeln!(
                f,
                "collector: {cpu_s:.1} s of processor time ({:.2} µs a sample), peak RSS {rss:.0} MiB",
                each(cpu_s)
            )?;
        }
        writeln!(
            f,
            "this program: {:.1} s of processor time ({:.2} µs a sample)",
            self.tool_cpu_s,
            each(self.tool_cpu_s)
        )?;
        let Stored { counted, restarted, history, resent, known } = self.stored;
        if restarted {
            writeln!(
                f,
                "the collector was restarted during the run: its counter began anew, and tells only of the reports since then; \
                 the history tells of all"
            )?;
        }
        writeln!(
            f,
            "stored: {} runs in the history; {} reports by the collector's counter, {} acknowledged; {} sent again, {} known",
            history.map_or_else(|| "(not told)".to_owned(), grouped),
            number(counted),
            number(self.acknowledged_reports),
            number(resent),
            number(known)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stored: Stored) -> Outcome {
        Outcome { acknowledged_reports: 30, acknowledged_samples: 300, stored, ..Outcome::default() }
    }

    #[test]
    fn after_a_restart_the_history_tells_and_the_counter_does_not() {
        let all = Stored { counted: 30, history: Some(300), ..Stored::default() };
        outcome(all).judge().expect("all is there");
        let restarted = |history| Stored { counted: 0, restarted: true, history, resent: 3, known: 3 };
        outcome(restarted(Some(300))).judge().expect("all is there");
        let text = outcome(restarted(Some(300))).to_string();
        assert!(text.contains("restarted during the run"), "{text}");
        let said = |stored| outcome(stored).judge().expect_err("not all is known to be there").to_string();
        let missing = said(restarted(Some(290)));
        assert!(missing.contains("300 samples") && missing.contains("290 runs"), "{missing}");
        let unknown = said(restarted(None));
        assert!(unknown.contains("was restarted") && unknown.contains("is not known"), "{unknown}");
        let unknown = said(Stored { known: 2, ..restarted(Some(300)) });
        assert!(unknown.contains("did not know 1"), "{unknown}");
    }

    #[test]
    fn a_counter_that_does_not_agree_is_told_of() {
        let said = |counted| {
            let stored = Stored { counted, history: Some(300), ..Stored::default() };
            outcome(stored).judge().expect_err("they differ").to_string()
        };
        assert!(said(31).contains("is anybody else sending?"));
        assert!(said(29).contains("some are missing"));
    }
}
