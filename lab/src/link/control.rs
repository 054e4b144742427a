//! The state of a link, which its tasks watch, and the handle that changes it.

use super::{Direction, Fault, Shape};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::sync::watch;

/// What the tasks of a link act on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub there: Shape,
    pub back: Shape,
    pub fault: Fault,
    /// Counts changes of the fault, so that a fault which came and went unseen is still noticed.
    pub epoch: u64,
    /// Counts refusals: a connection older than the last one must be reset.
    pub resets: u64,
}

impl State {
    pub fn shape(&self, direction: Direction) -> &Shape {
        match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        }
    }

    fn fall(&mut self, fault: Fault) {
        if self.fault != fault {
            self.fault = fault;
            self.epoch += 1;
            self.resets += u64::from(fault == Fault::Refuse);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub connections: AtomicU64,
    pub bytes_there: AtomicU64,
    pub bytes_back: AtomicU64,
    pub lost: AtomicU64,
    pub overflowed: AtomicU64,
}

/// What went through a link since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct LinkStats {
    /// TCP connections accepted, or UDP clients seen.
    pub connections: u64,
    /// Bytes delivered to the upstream.
    pub bytes_there: u64,
    /// Bytes delivered to those who dialled.
    pub bytes_back: u64,
    /// Chunks that were retransmitted (TCP), or datagrams that were dropped by chance (UDP).
    pub lost: u64,
    /// Datagrams dropped because a limit of the link was reached.
    pub overflowed: u64,
}

/// Changes a link while it runs. Clones steer the same link. Changes take effect within a scheduler turn, not
/// before the call returns; wait for the effect, not for a time.
#[derive(Debug, Clone)]
pub struct LinkControl {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: watch::Sender<State>,
    /// The shapes to return to at heal.
    first: (Shape, Shape),
    counters: Counters,
}

impl LinkControl {
    pub(super) fn new(there: Shape, back: Shape) -> LinkControl {
        let state = State { there, back, fault: Fault::None, epoch: 0, resets: 0 };
        let inner =
            Inner { state: watch::Sender::new(state), first: (there, back), counters: Counters::default() };
        LinkControl { inner: Arc::new(inner) }
    }

    /// Changes one direction; data already under way keeps its delay.
    pub fn set_shape(&self, direction: Direction, shape: Shape) {
        self.inner.state.send_modify(|state| match direction {
            Direction::There => state.there = shape,
            Direction::Back => state.back = shape,
        });
    }

    /// Breaks the link, or (with [`Fault::None`]) repairs it and keeps its shapes.
    pub fn set_fault(&self, fault: Fault) {
        self.inner.state.send_modify(|state| state.fall(fault));
    }

    /// Repairs the link and restores the shapes it was made with.
    pub fn heal(&self) {
        let (there, back) = self.inner.first;
        self.apply(there, back, Fault::None);
    }

    /// Sets everything at once.
    pub(crate) fn apply(&self, there: Shape, back: Shape, fault: Fault) {
        self.inner.state.send_if_modified(|state| {
            let before = *state;
            (state.there, state.back) = (there, back);
            state.fall(fault);
            *state != before
        });
    }

    /// The present fault.
    pub fn fault(&self) -> Fault {
        self.state().fault
    }

    /// What went through.
    pub fn stats(&self) -> LinkStats {
        let c = &self.inner.counters;
        LinkStats {
            connections: c.connections.load(Relaxed),
            bytes_there: c.bytes_there.load(Relaxed),
            bytes_back: c.bytes_back.load(Relaxed),
            lost: c.lost.load(Relaxed),
            overflowed: c.overflowed.load(Relaxed),
        }
    }

    pub(super) fn state(&self) -> State {
        *self.inner.state.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.inner.state.subscribe()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Counts bytes that were delivered.
    pub(super) fn delivered(&self, direction: Direction, bytes: usize) {
        let counter = match direction {
            Direction::There => &self.inner.counters.bytes_there,
            Direction::Back => &self.inner.counters.bytes_back,
        };
        counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }
}
