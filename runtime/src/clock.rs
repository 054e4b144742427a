//! Time as an argument: production code asks a [`Clock`], tests hand in one that they move.

use crate::lock::lock;
use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};
use wire::Micros;

/// Tells the wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// Now, microseconds since the Unix epoch.
    fn now(&self) -> Micros;
}

/// A clock that can be shared.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The clock of production.
    pub fn shared() -> SharedClock {
        Arc::new(SystemClock)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Micros(wire::instant::us(since))
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Micros>>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Micros) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock.
    pub fn set(&self, now: Micros) {
        *lock(&self.0) = now;
    }

    /// Moves the clock forward by microseconds.
    pub fn advance_us(&self, us: i64) {
        let mut now = lock(&self.0);
        *now = now.plus_us(us);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        *lock(&self.0)
    }
}
