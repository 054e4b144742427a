//! Runs that the collector wants at once: to confirm a suspicion, or to prove where users arrive. Pure, like the
//! schedule: the caller says what time it is.
//!
//! What one collector can ask for is bounded, so that neither a mistake nor a flood turns the probe into a weapon.

use crate::schedule::{Due, Passed, Schedule, Series, Tick};
use std::sync::Arc;
use wire::{
    Micros,
    assignment::{Confirm, Purpose},
    sample::Trigger,
};

/// The most sequences at one time.
pub const SEQUENCES_MOST: usize = 64;
/// The most runs of one sequence.
pub const RUNS_MOST: u16 = 60;
/// The least time between two starts of one sequence, microseconds.
pub const EVERY_LEAST_US: u32 = 100_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// Sequences begun or begun anew.
    pub begun: usize,
    /// Checks that this probe does not run against that target.
    pub unknown: usize,
    /// Sequences not begun because too many are under way.
    pub refused: usize,
}

/// The sequences under way.
#[derive(Debug, Default)]
pub struct Confirms {
    sequences: Vec<Sequence>,
}

#[derive(Debug)]
struct Sequence {
    series: Arc<Series>,
    purpose: Purpose,
    next: Micros,
    every_us: i64,
    left: u16,
    /// Runs so far, those that were missed included.
    made: u16,
}

impl Confirms {
    /// Begins one sequence for each named check, the first run at once. It replaces the sequence for the same
    /// check, target and purpose. Runs and pace are kept within their bounds.
    pub fn begin(&mut self, confirm: &Confirm, schedule: &Schedule, now: Micros) -> Answer {
        let mut answer = Answer::default();
        for check in &confirm.checks {
            let Some(series) = schedule.find(check, &confirm.target) else {
                answer.unknown += 1;
                continue;
            };
            self.sequences.retain(|old| old.purpose != confirm.purpose || !same_series(&old.series, series));
            if self.sequences.len() >= SEQUENCES_MOST {
                answer.refused += 1;
                continue;
            }
            answer.begun += 1;
            self.sequences.push(Sequence {
                series: series.clone(),
                purpose: confirm.purpose,
                next: now,
                every_us: confirm.every_us.max(EVERY_LEAST_US).into(),
                left: confirm.runs.clamp(1, RUNS_MOST),
                made: 0,
            });
        }
        answer
    }

    /// Follows a new assignment: sequences of series that are gone end, the others run as now assigned.
    pub fn apply(&mut self, schedule: &Schedule) {
        self.sequences.retain_mut(|sequence| {
            let found = schedule.find(&sequence.series.check.id, &sequence.series.endpoint.target);
            found.is_some_and(|series| {
                sequence.series = series.clone();
                true
            })
        });
    }

    /// When the next run is due; absent when nothing is under way.
    pub fn next(&self) -> Option<Micros> {
        self.sequences.iter().map(|sequence| sequence.next).min()
    }

    /// Takes every run up to `now`. A late wake runs only the newest, as the schedule does.
    pub fn due(&mut self, now: Micros) -> Tick {
        let mut tick = Tick::default();
        for sequence in &mut self.sequences {
            // A clock that was set back must not hold a confirmation up.
            sequence.next = sequence.next.min(now.plus_us(sequence.every_us));
            if sequence.next > now {
                continue;
            }
            let trigger = match sequence.purpose {
                Purpose::Suspicion => Trigger::Confirm,
                Purpose::Proof => Trigger::Proof,
            };
            let passed = Passed::between(sequence.next.0, sequence.every_us, now);
            let mut run = |scheduled| {
                sequence.made += 1;
                let series = sequence.series.clone();
                Due { series, scheduled, trigger, attempt: sequence.made }
            };
            // Every one of them is told: they are few, and after the last the sequence is over.
            let (next, every_us) = (sequence.next, sequence.every_us);
            let missed = passed.missed().min(sequence.left.into());
            tick.missed.extend((0..missed).map(|k| run(next.plus_us(k * every_us))));
            let left = i64::from(sequence.left) - passed.missed();
            if left > 0 {
                tick.due.push(run(passed.newest));
            }
            sequence.next = passed.newest.plus_us(sequence.every_us);
            sequence.left = u16::try_from(left - 1).unwrap_or(0);
        }
        self.sequences.retain(|sequence| sequence.left > 0);
        tick
    }
}

fn same_series(one: &Series, other: &Series) -> bool {
    one.check.id == other.check.id && one.endpoint.target == other.endpoint.target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assignment, check, target};

    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn schedule(checks: usize) -> Schedule {
        let checks =
            (0..checks).map(|n| check(&format!("c{n}"), 60_000_000, "http://127.0.0.1:1/")).collect();
        Schedule::new(&assignment(checks), NOW)
    }

    fn confirm(checks: usize, runs: u16) -> Confirm {
        Confirm {
            checks: (0..checks).map(|n| format!("c{n}").parse().expect("an id")).collect(),
            target: target("a"),
            every_us: 1_000_000,
            runs,
            purpose: Purpose::Suspicion,
        }
    }

    #[test]
    fn runs_at_once_and_then_at_its_pace() {
        let mut confirms = Confirms::default();
        confirms.begin(&confirm(1, 3), &schedule(1), NOW);
        let mut starts = Vec::new();
        let mut now = NOW;
        while let Some(next) = confirms.next() {
            now = now.max(next);
            let tick = confirms.due(now);
            assert!(tick.missed.is_empty());
            starts.extend(tick.due.iter().map(|due| (due.scheduled.since(NOW), due.trigger, due.attempt)));
        }
        let wanted = [(0, 1), (1_000_000, 2), (2_000_000, 3)];
        assert_eq!(starts, wanted.map(|(at, attempt)| (at, Trigger::Confirm, attempt)));
    }

    #[test]
    fn a_late_wake_misses_runs_and_never_bursts() {
        let mut confirms = Confirms::default();
        confirms.begin(&confirm(1, 5), &schedule(1), NOW);
        let mut attempts = |us| {
            let tick = confirms.due(NOW.plus_us(us));
            let numbers = |runs: Vec<Due>| runs.iter().map(|due| due.attempt).collect::<Vec<_>>();
            (numbers(tick.due), numbers(tick.missed))
        };
        assert_eq!(attempts(2_500_000), (vec![3], vec![1, 2]));
        assert_eq!(attempts(60_000_000), (vec![], vec![4, 5]));
        assert_eq!(confirms.next(), None);
    }

    #[test]
    fn only_its_own_runs_are_missed_after_a_long_gap() {
        let mut confirms = Confirms::default();
        confirms.begin(&confirm(1, 3), &schedule(1), NOW);
        let tick = confirms.due(NOW.plus_us(3_600_000_000));
        let missed: Vec<i64> = tick.missed.iter().map(|run| run.scheduled.since(NOW)).collect();
        assert_eq!((tick.due.len(), missed), (0, vec![0, 1_000_000, 2_000_000]));
    }

    proptest::proptest! {
        /// However late the wakes are, a sequence makes or misses each of its runs once, at its pace, and ends.
        #[test]
        fn every_run_is_made_or_missed_once(
            runs in 0u16..100,
            every_us in 0u32..10_000_000,
            steps in proptest::collection::vec(0i64..30_000_000_000, 1..80),
        ) {
            let mut confirms = Confirms::default();
            confirms.begin(&Confirm { every_us, ..confirm(1, runs) }, &schedule(1), NOW);
            let (mut now, mut seen) = (NOW, Vec::new());
            for step in steps {
                let next = confirms.next();
                now = now.plus_us(step);
                let tick = confirms.due(now);
                proptest::prop_assert!(tick.due.len() <= 1);
                proptest::prop_assert_eq!(tick.due.len() + tick.missed.len() > 0, next.is_some_and(|next| next <= now));
                seen.extend(tick.missed.iter().chain(&tick.due).map(|run| run.scheduled.since(NOW)));
            }
            let every = i64::from(every_us.max(EVERY_LEAST_US));
            let expected: Vec<i64> = (0..i64::try_from(seen.len()).expect("few")).map(|k| k * every).collect();
            proptest::prop_assert_eq!(&seen, &expected);
            let over = now.since(NOW) >= every * i64::from(runs.clamp(1, RUNS_MOST) - 1);
            proptest::prop_assert_eq!(confirms.next().is_none(), over);
            if over {
                proptest::prop_assert_eq!(seen.len(), usize::from(runs.clamp(1, RUNS_MOST)));
            }
        }
    }

    #[test]
    fn a_newer_request_replaces_the_old_one_of_its_purpose() {
        let (schedule, mut confirms) = (schedule(1), Confirms::default());
        confirms.begin(&confirm(1, 60), &schedule, NOW);
        confirms.begin(&confirm(1, 2), &schedule, NOW);
        confirms.begin(&Confirm { purpose: Purpose::Proof, ..confirm(1, 1) }, &schedule, NOW);
        let left: Vec<u16> = confirms.sequences.iter().map(|sequence| sequence.left).collect();
        assert_eq!(left, [2, 1]);
    }

    #[test]
    fn what_can_be_asked_for_is_bounded() {
        let (schedule, mut confirms) = (schedule(70), Confirms::default());
        let answer = confirms.begin(&Confirm { every_us: 0, ..confirm(71, u16::MAX) }, &schedule, NOW);
        assert_eq!(answer, Answer { begun: 64, unknown: 1, refused: 6 });
        assert!(confirms.sequences.iter().all(|s| s.left == 60 && s.every_us == 100_000));
    }

    #[test]
    fn sequences_end_with_their_series() {
        let mut confirms = Confirms::default();
        confirms.begin(&confirm(2, 60), &schedule(2), NOW);
        confirms.apply(&schedule(1));
        assert_eq!(confirms.sequences.len(), 1);
    }
}
