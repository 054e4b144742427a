//! The spool as tasks use it: its blocking calls run on threads that may block.

use super::{Spool, SpoolError, Spooled};
use runtime::lock::lock;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;
use wire::{ProbeId, sample::Sample};

/// What is known of the spool without waiting for the disk.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Disk in use, bytes.
    pub bytes: AtomicU64,
    /// Samples lost so far.
    pub lost: AtomicU64,
    /// The part of `lost` that the spool does not know yet.
    noted: AtomicU64,
}

/// A spool that tasks share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedSpool {
    spool: Arc<Mutex<Spool>>,
    gauges: Arc<Gauges>,
    grown: Arc<Notify>,
}

impl SharedSpool {
    /// Shares an open spool.
    pub fn new(spool: Spool) -> Self {
        let gauges = Gauges::default();
        gauges.bytes.store(spool.bytes(), Ordering::Relaxed);
        gauges.lost.store(spool.lost(), Ordering::Relaxed);
        Self { spool: Arc::new(Mutex::new(spool)), gauges: Arc::new(gauges), grown: Arc::default() }
    }

    /// See [`Spool::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, probe: ProbeId, samples: Arc<Vec<Sample>>) -> Result<Option<i64>, SpoolError> {
        let end = self.with(move |spool| spool.append(&probe, &samples)).await;
        self.grown.notify_one();
        end
    }

    /// See [`Spool::peek`].
    ///
    /// # Errors
    /// As there.
    pub async fn peek(&self, max_reports: usize, max_bytes: usize) -> Result<Vec<Spooled>, SpoolError> {
        self.with(move |spool| spool.peek(max_reports, max_bytes)).await
    }

    /// See [`Spool::commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit(&self, sequence: i64) -> Result<(), SpoolError> {
        self.with(move |spool| spool.commit(sequence)).await
    }

    /// See [`Spool::give_up`].
    ///
    /// # Errors
    /// As there.
    pub async fn give_up(&self, sequence: i64) -> Result<(), SpoolError> {
        self.with(move |spool| spool.give_up(sequence)).await
    }

    /// Counts samples that were lost before they came here. Never waits.
    pub fn note_lost(&self, samples: usize) {
        self.gauges.noted.fetch_add(samples as u64, Ordering::Relaxed);
        self.gauges.lost.fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// Samples lost so far.
    pub fn lost(&self) -> u64 {
        self.gauges.lost.load(Ordering::Relaxed)
    }

    /// For metrics.
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    /// Completes when something was appended since the last call; for one waiter.
    pub async fn grown(&self) {
        self.grown.notified().await;
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Spool) -> T + Send + 'static) -> T {
        let (spool, gauges) = (self.spool.clone(), self.gauges.clone());
        let end = tokio::task::spawn_blocking(move || {
            let mut spool = lock(&spool);
            spool.note_lost(gauges.noted.swap(0, Ordering::Relaxed));
            let end = work(&mut spool);
            gauges.bytes.store(spool.bytes(), Ordering::Relaxed);
            let noted = gauges.noted.load(Ordering::Relaxed);
            gauges.lost.store(spool.lost().saturating_add(noted), Ordering::Relaxed);
            end
        });
        end.await
            .expect("spool calls do not panic, and are cancelled only with the runtime that waits for them")
    }
}
