//! What waits to be copied to one peer: a bounded queue that drops its oldest entries and says how many.

use super::cart::Cart;
use crate::http::lock;
use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Entries kept for a peer that cannot be reached.
const MAX_QUEUED: usize = 10_000;
/// Entries sent at once.
const BATCH: usize = 64;

/// The replication to one peer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PeerStats {
    /// Entries that wait.
    pub backlog: usize,
    /// Age of the oldest of them, milliseconds.
    pub oldest_ms: u64,
    /// Entries the peer took.
    pub sent: u64,
    /// Entries the peer refused for good.
    pub refused: u64,
    /// Entries dropped because too many waited.
    pub dropped: u64,
    /// Attempts that failed since the last success.
    pub failures: u64,
}

#[derive(Debug)]
struct Queued {
    serial: u64,
    written: Instant,
    cart: Cart,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
    serial: u64,
    sent: u64,
    refused: u64,
    dropped: u64,
    failures: u64,
}

/// The queue for one peer.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Rung when something was written.
    pub wake: Notify,
}

/// Entries to send, and the serial of the last of them.
pub(super) struct Batch {
    pub carts: Vec<Cart>,
    pub last: u64,
}

impl Outbox {
    pub fn push(&self, cart: Cart) {
        let mut state = lock(&self.state);
        state.serial += 1;
        let queued = Queued { serial: state.serial, written: Instant::now(), cart };
        state.queue.push_back(queued);
        if state.queue.len() > MAX_QUEUED {
            state.queue.pop_front();
            state.dropped += 1;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// When the oldest entry was written.
    pub fn oldest(&self) -> Option<Instant> {
        lock(&self.state).queue.front().map(|queued| queued.written)
    }

    /// The entries that are at least `delay` old, as many as are sent at once. They stay in the queue.
    pub fn due(&self, delay: Duration) -> Batch {
        let state = lock(&self.state);
        let due = state.queue.iter().take_while(|queued| queued.written.elapsed() >= delay).take(BATCH);
        let mut batch = Batch { carts: Vec::new(), last: 0 };
        for queued in due {
            batch.last = queued.serial;
            batch.carts.push(queued.cart.clone());
        }
        batch
    }

    /// The peer has taken, or refused for good, everything up to this serial.
    pub fn finished(&self, last: u64, taken: bool) {
        let mut state = lock(&self.state);
        let before = state.queue.len();
        state.queue.retain(|queued| queued.serial > last);
        let count = (before - state.queue.len()) as u64;
        *(if taken { &mut state.sent } else { &mut state.refused }) += count;
        state.failures = 0;
    }

    pub fn failed(&self) {
        lock(&self.state).failures += 1;
    }

    pub fn stats(&self) -> PeerStats {
        let state = lock(&self.state);
        PeerStats {
            backlog: state.queue.len(),
            oldest_ms: state.queue.front().map_or(0, |queued| millis(queued.written.elapsed())),
            sent: state.sent,
            refused: state.refused,
            dropped: state.dropped,
            failures: state.failures,
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_oldest_and_finishes_by_serial() {
        let outbox = Outbox::default();
        let region = || "x".parse().expect("a slug");
        for n in 0..MAX_QUEUED + 5 {
            outbox.push(Cart::new(format!("c{n}"), region()));
        }
        let batch = outbox.due(Duration::ZERO);
        assert_eq!((batch.carts.len(), batch.carts[0].cart.as_str()), (BATCH, "c5"));
        assert!(outbox.due(Duration::from_secs(3600)).carts.is_empty());
        // While the batch travels, its first entry is pushed out: it is not counted twice.
        outbox.push(Cart::new("late".into(), region()));
        outbox.finished(batch.last, true);
        let stats = outbox.stats();
        assert_eq!((stats.dropped, stats.sent), (6, BATCH as u64 - 1));
        assert_eq!(stats.backlog, MAX_QUEUED - (BATCH - 1));
    }
}
