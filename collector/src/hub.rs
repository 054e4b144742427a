//! The way back to the probes: what the decision core asks of them, and who is listening.

use runtime::lock::lock;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::broadcast;
use wire::{ProbeId, assignment::Confirm};

/// Requests that a slow listener may be behind before it misses some. A missed one costs time, nothing else.
const BACKLOG: usize = 64;

/// Carries requests to every open stream. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    confirms: broadcast::Sender<Arc<Confirm>>,
    listeners: Arc<Mutex<BTreeMap<ProbeId, usize>>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { confirms: broadcast::channel(BACKLOG).0, listeners: Arc::default() }
    }
}

impl Hub {
    /// Sends a request to every probe that listens.
    pub fn confirm(&self, confirm: Confirm) {
        // An error only says that nobody listens.
        let _ = self.confirms.send(Arc::new(confirm));
    }

    /// Listens on behalf of a probe until the listener is dropped.
    pub fn listen(&self, probe: ProbeId) -> Listener {
        *lock(&self.listeners).entry(probe.clone()).or_default() += 1;
        Listener { confirms: self.confirms.subscribe(), probe, listeners: Arc::clone(&self.listeners) }
    }

    /// Whether a probe listens.
    pub fn is_connected(&self, probe: &ProbeId) -> bool {
        lock(&self.listeners).get(probe).is_some_and(|count| *count > 0)
    }
}

/// One open stream.
#[derive(Debug)]
pub struct Listener {
    pub confirms: broadcast::Receiver<Arc<Confirm>>,
    probe: ProbeId,
    listeners: Arc<Mutex<BTreeMap<ProbeId, usize>>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.listeners).get_mut(&self.probe) {
            *count = count.saturating_sub(1);
        }
    }
}
