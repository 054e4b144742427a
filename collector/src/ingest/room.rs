//! How much memory reports may take while they wait for their commit.
//!
//! A request takes room for what it says that it sends before its body is read, and for what it unpacks to. When there
//! is none it is told to come back: the probes' spools do the waiting.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::report::MAX_BATCH_BYTES;

/// Bytes of bodies, packed or unpacked, that are held at a time. What is read from them takes about three times that.
const BYTES: usize = 64 << 20;
/// The unit in which room is given out.
const UNIT: usize = 1 << 10;

/// The room for bodies. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

/// Some room, given back when it is dropped.
#[derive(Debug)]
pub struct Taken(OwnedSemaphorePermit);

impl Default for Room {
    fn default() -> Self {
        Room(Arc::new(Semaphore::new(BYTES / UNIT)))
    }
}

impl Room {
    /// Takes room for some bytes (at most a whole batch), if there is.
    pub fn take(&self, bytes: usize) -> Option<Taken> {
        let units = u32::try_from(bytes.min(MAX_BATCH_BYTES).div_ceil(UNIT)).ok()?;
        Some(Taken(Arc::clone(&self.0).try_acquire_many_owned(units).ok()?))
    }
}

impl Taken {
    /// Adds other room to this.
    pub fn join(&mut self, other: Taken) {
        self.0.merge(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ends_and_comes_back() {
        let room = Room::default();
        let mut taken: Vec<Taken> = std::iter::from_fn(|| room.take(usize::MAX)).collect();
        assert_eq!(taken.len(), BYTES / MAX_BATCH_BYTES);
        assert!(room.take(1).is_none());
        let last = taken.pop().expect("some room");
        taken[0].join(last);
        assert!(room.take(1).is_none());
        taken.clear();
        assert!(room.take(usize::MAX).is_some());
    }
}
