//! From a body to entries of the log: each report is read once, and kept as it came.

use super::{Clocks, Refused, assigned::Assigned, auth::Caller};
use crate::{
    api::Rejected,
    config::Config,
    residency::Residency,
    store::{Entry, MOST_REPORT},
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use wire::{
    Micros,
    report::{MAX_REPORTS, MAX_SAMPLES, MAX_WINDOWS, Report},
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
    /// It has a check that was never assigned to its sender, as far as is known here.
    Stranger(Rejected),
    Other(Rejected),
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Rejected {
        let (Refusal::Stranger(rejected) | Refusal::Other(rejected)) = refusal;
        rejected
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        Refusal::Other(rejected)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        Refusal::Other(refused.into())
    }
}

/// What a batch held.
#[derive(Debug)]
pub struct Batched {
    pub entries: Vec<Entry>,
    pub samples: usize,
}

/// What reading needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub config: &'a Config,
    pub assigned: &'a Assigned,
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
        let mut batched = Batched { entries: Vec::with_capacity(reports.len()), samples: 0 };
        for raw in reports {
            let mut report: Report = serde_json::from_str(raw.get()).map_err(malformed)?;
            self.check(&report)?;
            batched.samples += report.samples.len();
            // Before anything is stored or folded: from here on nobody sees what a region's policy withholds.
            let changed = self.residency.apply(&mut report) | self.leave_out_strangers(&mut report);
            let changed = changed || self.residency.withholds();
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
        if let Some((check, target)) = self.assigned.stranger(report) {
            return Err(Refusal::Stranger(refused(format!(
                "check {check} on {target} was never assigned to {}: neither the configuration in force nor an earlier \
                 one has it there",
                caller.probe
            ))));
        }
        Ok(())
    }

    /// Windows with probes that are configured no more may still come from a spool; nobody could make anything of
    /// them. Says whether there were any.
    fn leave_out_strangers(&self, report: &mut Report) -> bool {
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
