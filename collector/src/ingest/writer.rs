//! Group commit: reports that arrive together are committed together, and each is answered after its commit.
//!
//! One task writes. Its queue is bounded; when it is full, callers are told to come back, so that memory stays
//! bounded and the probes' spools do the waiting.

use super::Taken;
use crate::{
    mandate::Mandate,
    metrics::Metrics,
    store::{Entry, Store},
    tail::Tail,
};
use runtime::tasks::{Stage, Tasks};
use tokio::sync::{mpsc, oneshot};
use wire::ProbeId;

/// Batches that may wait.
const QUEUE: usize = 256;
/// Batches that one transaction takes.
const GROUP: usize = 64;

/// Hands entries to the writing task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer(mpsc::Sender<Job>);

/// What a probe sent at a time.
#[derive(Debug)]
pub struct Batch {
    pub probe: ProbeId,
    pub entries: Vec<Entry>,
    /// Samples that are in them.
    pub samples: usize,
    /// Samples that were left out, because their check was never assigned to the probe.
    pub strangers: usize,
    /// The memory that it takes: until it is committed, also when nobody waits for that any more.
    pub room: Taken,
}

#[derive(Debug)]
struct Job {
    batch: Batch,
    count: usize,
    done: oneshot::Sender<Result<usize, Refused>>,
}

/// Why entries were not stored. The caller keeps them and tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too many reports are waiting to be written")]
    Busy,
    #[error("the database failed; the collector's log says why")]
    Failed,
    #[error(
        "the newest configuration in the database is one that this version of the collector cannot read: upgrade it, and \
         bring new configurations after new versions"
    )]
    Unreadable,
    #[error("the collector is stopping")]
    Stopping,
}

impl Writer {
    /// Stores the entries of a batch and says how many were new. Returns after the commit.
    ///
    /// # Errors
    /// When they were not stored.
    pub async fn append(&self, batch: Batch) -> Result<usize, Refused> {
        let (done, answer) = oneshot::channel();
        let count = batch.entries.len();
        self.0.try_send(Job { batch, count, done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopping,
        })?;
        answer.await.unwrap_or(Err(Refused::Stopping))
    }
}

/// Starts the writing task; `tail` gets what was committed, `metrics` counts it. When the log is not the one that it was,
/// `mandate` is given up, and the task ends, with it the process.
pub fn start(tasks: &Tasks, store: Store, tail: Tail, metrics: Metrics, mandate: Mandate) -> Writer {
    let (sender, mut queue) = mpsc::channel(QUEUE);
    tasks.spawn(Stage::Work, "log writer", |stop| async move {
        let mut group = Vec::with_capacity(GROUP);
        let mut failing = false;
        loop {
            tokio::select! {
                // The listeners stopped in the stage before this one, so what is queued now is the last.
                () = stop.cancelled() => {
                    queue.close();
                    while queue.recv_many(&mut group, GROUP).await > 0 {
                        commit(&store, &mut group, &tail, &metrics, &mut failing).await;
                    }
                    return;
                }
                count = queue.recv_many(&mut group, GROUP) => {
                    if count == 0 {
                        // The last sender went with the listener; the order to stop follows.
                        stop.cancelled().await;
                        return;
                    }
                    if !commit(&store, &mut group, &tail, &metrics, &mut failing).await {
                        mandate.resign();
                        tracing::error!(
                            "the database has gone back to an earlier state: stopping, to begin again from what it has"
                        );
                        return;
                    }
                }
            }
        }
    });
    Writer(sender)
}

/// False when the log is not the one that it was.
async fn commit(
    store: &Store,
    group: &mut Vec<Job>,
    tail: &Tail,
    metrics: &Metrics,
    failing: &mut bool,
) -> bool {
    let entries: Vec<Entry> =
        group.iter_mut().flat_map(|job| std::mem::take(&mut job.batch.entries)).collect();
    match store.append(&entries).await {
        Ok(appended) => {
            let mut positions = appended.positions.iter();
            for job in group.drain(..) {
                let new = positions.by_ref().take(job.count).filter(|position| position.is_some()).count();
                let Batch { probe, samples, strangers, .. } = &job.batch;
                metrics.ingested(probe, new, job.count - new, (*samples, *strangers));
                // Whoever gave up waiting sends again, and is then told that it was a duplicate.
                let _ = job.done.send(Ok(new));
            }
            *failing = false;
            tail.appended(&appended)
        }
        Err(error) => {
            // Said once: the health of the storage tells for how long, and the probes send again.
            if !std::mem::replace(failing, true) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "reports could not be committed; their senders keep them"
                );
            }
            for job in group.drain(..) {
                let _ = job.done.send(Err(Refused::Failed));
            }
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Room, *};
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    #[tokio::test]
    async fn a_batch_takes_room_until_its_commit_also_when_its_sender_gave_up() {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let (writer, room) = (Writer(sender), Room::default());
        let mut all = room.take(usize::MAX).expect("room");
        while let Some(more) = room.take(usize::MAX) {
            all.join(more);
        }
        let probe = "p1".parse().expect("an id");
        let batch = Batch { probe, entries: Vec::new(), samples: 0, strangers: 0, room: all };
        {
            let mut request = pin!(writer.append(batch));
            assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(room.take(1).is_none(), "it waits to be written");
        drop(queue.recv().await.expect("it was queued"));
        assert!(room.take(usize::MAX).is_some());
    }
}
