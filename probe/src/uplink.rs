//! Sends what is spooled, in order, until the collector has it.
//!
//! A batch is done only when it was answered with 2xx. Whatever happens before that, it is sent again under the
//! same numbers, so nothing is lost and nothing counts twice.

use crate::{
    complaint::Complaint,
    link::{Failure, Link},
    metrics::Metrics,
    spool::{SharedSpool, SpoolError, Spooled},
};
use runtime::{backoff::Backoff, clock::SharedClock, random::Random};
use std::{error::Error, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wire::{
    Micros,
    report::{MAX_BATCH_BYTES, MAX_REPORTS},
};

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };
/// How long to wait while the collector refuses this probe.
const REFUSED_WAIT: Duration = Duration::from_secs(10);
/// How long the last try takes when the process stops.
const LAST_TRY: Duration = Duration::from_secs(3);
/// Left free in a batch for what is around the reports.
const ENVELOPE: usize = 4096;

/// The sender of one probe.
pub struct Uplink {
    link: Arc<Link>,
    spool: SharedSpool,
    clock: SharedClock,
    random: Random,
    metrics: Metrics,
    turn: usize,
    failures: u32,
    /// How many reports to send at once; lowered to find one that the collector does not accept.
    most: usize,
    refused: Complaint,
    waiting: Complaint,
}

/// What to do after a try.
enum Next {
    /// Something is done; there may be more.
    Go,
    /// Nothing to send.
    Idle,
    /// Try again after this.
    Wait(Duration),
}

impl Uplink {
    /// Begins with the first collector.
    pub(crate) fn new(
        link: Arc<Link>,
        spool: SharedSpool,
        clock: SharedClock,
        random: Random,
        metrics: Metrics,
    ) -> Self {
        Self {
            link,
            spool,
            clock,
            random,
            metrics,
            turn: 0,
            failures: 0,
            most: MAX_REPORTS,
            refused: Complaint::default(),
            waiting: Complaint::default(),
        }
    }

    /// Sends until `stop`, then tries once more for a moment. A request that is cut off by the stop is repeated.
    pub async fn run(mut self, stop: CancellationToken) {
        let work = async {
            loop {
                match self.step().await {
                    Next::Go => {}
                    Next::Idle => self.spool.grown().await,
                    Next::Wait(delay) => {
                        tokio::select! {
                            () = tokio::time::sleep(delay) => {}
                            () = self.link.reachable() => {}
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
        let last = async { while matches!(self.step().await, Next::Go) {} };
        if tokio::time::timeout(LAST_TRY, last).await.is_err() {
            info!("stopping with reports in the spool; they are sent after the next start");
        }
    }

    async fn step(&mut self) -> Next {
        let reports = match self.spool.peek(self.most, MAX_BATCH_BYTES - ENVELOPE).await {
            Ok(reports) => reports,
            Err(error) => {
                if self.waiting.is_due() {
                    error!(error = &error as &dyn Error, "the spool cannot be read, trying again");
                }
                return Next::Wait(self.failed());
            }
        };
        let Some(last) = reports.last().map(|report| report.sequence) else { return Next::Idle };
        let batch = batch(self.clock.now(), &reports, self.spool.lost());
        match self.link.post(self.turn, batch).await {
            Ok(sent) => {
                self.metrics.sent(sent);
                if self.refused.settle() | self.waiting.settle() {
                    info!(collector = %self.link.collector(self.turn), "the collector takes reports again");
                }
                self.failures = 0;
                self.most = (self.most * 2).min(MAX_REPORTS);
                done(self.spool.commit(last).await);
                Next::Go
            }
            Err(failure) => self.react(failure, &reports).await,
        }
    }

    async fn react(&mut self, failure: Failure, reports: &[Spooled]) -> Next {
        match failure {
            Failure::Unacceptable(problem) => {
                if let [report] = reports {
                    error!(
                        sequence = report.sequence,
                        samples = report.samples,
                        %problem,
                        "the collector does not accept a report: it is lost, so that the ones behind it get through"
                    );
                    done(self.spool.give_up(report.sequence).await);
                } else {
                    warn!(reports = reports.len(), %problem, "a batch is not accepted: sending its parts");
                    self.most = (reports.len() / 2).max(1);
                }
                Next::Go
            }
            Failure::Refused(problem) => {
                if self.refused.is_due() {
                    error!(%problem, "the collector refuses this probe's reports; they wait in the spool");
                }
                self.failed();
                Next::Wait(REFUSED_WAIT)
            }
            failure => {
                if self.waiting.is_due() {
                    let collector = self.link.collector(self.turn);
                    warn!(error = &failure as &dyn Error, %collector, "reports wait in the spool");
                }
                let delay = self.failed();
                let asked = if let Failure::Unavailable { after, .. } = failure { after } else { None };
                Next::Wait(delay.max(asked.unwrap_or_default()))
            }
        }
    }

    /// Counts a failure, turns to the next collector, and says how long to wait.
    fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.turn += 1;
        BACKOFF.delay(self.failures, self.random.unit())
    }
}

/// The JSON of a [`wire::report::Batch`]. Reports go in as they were spooled, because reading and writing them again
/// would cost as much as making them.
fn batch(sent: Micros, reports: &[Spooled], lost: u64) -> Vec<u8> {
    let bytes: usize = reports.iter().map(|report| report.json.len() + 1).sum();
    let mut json = Vec::with_capacity(bytes + 100);
    json.extend(format!("{{\"sent\":{},\"lost\":{lost},\"reports\":[", sent.0).into_bytes());
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(&report.json);
    }
    json.extend(b"]}");
    json
}

/// An error here costs nothing but a resend after a crash.
fn done(marked: Result<(), SpoolError>) {
    if let Err(error) = marked {
        error!(error = &error as &dyn Error, "reports are done and cannot be marked so");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spool::Spool, testing};
    use wire::report::Batch;

    #[test]
    fn a_batch_is_made_of_what_was_spooled() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), 1 << 20, Micros(7)).expect("opens");
        let probe = "north-1".parse().expect("an id");
        for n in 0..2 {
            spool.append(&probe, &[testing::sample(n), testing::sample(n + 10)]).expect("written");
        }
        for reports in 0..=2 {
            let reports = spool.peek(reports, usize::MAX).expect("readable");
            let read: Batch =
                serde_json::from_slice(&batch(Micros(5), &reports, 3)).expect("the JSON of a batch");
            let wanted =
                Batch { sent: Micros(5), reports: reports.iter().map(testing::read).collect(), lost: 3 };
            assert_eq!(read, wanted);
        }
    }
}
