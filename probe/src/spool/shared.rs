//! The spool as tasks use it: its blocking calls run on threads that may block.

use super::{Spool, SpoolError, Spooled, store::Store};
use runtime::{
    clock::{SharedClock, SystemClock},
    lock::lock,
};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;
use wire::{ProbeId, mesh::MeshWindow, report::Report, sample::Sample};

/// What is known of the spool without waiting for the disk.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Disk in use, bytes.
    pub bytes: AtomicU64,
    /// Samples lost so far.
    pub lost: AtomicU64,
    /// Samples that are in memory only, because the disk refuses them.
    pub held: AtomicU64,
    /// Why it does.
    trouble: Mutex<Option<String>>,
    /// The part of `lost` that the spool does not know yet.
    noted: AtomicU64,
}

/// A spool that tasks share. Cheap to clone.
#[derive(Clone)]
pub struct SharedSpool {
    store: Arc<Mutex<Store>>,
    gauges: Arc<Gauges>,
    grown: Arc<Notify>,
}

impl SharedSpool {
    /// Shares an open spool.
    pub fn new(spool: Spool) -> Self {
        Self::over(Store::over(spool, SystemClock::shared()))
    }

    /// Opens and shares a spool, see [`Spool::open`]. Where the disk refuses, reports are kept in memory until it does
    /// not any more.
    ///
    /// # Errors
    /// When it is another process's, or a newer version wrote it.
    pub fn open(folder: PathBuf, cap: u64, clock: SharedClock) -> Result<Self, SpoolError> {
        Store::open(folder, cap, clock).map(Self::over)
    }

    fn over(store: Store) -> Self {
        let gauges = Gauges::default();
        gauges.set(&store);
        Self { store: Arc::new(Mutex::new(store)), gauges: Arc::new(gauges), grown: Arc::default() }
    }

    /// Keeps samples, see [`Spool::append`]; in memory while the disk refuses.
    pub async fn append(&self, probe: ProbeId, samples: Vec<Sample>) {
        self.keep(Report { probe, sequence: 0, samples, mesh: Vec::new() }).await;
    }

    /// Keeps windows of the mesh, see [`Spool::append_windows`]; in memory while the disk refuses.
    pub async fn append_windows(&self, probe: ProbeId, mesh: Vec<MeshWindow>) {
        self.keep(Report { probe, sequence: 0, samples: Vec::new(), mesh }).await;
    }

    async fn keep(&self, report: Report) {
        self.with(move |store| store.append(&report)).await;
        self.grown.notify_one();
    }

    /// See [`Spool::peek`].
    ///
    /// # Errors
    /// As there.
    pub async fn peek(&self, max_reports: usize, max_bytes: usize) -> Result<Vec<Spooled>, SpoolError> {
        self.with(move |store| store.peek(max_reports, max_bytes)).await
    }

    /// See [`Spool::commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit(&self, sequence: i64) -> Result<(), SpoolError> {
        self.with(move |store| store.commit(sequence)).await
    }

    /// See [`Spool::give_up`].
    ///
    /// # Errors
    /// As there.
    pub async fn give_up(&self, sequence: i64) -> Result<(), SpoolError> {
        self.with(move |store| store.give_up(sequence)).await
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

    /// Samples that are in memory only, and why: what there is to tell while the disk refuses.
    pub fn trouble(&self) -> Option<String> {
        let why = lock(&self.gauges.trouble).clone()?;
        let held = self.gauges.held.load(Ordering::Relaxed);
        Some(format!("samples are held in memory, {held} now: {why}"))
    }

    /// For metrics.
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    /// Completes when something was appended since the last call; for one waiter.
    pub async fn grown(&self) {
        self.grown.notified().await;
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Store) -> T + Send + 'static) -> T {
        let (store, gauges) = (self.store.clone(), self.gauges.clone());
        let end = tokio::task::spawn_blocking(move || {
            let mut store = lock(&store);
            store.note_lost(gauges.noted.swap(0, Ordering::Relaxed));
            let end = work(&mut store);
            gauges.set(&store);
            end
        });
        end.await
            .expect("spool calls do not panic, and are cancelled only with the runtime that waits for them")
    }
}

impl Gauges {
    fn set(&self, store: &Store) {
        self.bytes.store(store.bytes(), Ordering::Relaxed);
        self.held.store(store.held(), Ordering::Relaxed);
        let noted = self.noted.load(Ordering::Relaxed);
        self.lost.store(store.lost().saturating_add(noted), Ordering::Relaxed);
        let mut trouble = lock(&self.trouble);
        if trouble.as_deref() != store.trouble() {
            *trouble = store.trouble().map(str::to_owned);
        }
    }
}
