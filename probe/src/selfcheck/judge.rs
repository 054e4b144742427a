//! What follows from what the probe sees of itself. Pure: the caller says what time it is, as the time since the start.

use std::{collections::VecDeque, time::Duration};

/// No control target answered for so long: blind. Longer than a lost packet takes to be sent again, and shorter than
/// the hold after which failures become a verdict (6 s unless configured otherwise).
pub const BLIND_AFTER: Duration = Duration::from_secs(4);
/// One control target alone cannot tell its own fault from ours.
const CONTROLS_LEAST: usize = 2;
/// The span over which the processors and the lateness are looked at.
pub const WINDOW: Duration = Duration::from_secs(5);
/// Busier than this is saturated, share of 1; less than the second is no more, so that nothing flutters between.
const BUSY: (f64, f64) = (0.9, 0.8);
/// Woken later than this, in one case of a hundred, is saturated; earlier than the second is no more.
const LATE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(10));
/// The wall clock moved this much more or less than the monotonic one: it was stepped, microseconds.
const STEP_US: i64 = 50_000;

/// What the probe believes of itself. Each reason is a sentence without its full stop.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub blind: Option<String>,
    pub saturated: Option<String>,
    pub stepped: Option<String>,
    /// How late the process is woken in one case of a hundred, microseconds.
    pub late_us: u32,
}

impl State {
    /// The reasons, in order of badness.
    pub fn troubles(&self) -> impl Iterator<Item = &str> {
        [&self.blind, &self.saturated, &self.stepped].into_iter().flatten().map(String::as_str)
    }
}

/// The processors' time since the machine started, in whatever unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    pub busy: u64,
    pub total: u64,
}

/// Everything seen that still matters.
#[derive(Debug)]
pub struct Judge {
    controls: Vec<Seen>,
    ticks: VecDeque<(Duration, Ticks)>,
    late: VecDeque<(Duration, Duration)>,
    step: Option<(Duration, i64)>,
    was_saturated: bool,
}

/// What is known of a control target.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    answered: Option<Duration>,
    failed: Option<Duration>,
}

impl Judge {
    /// Begins with nothing known of so many control targets.
    pub fn new(controls: usize) -> Judge {
        Judge {
            controls: vec![Seen::default(); controls],
            ticks: VecDeque::new(),
            late: VecDeque::new(),
            step: None,
            was_saturated: false,
        }
    }

    /// A control target answered, or did not.
    pub fn control(&mut self, index: usize, answered: bool, now: Duration) {
        if let Some(seen) = self.controls.get_mut(index) {
            *if answered { &mut seen.answered } else { &mut seen.failed } = Some(now);
        }
    }

    /// Where the processors' counters stand.
    pub fn ticks(&mut self, ticks: Ticks, now: Duration) {
        self.ticks.push_back((now, ticks));
    }

    /// The process was woken this late.
    pub fn woken(&mut self, late: Duration, now: Duration) {
        self.late.push_back((now, late));
    }

    /// The wall clock moved by so much more than the monotonic one, microseconds; whether that is a step.
    pub fn clock(&mut self, drift_us: i64, now: Duration) -> bool {
        let stepped = drift_us.abs() > STEP_US;
        if stepped {
            self.step = Some((now, drift_us));
        }
        stepped
    }

    /// The share of time that the processors were busy in the last seconds; absent where that is not known.
    pub fn busy(&self) -> Option<f64> {
        let ((_, first), (_, last)) = (self.ticks.front()?, self.ticks.back()?);
        let total = last.total.checked_sub(first.total).filter(|total| *total > 0)?;
        Some(last.busy.saturating_sub(first.busy) as f64 / total as f64)
    }

    /// What follows from all of it.
    pub fn state(&mut self, now: Duration) -> State {
        let since = now.saturating_sub(WINDOW);
        let old = |at: Duration| at < since;
        // The oldest kept is the one to compare with.
        while self.ticks.get(1).is_some_and(|(at, _)| old(*at)) {
            self.ticks.pop_front();
        }
        while self.late.front().is_some_and(|(at, _)| old(*at)) {
            self.late.pop_front();
        }
        self.step = self.step.filter(|(at, _)| !old(*at));
        let late = self.late_p99();
        let saturated = self.saturated(late);
        self.was_saturated = saturated.is_some();
        State {
            blind: self.blind(now),
            saturated,
            stepped: self.step.map(|(_, by)| {
                let (way, seconds) =
                    (if by > 0 { "forward" } else { "back" }, by.unsigned_abs() as f64 / 1e6);
                format!("the clock was set {way} by {seconds:.3} s")
            }),
            late_us: u32::try_from(late.as_micros()).unwrap_or(u32::MAX),
        }
    }

    fn blind(&self, now: Duration) -> Option<String> {
        let count = self.controls.len();
        let failing = |seen: &Seen| seen.failed.is_some() && seen.failed > seen.answered;
        if count < CONTROLS_LEAST || !self.controls.iter().all(failing) {
            return None;
        }
        // Nothing was heard before the start either.
        let heard = self.controls.iter().filter_map(|seen| seen.answered).max();
        let silent = now.saturating_sub(heard.unwrap_or_default());
        (silent >= BLIND_AFTER).then(|| {
            let which = if count == 2 { "neither".to_owned() } else { format!("none of {count}") };
            let what = if count == 2 { "of the control targets" } else { "control targets" };
            format!("{which} {what} has answered for {} s or more", BLIND_AFTER.as_secs())
        })
    }

    fn saturated(&self, late: Duration) -> Option<String> {
        let (busy_most, late_most) = if self.was_saturated { (BUSY.1, LATE.1) } else { (BUSY.0, LATE.0) };
        let busy = self.busy().filter(|busy| *busy > busy_most);
        let late = Some(late).filter(|late| *late > late_most);
        let busy = busy.map(|busy| format!("the processors are {:.0} % busy", busy * 100.0));
        let late = late.map(|late| format!("this process is woken {} ms late", late.as_millis()));
        match (busy, late) {
            (Some(busy), Some(late)) => Some(format!("{busy} and {late}")),
            (one, other) => one.or(other),
        }
    }

    /// The 99th percentile of the lateness (nearest rank); zero before anything was seen.
    fn late_p99(&self) -> Duration {
        let mut all: Vec<Duration> = self.late.iter().map(|(_, late)| *late).collect();
        if all.is_empty() {
            return Duration::ZERO;
        }
        let rank = (all.len() * 99).div_ceil(100) - 1;
        *all.select_nth_unstable(rank).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Each control target fails at `at`.
    fn fail(judge: &mut Judge, controls: usize, at: f64) {
        (0..controls).for_each(|index| judge.control(index, false, s(at)));
    }

    #[test]
    fn blind_when_none_of_two_answers_for_a_while() {
        let mut judge = Judge::new(2);
        judge.control(0, true, s(10.0));
        judge.control(1, true, s(10.5));
        fail(&mut judge, 2, 12.0);
        assert_eq!(judge.state(s(14.4)).blind, None);
        let said = judge.state(s(14.5)).blind.expect("4 s after the last answer");
        assert!(said.contains("neither of the control targets"), "{said}");
        judge.control(1, true, s(14.6));
        assert_eq!(judge.state(s(14.6)).blind, None, "one answer is enough");
    }

    #[test]
    fn one_control_target_proves_nothing() {
        for controls in [0, 1] {
            let mut judge = Judge::new(controls);
            fail(&mut judge, controls, 1.0);
            assert_eq!(judge.state(s(1000.0)).blind, None);
        }
    }

    #[test]
    fn silence_of_the_self_check_is_not_blindness() {
        let mut judge = Judge::new(3);
        assert_eq!(judge.state(s(1000.0)).blind, None, "nothing was tried");
        judge.control(0, false, s(1.0));
        judge.control(1, false, s(1.0));
        assert_eq!(judge.state(s(1000.0)).blind, None, "one was not tried");
        judge.control(2, false, s(1001.0));
        assert!(judge.state(s(1001.0)).blind.expect("none ever answered").contains("none of 3"));
    }

    #[test]
    fn saturated_when_the_processors_are_busy_all_the_time() {
        let mut judge = Judge::new(0);
        let mut at = |second: u64, busy: u64| {
            judge.ticks(Ticks { busy, total: second * 100 }, Duration::from_secs(second));
            judge.state(Duration::from_secs(second)).saturated
        };
        assert_eq!(at(0, 0), None);
        for second in 1..=10 {
            assert_eq!(at(second, second * 90), None, "90 % is not more than 90 %");
        }
        // The span moves on: after some seconds only the busy ones are in it.
        let said = (11..=20).filter_map(|second| at(second, 900 + (second - 10) * 99)).last();
        assert!(said.expect("99 % busy").contains("99 % busy"));
        // It does not end with the first moment below.
        let mut busy = 900 + 10 * 99;
        let mut then = |second, share| {
            busy += share;
            at(second, busy)
        };
        assert!((21..=30).all(|second| then(second, 85).is_some()));
        assert_eq!((31..=36).map(|second| then(second, 79)).last(), Some(None));
        assert_eq!((37..=42).map(|second| then(second, 85)).last(), Some(None));
    }

    #[test]
    fn saturated_when_woken_late_more_often_than_once_in_a_hundred() {
        let mut judge = Judge::new(0);
        let mut late = |n: u32, late_ms: u64| {
            let now = Duration::from_millis(u64::from(n) * 25);
            judge.woken(Duration::from_millis(late_ms), now);
            judge.state(now)
        };
        for n in 0..199 {
            late(n, 1);
        }
        assert_eq!(late(199, 500).saturated, None, "one stumble");
        late(200, 500);
        let state = late(201, 500);
        assert!(state.saturated.expect("several").contains("500 ms late"));
        assert_eq!(state.late_us, 500_000);
        assert_eq!((202..600).map(|n| late(n, 1)).last().expect("some").saturated, None, "it is over");
    }

    #[test]
    fn a_step_of_the_clock_is_told_for_a_while() {
        let mut judge = Judge::new(0);
        assert!(!judge.clock(50_000, s(1.0)), "drift and reading take a moment");
        assert!(judge.clock(-3_600_000_000, s(2.0)));
        let said = judge.state(s(2.0)).stepped.expect("a step");
        assert_eq!(said, "the clock was set back by 3600.000 s");
        assert_eq!(judge.state(s(7.1)).stepped, None);
    }
}
