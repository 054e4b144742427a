//! From a body to entries of the log: each report is read once, and kept as it came.

use super::{Clocks, auth::Caller};
use crate::{
    api::Rejected,
    assigned::Assigned,
    config::Config,
    residency::Residency,
    store::{Entry, MOST_REPORT},
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use wire::{
    Micros,
    report::{MAX_REPORTS, MAX_SAMPLES, MAX_WINDOWS, Report},
    sample::Sample,
};

/// A batch whose reports are not read yet.
#[derive(Deserialize)]
struct Batch<'a> {
    sent: Micros,
    #[serde(borrow)]
    reports: Vec<&'a RawValue>,
    #[serde(default)]
    lost: u64,
}

/// Why a batch was not read.
#[derive(Debug)]
pub enum Refusal {
    /// It has a check that was never assigned to its sender, as far as is known here: look for newer documents.
    Strangers,
    Other(Rejected),
}

/// What is done with samples of checks that were never assigned to their sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strangers {
    /// The batch is not read: what is known here may be old.
    Ask,
    /// They are left out. One of them does not cost the samples beside it, which nobody would send again.
    LeaveOut,
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        Refusal::Other(rejected)
    }
}

/// What a batch held.
#[derive(Debug)]
pub struct Batched {
    pub entries: Vec<Entry>,
    /// Samples that are in them.
    pub samples: usize,
    /// Samples that were left out.
    pub strangers: usize,
}

/// What reading needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub config: &'a Config,
    pub assigned: &'a Assigned,
    pub strangers: Strangers,
    pub residency: &'a Residency,
    pub clocks: &'a Clocks,
    pub caller: &'a Caller,
    pub received: Micros,
}

impl Desk<'_> {
    /// Reads a body.
    ///
    /// # Errors
    /// A problem document when it is malformed, too large in some respect, or not the caller's to send.
    pub fn read(&self, body: &[u8]) -> Result<Batched, Refusal> {
        // Checked once for the whole body; the parser would do it for each of its texts.
        let body = str::from_utf8(body).map_err(|_| {
            Rejected::new(400, "malformed", "The body is not a batch of reports", "it is not UTF-8 text")
        })?;
        let Batch { sent, reports, lost } = serde_json::from_str(body).map_err(malformed)?;
        if reports.len() > MAX_REPORTS {
            return Err(
                refused(format!("{} reports in a batch; send at most {MAX_REPORTS}", reports.len())).into()
            );
        }
        let clock_us = self.clocks.correction(&self.caller.probe, self.received, sent);
        let mut batched = Batched { entries: Vec::with_capacity(reports.len()), samples: 0, strangers: 0 };
        for raw in reports {
            let mut report: Report = serde_json::from_str(raw.get()).map_err(malformed)?;
            self.check(&report)?;
            // First: evidence is sealed for the place of its sample in the report as it is stored.
            let strangers = self.leave_out_samples(&mut report)?;
            batched.strangers += strangers;
            batched.samples += report.samples.len();
            // Before anything is stored or folded: from here on nobody sees what a region's policy withholds.
            let changed = self.residency.apply(&mut report) | self.leave_out_windows(&mut report);
            let changed = changed || strangers > 0 || self.residency.withholds();
            let rewritten = changed.then(|| to_raw_value(&report));
            let rewritten = rewritten.transpose().map_err(malformed)?;
            let raw = rewritten.as_deref().unwrap_or(raw);
            // A report grows when it is written anew, by what the sender left out because it is usual.
            if raw.get().len() > MOST_REPORT {
                let detail =
                    format!("{} has more than {MOST_REPORT} bytes; send fewer samples", report.sequence);
                return Err(refused(detail).into());
            }
            batched.entries.push(Entry::report(self.received, clock_us, (sent, lost), report, raw));
        }
        Ok(batched)
    }

    /// A probe speaks for itself only, within bounds.
    fn check(&self, report: &Report) -> Result<(), Refusal> {
        let caller = self.caller;
        if report.probe != caller.probe {
            let detail = format!("the token is {}'s and the report is {}'s", caller.probe, report.probe);
            return Err(
                Rejected::new(403, "not-your-report", "A probe can report for itself only", detail).into()
            );
        }
        if report.samples.len() > MAX_SAMPLES {
            let count = report.samples.len();
            return Err(refused(format!("{count} samples in a report; send at most {MAX_SAMPLES}")).into());
        }
        if report.mesh.len() > MAX_WINDOWS {
            let count = report.mesh.len();
            let detail = format!("{count} windows of the mesh in a report; send at most {MAX_WINDOWS}");
            return Err(refused(detail).into());
        }
        if let Some(window) = report.mesh.iter().find(|window| window.from != caller.probe) {
            let from = &window.from;
            return Err(
                refused(format!("a window says that {from} sent it; a probe reports what it sent")).into()
            );
        }
        Ok(())
    }

    /// A probe reports what it was told to take, and nothing else of it is stored. Says how many samples were left out;
    /// a report of which nothing would remain is refused, so that its sender hears of it.
    fn leave_out_samples(&self, report: &mut Report) -> Result<usize, Refusal> {
        let probe = &self.caller.probe;
        let known = |sample: &Sample| self.assigned.find(probe, &sample.check, &sample.target).is_some();
        let Some(stranger) = report.samples.iter().find(|sample| !known(sample)) else { return Ok(0) };
        if self.strangers == Strangers::Ask {
            return Err(Refusal::Strangers);
        }
        let (check, target) = (&stranger.check, &stranger.target);
        if !report.samples.iter().any(known) {
            return Err(refused(format!(
                "check {check} on {target} was never assigned to {probe}: neither the configuration in force nor an \
                 earlier one has it there"
            ))
            .into());
        }
        let sequence = report.sequence;
        tracing::warn!(%probe, sequence, %check, %target, "samples of a check that was never assigned are left out");
        let before = report.samples.len();
        report.samples.retain(known);
        Ok(before - report.samples.len())
    }

    /// Windows with probes that are configured no more may still come from a spool; nobody could make anything of
    /// them. Says whether there were any.
    fn leave_out_windows(&self, report: &mut Report) -> bool {
        let before = report.mesh.len();
        report.mesh.retain(|window| {
            let peer = self.config.probes.get(&window.to);
            window.to != window.from
                && window.from_region == self.caller.region
                && peer.is_some_and(|peer| peer.region == window.to_region)
        });
        report.mesh.len() != before
    }
}

fn malformed(error: serde_json::Error) -> Rejected {
    Rejected::new(400, "malformed", "The body is not a batch of reports", error.to_string())
}

fn refused(detail: String) -> Rejected {
    Rejected::new(422, "report-refused", "The reports were refused", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        decide::Event,
        store::conformance::{Engine, stories::append},
    };
    use runtime::random::Random;
    use serde_json::{Value, json};
    use std::sync::Arc;

    const DOCUMENT: &str = "\
version: 1
regions: { north: {} }
probes: { p1: { region: north, token: { env: T } } }
services: { shop: { regions: { north: http://n.test } } }
checks: { health: { service: shop, http: { path: / } } }
";
    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn sample(check: &str, total_us: u32) -> Value {
        json!({ "check": check, "target": "north", "scheduled": NOW, "started": NOW, "total_us": total_us, "outcome": "ok",
            "address": null, "status": 200, "served_by": null, "bytes": null, "trace_id": null, "evidence": null })
    }

    fn read(strangers: Strangers, samples: &[Value]) -> Result<Batched, Refusal> {
        let config = Arc::new(config::parse(DOCUMENT, "the test").expect("valid"));
        let residency = Residency::read(&config, Random::seeded(1)).expect("no keys");
        let desk = Desk {
            config: &config,
            assigned: &Assigned::new(&config),
            strangers,
            residency: &residency,
            clocks: &Clocks::default(),
            caller: &Caller { probe: "p1".parse().expect("an id"), region: "north".parse().expect("an id") },
            received: NOW,
        };
        let report = json!({ "probe": "p1", "sequence": 7, "samples": samples });
        desk.read(json!({ "sent": NOW, "reports": [report] }).to_string().as_bytes())
    }

    #[tokio::test]
    async fn a_strangers_sample_does_not_cost_those_beside_it() {
        let samples = [sample("health", 1), sample("secret", 2), sample("health", 3)];
        assert!(matches!(read(Strangers::Ask, &samples), Err(Refusal::Strangers)));

        let batched = read(Strangers::LeaveOut, &samples).expect("read");
        assert_eq!((batched.entries.len(), batched.samples, batched.strangers), (1, 2, 1));
        let engine = Engine::sqlite();
        let store = engine.open().await;
        assert_eq!(append(&store, &batched.entries).await, [true]);
        assert_eq!(append(&store, &batched.entries).await, [false], "its number was taken");
        let log = store.log_after(0, 10).await.expect("read");
        let Event::Report { report, .. } = &*log[0].event else { panic!("a report") };
        let kept: Vec<_> = report.samples.iter().map(|s| (s.check.as_str(), s.total_us)).collect();
        assert_eq!(kept, [("health", 1), ("health", 3)]);
        store.close().await;

        let none = read(Strangers::LeaveOut, &samples[1..2]).expect_err("nothing would remain");
        assert!(matches!(none, Refusal::Other(rejected) if rejected.status() == 422));
        let own = read(Strangers::Ask, &samples[..1]).expect("read");
        assert_eq!((own.samples, own.strangers), (1, 0));
    }
}
