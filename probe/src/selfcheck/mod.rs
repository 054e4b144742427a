//! The probe watches itself, so that its own trouble is not taken for its targets'.
//!
//! [`control`] knocks at places that have nothing to do with what is measured, `cpu` and `watch` look at the
//! machine and the clock, and the pure [`judge`] says what follows:
//!
//! * *blind*: of at least two control targets none has accepted a connection for [`judge::BLIND_AFTER`]. Failures are
//!   then flagged [`Flag::Blind`], because this probe cannot tell its own network's fault from a target's.
//! * *saturated*: the processors are busy, or this process is woken late. What depends on time is then flagged
//!   [`Flag::CpuSaturated`]: a success that was slow, and a timeout that so much lateness could explain.
//! * *stepped*: the wall clock was set. Runs across the step are flagged by the runner; here it is told.
//!
//! A success is a success whatever the probe's state, and a wrong answer was not made by a busy processor: flags take
//! nothing away that is sound. Flagged samples do not vote.

pub mod control;
mod cpu;
mod gauges;
pub mod judge;
mod watch;

pub use control::Control;
pub use watch::run;

use judge::State;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch as channel;
use wire::sample::{FailClass, Flag, Outcome};

/// A timeout is doubted when the process is woken so late that this many waits would fill it: a request is waited for
/// about as often (name, connection, handshake, head, body), each wait up to twice.
const WAITS: u32 = 20;
const BLIND: u64 = 1 << 32;
const SATURATED: u64 = 1 << 33;

/// What the probe knows of itself now. Cheap to clone and to ask.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Lower half: the wake-up delay, microseconds; then one bit for each state.
    packed: Arc<AtomicU64>,
    told: Arc<channel::Sender<State>>,
}

impl Default for Condition {
    fn default() -> Self {
        Self { packed: Arc::default(), told: Arc::new(channel::Sender::new(State::default())) }
    }
}

/// The condition at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot(u64);

impl Condition {
    /// For a run that begins.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.packed.load(Ordering::Relaxed))
    }

    /// The flags of a run that ended just now and began at `begin`.
    pub fn flags(&self, begin: Snapshot, outcome: Outcome, slow: bool, timeout_us: u32) -> Vec<Flag> {
        let end = self.snapshot();
        let both = begin.0 | end.0;
        let late_us = (begin.0 as u32).max(end.0 as u32);
        let mut flags = Vec::new();
        if outcome.is_fail() && both & BLIND != 0 {
            flags.push(Flag::Blind);
        }
        let doubtful = outcome == Outcome::Fail(FailClass::Timeout)
            && u64::from(late_us) * u64::from(WAITS) >= u64::from(timeout_us);
        if both & SATURATED != 0 && (slow || doubtful) {
            flags.push(Flag::CpuSaturated);
        }
        flags
    }

    /// What there is to tell people.
    pub fn state(&self) -> State {
        self.told.borrow().clone()
    }

    /// Notes a new state.
    fn set(&self, state: State) {
        let late = u64::from(state.late_us);
        let bit = |is: bool, bit: u64| if is { bit } else { 0 };
        let packed = late | bit(state.blind.is_some(), BLIND) | bit(state.saturated.is_some(), SATURATED);
        self.packed.store(packed, Ordering::Relaxed);
        self.told.send_replace(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(blind: bool, saturated: bool, late_us: u32) -> Condition {
        let condition = Condition::default();
        let say = |is: bool| is.then(|| "because".to_owned());
        condition.set(State { blind: say(blind), saturated: say(saturated), stepped: None, late_us });
        condition
    }

    #[test]
    fn only_failures_of_a_blind_probe_are_flagged() {
        let blind = condition(true, false, 0);
        let flags = |outcome| blind.flags(blind.snapshot(), outcome, false, 1_000_000);
        assert_eq!(flags(Outcome::Fail(FailClass::Connect)), [Flag::Blind]);
        assert_eq!(flags(Outcome::Ok), []);
        let sees = condition(false, false, 0);
        assert_eq!(sees.flags(sees.snapshot(), Outcome::Fail(FailClass::Dns), false, 1), []);
    }

    #[test]
    fn a_run_that_began_blind_is_flagged_though_it_ended_otherwise() {
        let condition = condition(true, false, 0);
        let begin = condition.snapshot();
        condition.set(State::default());
        let flags = condition.flags(begin, Outcome::Fail(FailClass::Timeout), false, 1_000_000);
        assert_eq!(flags, [Flag::Blind]);
    }

    #[test]
    fn a_busy_machine_makes_only_times_doubtful() {
        let busy = condition(false, true, 30_000);
        let flags = |outcome, slow, timeout| busy.flags(busy.snapshot(), outcome, slow, timeout);
        assert_eq!(flags(Outcome::Ok, true, 2_000_000), [Flag::CpuSaturated]);
        assert_eq!(flags(Outcome::Ok, false, 2_000_000), []);
        assert_eq!(flags(Outcome::Fail(FailClass::Status), false, 1), []);
        // 20 × 30 ms explain a timeout of 600 ms, and none of 2 s.
        assert_eq!(flags(Outcome::Fail(FailClass::Timeout), false, 600_000), [Flag::CpuSaturated]);
        assert_eq!(flags(Outcome::Fail(FailClass::Timeout), false, 2_000_000), []);
    }
}
