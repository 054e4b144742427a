//! Listens to a collector: assignments, requests to confirm, heartbeats.
//!
//! Whatever happens here, the probe goes on measuring what it was told last. The stream decides what runs: a valid
//! assignment is applied even when its revision is older than the one at hand, since a collector that was restored
//! from a backup counts anew; that is logged.

use crate::{
    complaint::Complaint,
    directive, kept,
    lines::{Lines, TooLong},
    link::{Failure, Link, SILENCE},
    metrics::Metrics,
    pacer::Order,
    validate,
};
use bytes::Bytes;
use runtime::{backoff::Backoff, clock::SharedClock, random::Random};
use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wire::{
    RegionId,
    assignment::{Assignment, Directive},
};

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };
/// How long to wait while the collector refuses this probe.
const REFUSED_WAIT: Duration = Duration::from_secs(10);

/// A stream that lasted for this long was a good one.
const STEADY: Duration = Duration::from_secs(5);

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the stream broke")]
    Broken(#[source] reqwest::Error),
    #[error("the collector closed the stream")]
    Closed,
    #[error("no line came for {SILENCE:?}")]
    Silent,
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error("the probe does not take orders any more")]
    Deaf,
}

/// The listener of one probe.
pub struct Stream {
    pub(crate) link: Arc<Link>,
    pub(crate) region: RegionId,
    pub(crate) data: PathBuf,
    pub(crate) clock: SharedClock,
    pub(crate) random: Random,
    pub(crate) metrics: Metrics,
    pub(crate) orders: mpsc::Sender<Order>,
    /// What runs now.
    pub(crate) current: Option<Arc<Assignment>>,
}

impl Stream {
    /// Listens until `stop`, to one collector after the other.
    pub async fn run(mut self, stop: CancellationToken) {
        let listen = async {
            let (mut turn, mut failures) = (0, 0_u32);
            let (mut refused, mut away) = (Complaint::default(), Complaint::default());
            loop {
                let (mut heard, begun) = (false, Instant::now());
                let Err(ended) = self.listen(turn, &mut heard).await;
                // One that speaks and breaks off again and again is no better than one that is away.
                if heard && begun.elapsed() >= STEADY {
                    failures = 0;
                    refused.settle();
                    away.settle();
                }
                failures = failures.saturating_add(1);
                let collector = self.link.collector(turn);
                turn += 1;
                let delay = if let Ended::Failed(Failure::Refused(problem)) = ended {
                    if refused.is_due() {
                        error!(%collector, %problem, "the collector refuses this probe");
                    }
                    REFUSED_WAIT
                } else {
                    if away.is_due() {
                        warn!(%collector, error = &ended as &dyn Error, "not connected to a collector");
                    }
                    BACKOFF.delay(failures, self.random.unit())
                };
                tokio::time::sleep(delay).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = listen => {}
        }
    }

    /// Listens to one collector for as long as it speaks; `heard` says whether it did.
    async fn listen(&mut self, turn: usize, heard: &mut bool) -> Result<std::convert::Infallible, Ended> {
        let mut response = self.link.stream(turn, &self.region).await?;
        info!(collector = %self.link.collector(turn), "connected");
        let mut lines = Lines::default();
        let mut deadline = Instant::now() + SILENCE;
        loop {
            while let Some(line) = lines.next_line()? {
                *heard = true;
                deadline = Instant::now() + SILENCE;
                self.follow(&line).await?;
            }
            let chunk =
                tokio::time::timeout_at(deadline, response.chunk()).await.map_err(|_| Ended::Silent)?;
            lines.push(&chunk.map_err(Ended::Broken)?.ok_or(Ended::Closed)?);
        }
    }

    async fn follow(&mut self, line: &Bytes) -> Result<(), Ended> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let order = match directive::read(line) {
            Ok(Directive::Heartbeat { now }) => {
                self.metrics.clocks(self.clock.now(), now);
                return Ok(());
            }
            Ok(Directive::Confirm(confirm)) => Order::Confirm(confirm),
            Ok(Directive::Assignment(assignment)) => match self.take(assignment).await {
                Some(assignment) => Order::Assign(assignment),
                None => return Ok(()),
            },
            Err(error) => {
                warn!(%error, "a directive is not understood and left out: is the collector newer than this probe?");
                return Ok(());
            }
        };
        self.orders.send(order).await.map_err(|_| Ended::Deaf)
    }

    /// Checks and keeps an assignment; absent when it is not to be applied.
    async fn take(&mut self, assignment: Assignment) -> Option<Arc<Assignment>> {
        if let Err(error) = validate::assignment(&assignment, &self.region) {
            error!(revision = assignment.revision, %error, "an assignment is not applied; the probe goes on as before");
            return None;
        }
        if let Some(current) = &self.current {
            if **current == assignment {
                return None;
            }
            if assignment.revision < current.revision {
                warn!(
                    from = current.revision,
                    to = assignment.revision,
                    "the collector goes back to an older revision"
                );
            }
        }
        let assignment = Arc::new(assignment);
        self.current = Some(assignment.clone());
        let (data, keep) = (self.data.clone(), assignment.clone());
        match tokio::task::spawn_blocking(move || kept::store(&data, &keep)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                error!(%error, "the assignment cannot be kept on disk: a restart needs the collector")
            }
            Err(error) => error!(%error, "keeping the assignment panicked"),
        }
        Some(assignment)
    }
}
