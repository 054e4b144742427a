//! When each series runs. Pure: the caller says what time it is.
//!
//! A run's slot is `phase + k × interval` on the wall clock's grid since the epoch. The phase comes from a hash of
//! (probe, check, target), so the series of a probe spread over the interval, the probes of a check spread too,
//! a restart keeps every slot, and no error adds up over time.
//!
//! A slot that is found within one interval is due, however late; older ones are missed, and say so. Of a long
//! gap (a suspended machine, a clock set forward) at most [`MISSED_MOST`] slots a series are told one by one: the
//! first, which says when the gap began, and the newest; those between are only counted.
//!
//! When the wall clock is set back, a series waits at most one interval, and slots of the repeated time come again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};
use wire::{
    CheckId, Micros, ProbeId,
    assignment::{AssignedCheck, Assignment, Endpoint, Target},
    sample::Trigger,
};

/// The most missed slots told for one series at one wake.
pub const MISSED_MOST: i64 = 100;

/// One stream of samples: (check, vantage, target).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub probe: ProbeId,
    pub check: Arc<AssignedCheck>,
    pub endpoint: Endpoint,
}

/// One run of one series that should start, or should have started, at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub series: Arc<Series>,
    pub scheduled: Micros,
    pub trigger: Trigger,
    /// The number within an order of the collector, from 1; always 1 for a run by the schedule.
    pub attempt: u16,
}

/// What one wake brings. Every slot comes once, in `due` or in `missed`, or is counted in `omitted`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// To run now: at most one slot a series, so catching up is never a burst.
    pub due: Vec<Due>,
    /// Too late to run.
    pub missed: Vec<Due>,
    /// Missed slots beyond [`MISSED_MOST`].
    pub omitted: u64,
}

/// The slots of every series of one assignment.
#[derive(Debug, Default)]
pub struct Schedule {
    lines: Vec<Line>,
    /// The next slot of each line, earliest first: (instant, index into `lines`).
    queue: BinaryHeap<Reverse<(i64, usize)>>,
    latest: Micros,
}

#[derive(Debug)]
struct Line {
    series: Arc<Series>,
    interval: i64,
    phase: i64,
    next: i64,
}

impl Schedule {
    /// The schedule of an assignment; the first slots are those after `now`.
    pub fn new(assignment: &Assignment, now: Micros) -> Self {
        let mut schedule = Self::default();
        schedule.apply(assignment, now);
        schedule
    }

    /// Replaces the assignment. A series whose interval did not change goes on with the slot it waits for, so
    /// changing a check's other properties loses no slot and repeats none.
    pub fn apply(&mut self, assignment: &Assignment, now: Micros) {
        let before: BTreeMap<(&CheckId, &Target), &Line> = self
            .lines
            .iter()
            .map(|line| ((&line.series.check.id, &line.series.endpoint.target), line))
            .collect();
        let mut lines = Vec::new();
        for check in &assignment.checks {
            let check = Arc::new(check.clone());
            let interval = i64::from(check.interval_us).max(1);
            for endpoint in &check.endpoints {
                let phase = phase(&assignment.probe, &check.id, &endpoint.target, interval);
                let kept = before
                    .get(&(&check.id, &endpoint.target))
                    .filter(|line| line.interval == interval && line.phase == phase)
                    .filter(|line| line.next <= now.0 + interval);
                let next = kept.map_or_else(|| first_slot(phase, interval, now), |line| line.next);
                let series = Series {
                    probe: assignment.probe.clone(),
                    check: check.clone(),
                    endpoint: endpoint.clone(),
                };
                lines.push(Line { series: Arc::new(series), interval, phase, next });
            }
        }
        self.lines = lines;
        self.latest = now;
        self.refill();
    }

    /// When the next slot comes; absent when there is nothing to run.
    pub fn next(&self) -> Option<Micros> {
        self.queue.peek().map(|Reverse((next, _))| Micros(*next))
    }

    /// Takes every slot up to `now`.
    pub fn due(&mut self, now: Micros) -> Tick {
        if now < self.latest {
            self.rewind(now);
        }
        self.latest = now;
        let mut tick = Tick::default();
        while let Some(&Reverse((next, index))) = self.queue.peek()
            && next <= now.0
        {
            self.queue.pop();
            let line = &mut self.lines[index];
            let passed = Passed::between(next, line.interval, now);
            let due = |scheduled| Due {
                series: line.series.clone(),
                scheduled,
                trigger: Trigger::Schedule,
                attempt: 1,
            };
            tick.missed.extend(passed.told().map(due));
            tick.omitted += passed.omitted();
            tick.due.push(due(passed.newest));
            line.next = passed.newest.0 + line.interval;
            self.queue.push(Reverse((line.next, index)));
        }
        tick
    }

    /// The series of a check towards a target.
    pub fn find(&self, check: &CheckId, target: &Target) -> Option<&Arc<Series>> {
        self.lines
            .iter()
            .map(|line| &line.series)
            .find(|series| series.check.id == *check && series.endpoint.target == *target)
    }

    /// The clock was set back: nobody waits longer than an interval for that.
    fn rewind(&mut self, now: Micros) {
        for line in &mut self.lines {
            if line.next > now.0 + line.interval {
                line.next = first_slot(line.phase, line.interval, now);
            }
        }
        self.refill();
    }

    fn refill(&mut self) {
        self.queue = self.lines.iter().enumerate().map(|(index, line)| Reverse((line.next, index))).collect();
    }
}

/// The slots that a late wake finds: `first`, `first + step` and so on up to `newest`, which is less than one step
/// old. All but the newest are missed.
pub(crate) struct Passed {
    first: i64,
    step: i64,
    pub(crate) newest: Micros,
}

impl Passed {
    /// `first` must not be later than `now`.
    pub(crate) fn between(first: i64, step: i64, now: Micros) -> Self {
        let newest = first + (now.0 - first) / step * step;
        Self { first, step, newest: Micros(newest) }
    }

    /// How many slots are missed.
    pub(crate) fn missed(&self) -> i64 {
        (self.newest.0 - self.first) / self.step
    }

    /// The missed slots that are told one by one, in order.
    fn told(&self) -> impl Iterator<Item = Micros> + use<> {
        let (first, step, count) = (self.first, self.step, self.missed());
        let resume = (count - MISSED_MOST + 1).max(1);
        (0..count).take(1).chain(resume..count).map(move |k| Micros(first + k * step))
    }

    fn omitted(&self) -> u64 {
        u64::try_from(self.missed() - MISSED_MOST).unwrap_or(0)
    }
}

/// The first slot that is not before `now`.
fn first_slot(phase: i64, interval: i64, now: Micros) -> i64 {
    now.0 + (phase - now.0).rem_euclid(interval)
}

/// A stable number from 0 to `interval` - 1. It must never change between versions: slots would move.
fn phase(probe: &ProbeId, check: &CheckId, target: &Target, interval: i64) -> i64 {
    // FNV-1a, 64 bit. Ids hold no NUL, so it separates them.
    let text = format!("{probe}\0{check}\0{target}");
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // FNV leaves the last characters in the low bits, so `check-1` and `check-2` would be neighbours: MurmurHash3's
    // finaliser lets every bit change every other.
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^= hash >> 33;
    i64::try_from(hash % interval.unsigned_abs()).expect("less than the interval, which is an i64")
}

#[cfg(test)]
mod tests;
