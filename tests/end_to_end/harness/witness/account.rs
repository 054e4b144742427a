//! The books of one probe: which reports were made, which are on their way, which were acknowledged.

use super::{content, post::Answer};
use anyhow::{Context, ensure};
use runtime::{
    clock::{Clock, SystemClock},
    random::Random,
};
use std::collections::BTreeSet;
use wire::{
    Micros, ProbeId,
    report::{Batch, Report},
};

/// New reports in a batch, at most.
const NEW: usize = 6;
/// Reports in a batch that were not acknowledged yet, at most.
const AGAIN: usize = 20;
/// Reports in a batch that were acknowledged before, at most.
const OVERLAP: usize = 3;
/// How many may wait before no new ones are made.
const MOST_PENDING: usize = 1_000;

/// The account of a probe.
#[derive(Debug)]
pub struct Account {
    probe: ProbeId,
    seed: u64,
    /// The number of the first report; the others follow without a gap.
    first: i64,
    made: Vec<Made>,
    /// Numbers that were not acknowledged yet.
    pending: BTreeSet<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Made {
    at: Micros,
    acknowledged: bool,
    /// How often it was found in the store.
    found: u32,
}

/// A batch as it is sent, with what was known then.
#[derive(Debug)]
pub struct Sent {
    pub batch: Batch,
    /// How many of its reports are no news: acknowledged before, or in this batch twice.
    known: usize,
}

impl Account {
    /// An empty account. Its numbers begin at the present time, as those of a new spool do.
    pub fn open(probe: ProbeId, seed: u64) -> Account {
        let first = SystemClock.now().0;
        Account { probe, seed, first, made: Vec::new(), pending: BTreeSet::new() }
    }

    /// How many reports were made and not acknowledged.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A batch to send, with new reports when they are wanted.
    pub fn next_batch(&mut self, random: &Random, new: bool) -> Option<Sent> {
        let mut numbers: Vec<i64> = Vec::new();
        if !self.pending.is_empty() {
            // Begin anywhere, so that two senders overlap and the oldest do not always come first.
            let waiting: Vec<i64> = self.pending.iter().copied().collect();
            let from = below(random, waiting.len());
            numbers.extend(waiting.iter().cycle().skip(from).take(waiting.len().min(AGAIN)));
        }
        if new && self.pending.len() < MOST_PENDING {
            for _ in 0..=below(random, NEW) {
                numbers.push(self.first + self.made.len() as i64);
                self.pending.extend(numbers.last());
                self.made.push(Made { at: SystemClock.now(), acknowledged: false, found: 0 });
            }
        }
        if numbers.is_empty() {
            return None;
        }
        let mut known = 0;
        if random.unit() < 0.1 {
            for _ in 0..OVERLAP {
                let number = self.first + below(random, self.made.len()) as i64;
                if self.made(number).is_some_and(|made| made.acknowledged) && !numbers.contains(&number) {
                    numbers.push(number);
                    known += 1;
                }
            }
        }
        if random.unit() < 0.05 {
            numbers.push(numbers[0]);
            known += 1;
        }
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, below(random, last + 1));
        }
        let reports = numbers.iter().filter_map(|number| self.report(*number)).collect();
        Some(Sent { batch: Batch { sent: SystemClock.now(), reports, lost: 0 }, known })
    }

    /// Writes down the answer to a batch, and says how many reports were acknowledged by it for the first time.
    ///
    /// # Errors
    /// When the answer cannot be true: the collector says that something is new which it had acknowledged before.
    pub fn settle(&mut self, sent: &Sent, answer: &Answer) -> anyhow::Result<u64> {
        let accepted = match answer {
            Answer::Taken(accepted) => accepted,
            Answer::Later(_) | Answer::Broken(_) => return Ok(0),
            Answer::Wrong(what) => anyhow::bail!("{}: {what}", self.probe),
        };
        let mut new = 0;
        for report in &sent.batch.reports {
            if self.pending.remove(&report.sequence) {
                self.made_mut(report.sequence).context("it is ours")?.acknowledged = true;
                new += 1;
            }
        }
        let total = sent.batch.reports.len();
        let (stored, duplicates) = (accepted.stored, accepted.duplicates);
        ensure!(
            stored + duplicates == total && duplicates >= sent.known,
            "{}: {stored} stored and {duplicates} duplicates in a batch of {total}, of which {} were acknowledged \
             before",
            self.probe,
            sent.known
        );
        Ok(new)
    }

    /// Ticks off a report that is stored.
    ///
    /// # Errors
    /// When it was never sent, never acknowledged, found before, or is not what was sent.
    pub fn tick_off(&mut self, stored: &Report) -> anyhow::Result<()> {
        let (probe, number) = (&self.probe, stored.sequence);
        let sent = self.report(number).with_context(|| format!("{probe} never sent {number}"))?;
        ensure!(*stored == sent, "{probe}: {number} is stored as {stored:?} and was sent as {sent:?}");
        let probe = probe.clone();
        let made = self.made_mut(number).context("it is ours")?;
        ensure!(made.acknowledged, "{probe}: {number} is stored and was not acknowledged");
        made.found += 1;
        ensure!(made.found == 1, "{probe}: {number} is stored {} times", made.found);
        Ok(())
    }

    /// Checks that every report that was acknowledged was ticked off, and forgets the ticks.
    pub fn check_all_ticked(&mut self) -> anyhow::Result<()> {
        let missing = |made: &&Made| made.acknowledged && made.found != 1;
        let lost = self.made.iter().filter(missing).count();
        let first = self.made.iter().position(|made| missing(&made));
        ensure!(
            lost == 0,
            "{lost} of {} reports of {} were acknowledged and are lost; the first of them was made at {:?}",
            self.made.len(),
            self.probe,
            first.map(|place| self.made[place].at.to_string())
        );
        self.made.iter_mut().for_each(|made| made.found = 0);
        Ok(())
    }

    /// The report with a number; the same each time.
    fn report(&self, number: i64) -> Option<Report> {
        let made = self.made(number)?;
        Some(content::report(self.seed, &self.probe, number, made.at))
    }

    fn made(&self, number: i64) -> Option<&Made> {
        self.made.get(usize::try_from(number - self.first).ok()?)
    }

    fn made_mut(&mut self, number: i64) -> Option<&mut Made> {
        self.made.get_mut(usize::try_from(number - self.first).ok()?)
    }
}

/// A number from 0 to below `limit`, which is above 0.
fn below(random: &Random, limit: usize) -> usize {
    (random.unit() * limit as f64) as usize
}
