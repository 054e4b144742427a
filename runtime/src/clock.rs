//! Time as an argument: production code asks a [`Clock`], tests hand in one that they move.

use crate::lock::lock;
use std::{
    sync::{Arc, Mutex},
    time::{Instant, SystemTime, UNIX_EPOCH},
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

/// A clock for decisions: it never goes back, and a wall clock that is set back does not stop it.
///
/// It shows the wall clock's time for as long as that goes forward. When the wall clock is set back, it goes on from
/// where it was at the pace of the monotonic clock, until the wall clock has caught up. When the wall clock jumps
/// forward it follows: evidence is then old for a moment, and old evidence decides nothing.
pub struct SteadyClock {
    wall: SharedClock,
    /// The last time shown, and when that was by the monotonic clock.
    last: Mutex<(Micros, Instant)>,
}

impl SteadyClock {
    /// A steady clock over a wall clock.
    pub fn over(wall: SharedClock) -> SharedClock {
        let now = wall.now();
        Arc::new(SteadyClock { wall, last: Mutex::new((now, Instant::now())) })
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Micros {
        let mut last = lock(&self.last);
        let (shown, at) = *last;
        let here = Instant::now();
        let now = self.wall.now().max(shown.plus(here.saturating_duration_since(at)));
        *last = (now, here);
        now
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn a_steady_clock_follows_forward_and_never_goes_back() {
        let wall = ManualClock::at(Micros(10 * HOUR_US));
        let steady = SteadyClock::over(Arc::new(wall.clone()));
        let before = steady.now();
        assert!(before >= Micros(10 * HOUR_US));
        wall.advance_us(HOUR_US);
        let forward = steady.now();
        assert!(forward >= Micros(11 * HOUR_US));
        wall.set(Micros(2 * HOUR_US));
        let back = steady.now();
        assert!(back >= forward && back < Micros(12 * HOUR_US), "it goes on at its own pace");
    }
}
