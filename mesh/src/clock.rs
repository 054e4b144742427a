//! The clocks of this machine: what time it is, whether the wall clock was stepped, and how far off it may be.

use crate::packet::{ErrorEstimate, Stamp};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::Micros;

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Nanoseconds since the Unix epoch, by the wall clock: what kernel stamps are in.
    pub wall_ns: i64,
    /// Nanoseconds by the monotonic clock, from a point that means nothing.
    pub monotonic_ns: i64,
}

impl Moment {
    /// The wall clock as a stamp.
    pub fn stamp(self) -> Stamp {
        Stamp::from_unix_ns(self.wall_ns)
    }

    /// The wall clock as an instant.
    pub fn instant(self) -> Micros {
        Micros(self.wall_ns.div_euclid(1000))
    }

    /// By how much the wall clock moved against the monotonic one since `earlier`, nanoseconds, without sign.
    pub fn stepped_since(self, earlier: Moment) -> u64 {
        let wall = self.wall_ns.wrapping_sub(earlier.wall_ns);
        wall.wrapping_sub(self.monotonic_ns.wrapping_sub(earlier.monotonic_ns)).unsigned_abs()
    }
}

/// What the kernel says of its wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discipline {
    /// A daemon steers the clock by an external source and told the kernel so.
    pub synchronised: bool,
    /// The largest error, nanoseconds.
    pub error_ns: u64,
    /// Why nothing better is known, for people.
    pub reason: Option<String>,
}

impl Discipline {
    /// What the kernel itself says before anybody has set its clock: 16 s.
    const UNKNOWN_NS: u64 = 16_000_000_000;

    /// A clock of which nothing is known.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { synchronised: false, error_ns: Self::UNKNOWN_NS, reason: Some(reason.into()) }
    }

    /// As it is said in packets.
    pub fn estimate(&self) -> ErrorEstimate {
        ErrorEstimate::new(self.synchronised, self.error_ns)
    }
}

/// A reading of the two clocks that took longer than this is repeated, because the thread may have been stopped
/// between them and that would look like a step.
const PROMPT_NS: i64 = 5_000;
/// How often it is repeated; then the most prompt one is taken.
const ATTEMPTS: usize = 4;

/// Reads both clocks as near to each other as this machine lets us.
pub fn now() -> Moment {
    let mut best = (i64::MAX, Moment::default());
    for _ in 0..ATTEMPTS {
        let before = monotonic_ns();
        let wall_ns = wall_ns();
        let took = monotonic_ns() - before;
        if took < best.0 {
            best = (took, Moment { wall_ns, monotonic_ns: before + took / 2 });
        }
        if took <= PROMPT_NS {
            break;
        }
    }
    best.1
}

/// Reads the wall clock, nanoseconds since the Unix epoch.
pub fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Monotonic time since the first call in this process, nanoseconds.
pub fn monotonic_ns() -> i64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

/// Asks the kernel how far off its clock may be (`adjtimex(2)`, a query that needs no privilege).
#[cfg(target_os = "linux")]
pub fn discipline() -> Discipline {
    /// Set while nothing synchronises the clock (`STA_UNSYNC`, linux/timex.h).
    const UNSYNCHRONISED: i32 = 0x40;
    /// What the call returns for a clock that is not synchronised (`TIME_ERROR`).
    const CLOCK_ERROR: i32 = 5;

    let mut timex = rtime_clock::adjtime::Timex::new();
    match rtime_clock::adjtime::adjtimex(&mut timex) {
        Err(error) => {
            Discipline::unknown(format!("the kernel does not tell the state of its clock: {error}"))
        }
        Ok(state) if state == CLOCK_ERROR || timex.0.status & UNSYNCHRONISED != 0 => Discipline::unknown(
            "the kernel says that its clock is not synchronised; run chrony or another NTP daemon",
        ),
        Ok(_) => {
            let error_us = u64::try_from(timex.0.maxerror).unwrap_or(u64::MAX);
            Discipline { synchronised: true, error_ns: error_us.saturating_mul(1000), reason: None }
        }
    }
}

/// Only Linux is asked.
#[cfg(not(target_os = "linux"))]
pub fn discipline() -> Discipline {
    Discipline::unknown("the state of the clock is read on Linux only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_shows_in_both_directions() {
        let before = Moment { wall_ns: 1_000, monotonic_ns: 50 };
        for (wall_ns, stepped) in [(2_000, 0), (2_100, 100), (1_900, 100)] {
            assert_eq!(Moment { wall_ns, monotonic_ns: 1_050 }.stepped_since(before), stepped);
        }
    }

    #[test]
    fn the_clocks_of_this_machine_run() {
        let (first, second) = (now(), now());
        assert!(second.monotonic_ns >= first.monotonic_ns && first.wall_ns > 1_600_000_000_000_000_000);
        let discipline = discipline();
        assert_eq!(discipline.synchronised, discipline.reason.is_none());
        assert!(discipline.estimate().error_ns() >= Some(discipline.error_ns));
    }
}
