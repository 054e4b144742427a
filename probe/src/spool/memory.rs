//! Reports in memory, for while the disk refuses them: bounded, and gone when the process ends.
//!
//! Their numbers are far above those of reports on disk, which begin at the wall clock's microseconds: a disk that
//! comes back goes on with its own numbers, and no number is ever used twice.

use super::{Encoded, Spooled, encode_samples, encode_windows};
use std::collections::VecDeque;
use tracing::warn;
use wire::{Micros, report::Report};

/// The most that is held, bytes of JSON: about ten minutes of fifty samples a second. When it is full, the oldest are
/// lost first.
pub const BYTES_MOST: usize = 16 << 20;
/// Added to the clock's microseconds. Such numbers are still exact where JSON numbers are floating point.
const BASE: i64 = 1 << 52;

/// The reports held in memory, oldest first.
#[derive(Debug, Default)]
pub struct Memory {
    reports: VecDeque<Spooled>,
    bytes: usize,
    samples: u64,
    next: i64,
    lost: u64,
}

impl Memory {
    /// Whether a number is one of these.
    pub fn owns(sequence: i64) -> bool {
        sequence >= BASE
    }

    /// Holds what a report carries, in several when it is much. The report's own number counts for nothing.
    pub fn append(&mut self, report: &Report, now: Micros) {
        self.next = self.next.max(BASE.saturating_add(now.0));
        self.hold(&encode_samples(&report.probe, self.next, &report.samples), report.samples.len());
        self.hold(&encode_windows(&report.probe, self.next, &report.mesh), 0);
        while self.bytes > BYTES_MOST
            && let Some(oldest) = self.pop()
        {
            warn!(samples = oldest.samples, "too many samples are held in memory: the oldest are lost");
            self.lost += u64::from(oldest.samples);
        }
    }

    /// Holds encoded reports, of `samples` samples together but for those that were too large to be encoded.
    fn hold(&mut self, Encoded { bytes, records }: &Encoded, samples: usize) {
        let mut held = 0;
        for record in records {
            let report = record.take(bytes, self.next);
            self.next += 1;
            self.bytes += report.json.len();
            held += u64::from(report.samples);
            self.reports.push_back(report);
        }
        self.samples += held;
        self.lost += (samples as u64).saturating_sub(held);
    }

    /// The oldest reports: at most `max_reports` and `max_bytes` of JSON, unless the first alone has more.
    pub fn peek(&self, max_reports: usize, max_bytes: usize) -> Vec<Spooled> {
        let mut bytes = 0;
        let fits = self.reports.iter().take(max_reports).take_while(|held| {
            let first = bytes == 0;
            bytes += held.json.len();
            first || bytes <= max_bytes
        });
        fits.cloned().collect()
    }

    /// Drops every report up to and including `sequence`.
    pub fn commit(&mut self, sequence: i64) {
        while self.reports.front().is_some_and(|held| held.sequence <= sequence) {
            self.pop();
        }
    }

    /// Drops them and counts them as lost.
    pub fn give_up(&mut self, sequence: i64) {
        while self.reports.front().is_some_and(|held| held.sequence <= sequence)
            && let Some(held) = self.pop()
        {
            self.lost += u64::from(held.samples);
        }
    }

    fn pop(&mut self) -> Option<Spooled> {
        let held = self.reports.pop_front()?;
        self.bytes -= held.json.len();
        self.samples -= u64::from(held.samples);
        Some(held)
    }

    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// The samples held.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Samples lost here since the last [`Memory::take_lost`].
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Counts samples that were lost elsewhere.
    pub fn note_lost(&mut self, samples: u64) {
        self.lost = self.lost.saturating_add(samples);
    }

    /// Hands over the count of lost samples to who can keep it.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spool::segment::SPLIT,
        testing::{read, sample},
    };
    use wire::sample::{Evidence, Sample};

    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn report(samples: Vec<Sample>) -> Report {
        Report { probe: "north-1".parse().expect("an id"), sequence: 0, samples, mesh: Vec::new() }
    }

    fn marks(reports: &[Spooled]) -> Vec<i64> {
        reports.iter().flat_map(|report| read(report).samples).map(|sample| sample.scheduled.0).collect()
    }

    #[test]
    fn hands_out_in_order_until_it_is_told_that_it_is_done() {
        let mut memory = Memory::default();
        (0..3).for_each(|n| memory.append(&report(vec![sample(n), sample(n + 10)]), NOW));
        let reports = memory.peek(2, usize::MAX);
        assert_eq!(marks(&reports), [0, 10, 1, 11]);
        assert_eq!(marks(&memory.peek(9, 1)), [0, 10], "the first comes whatever its size");
        assert!(reports.iter().all(|report| Memory::owns(report.sequence)));
        assert!(!Memory::owns(NOW.0) && NOW.0 + BASE < 1 << 53);
        memory.commit(reports[1].sequence);
        assert_eq!((marks(&memory.peek(9, usize::MAX)), memory.samples()), (vec![2, 12], 2));
        memory.give_up(i64::MAX);
        assert!(memory.is_empty());
        assert_eq!((memory.samples(), memory.take_lost(), memory.lost()), (0, 2, 0));
    }

    #[test]
    fn a_number_is_not_used_twice_though_the_clock_goes_back() {
        let mut memory = Memory::default();
        memory.append(&report(vec![sample(1)]), NOW);
        let first = memory.peek(1, 1)[0].sequence;
        memory.commit(first);
        memory.append(&report(vec![sample(2)]), Micros(1));
        assert_eq!(memory.peek(1, 1)[0].sequence, first + 1);
    }

    #[test]
    fn what_is_held_is_bounded_and_the_oldest_are_lost() {
        let large = |n: i64| Sample {
            evidence: Some(Evidence {
                summary: "x".repeat(100_000),
                step: None,
                excerpt: None,
                withheld: None,
            }),
            ..sample(n)
        };
        let mut memory = Memory::default();
        for n in 0..200 {
            memory.append(&report(vec![large(n)]), NOW);
        }
        assert!(memory.bytes <= BYTES_MOST && memory.lost() > 20);
        let reports = memory.peek(usize::MAX, usize::MAX);
        let kept = marks(&reports);
        assert_eq!(kept, (memory.lost() as i64..200).collect::<Vec<_>>());
        // Many large samples are several reports, none larger than a batch takes.
        let many = (0..40).map(large).collect();
        let mut memory = Memory::default();
        memory.append(&report(many), NOW);
        assert_eq!(marks(&memory.peek(usize::MAX, usize::MAX)), (0..40).collect::<Vec<_>>());
        assert!(memory.reports.len() > 1 && memory.reports.iter().all(|held| held.json.len() <= SPLIT));
    }
}
