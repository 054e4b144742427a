//! The rows that are not sealed yet: in memory, in shards behind their own locks, each row with the position of its log
//! entry.
//!
//! A shard is sealed up to its *cursor*. What is at or below the cursor is in the database and does not come in again,
//! however often the log is replayed; rows leave only after the commit that sealed them. A query that copies rows first
//! and reads the cursor from the database afterwards therefore counts each row once.

use super::{
    arrival::{self, Arrivals},
    erasures::Erasures,
    key::{KeyRef, SeriesKey},
    milestones::Milestones,
    shard::{SHARDS, shard_of},
};
use crate::{assigned::Assigned, tail};
use ::series::{Row, head::Head};
use runtime::lock::lock;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};
use wire::{Micros, ProbeId, report::Report, sample::Sample};

/// All heads.
#[derive(Debug)]
pub struct Heads {
    shards: Vec<Mutex<Shard>>,
    /// Every log entry up to here has been taken in.
    taken: AtomicI64,
    /// How many samples they had.
    milestones: Mutex<Milestones>,
    rows: AtomicUsize,
    arrivals: Mutex<BTreeMap<ProbeId, Arrivals>>,
}

/// The heads of some checks.
#[derive(Debug, Default)]
struct Shard {
    cursor: i64,
    lines: Vec<Line>,
    /// Where a series is in `lines`, by a hash of its key; the next number when two keys share one.
    places: HashMap<u64, usize>,
    hasher: RandomState,
    rows: usize,
    /// What was erased and may still be in the log.
    erasures: Erasures,
}

/// The head of one series.
#[derive(Debug)]
struct Line {
    key: SeriesKey,
    /// Its number in the database, once it is known.
    id: Option<i64>,
    head: Head,
}

/// How a shard stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Its rows in memory.
    pub rows: usize,
    /// Up to where it is sealed.
    pub cursor: i64,
    /// Samples of all shards in the log since then, as far as it was taken in.
    pub behind: u64,
}

/// What of a shard is to be sealed.
#[derive(Debug, Default)]
pub struct Unsealed {
    /// Up to where it has been sealed.
    pub cursor: i64,
    /// Up to where this seals it.
    pub position: i64,
    /// Series that have rows, with their number where it is known. Rows are sorted by their start.
    pub series: Vec<(SeriesKey, Option<i64>, Vec<Row>)>,
}

impl Heads {
    /// Empty heads of shards that are sealed up to `cursors`.
    pub fn new(cursors: &[i64; SHARDS]) -> Heads {
        let shard = |cursor: &i64| Mutex::new(Shard { cursor: *cursor, ..Shard::default() });
        let least = cursors.iter().copied().min().unwrap_or_default();
        Heads {
            shards: cursors.iter().map(shard).collect(),
            taken: AtomicI64::new(least),
            milestones: Mutex::new(Milestones::new(least)),
            rows: AtomicUsize::new(0),
            arrivals: Mutex::default(),
        }
    }

    /// Takes in a report: its runs, and the steps of its journeys. Entries come in order of their positions; one that
    /// was taken before changes nothing.
    pub fn take(&self, assigned: &Assigned, position: i64, received: Micros, clock_us: i64, report: &Report) {
        if position <= self.taken() {
            return;
        }
        let mut counts = Arrivals::default();
        let mut wanted = Vec::with_capacity(report.samples.len());
        for sample in &report.samples {
            let Some(known) = assigned.find(&report.probe, &sample.check, &sample.target) else {
                counts.unconfigured += 1;
                continue;
            };
            if let Some(at) = arrival::judge(sample.started, clock_us, received, &mut counts) {
                wanted.push((known, at, sample));
            }
        }
        wanted.sort_by_key(|(known, ..)| known.shard);
        for group in wanted.chunk_by(|(a, ..), (b, ..)| a.shard == b.shard) {
            let mut shard = lock(&self.shards[group[0].0.shard]);
            if position <= shard.cursor {
                continue;
            }
            let before = shard.rows;
            for (known, at, sample) in group {
                let probe = report.probe.as_str();
                shard.push_sample(position, probe, *at, sample);
                for step in &sample.steps {
                    if known.has_step(&step.name) {
                        let key = KeyRef { part: &step.name, ..key(probe, sample) };
                        shard.push(position, key, Row::of_step(step, sample, *at));
                    } else {
                        counts.unconfigured += 1;
                    }
                }
            }
            self.rows.fetch_add(shard.rows - before, Ordering::Relaxed);
        }
        lock(&self.arrivals).entry(report.probe.clone()).or_default().add(&counts);
        self.passed(position, tail::weight(report));
    }

    /// Notes that everything up to a log position has been taken in, or holds nothing for the history.
    pub fn pass(&self, position: i64) {
        self.passed(position, 1);
    }

    fn passed(&self, position: i64, samples: usize) {
        lock(&self.milestones).note(position, samples);
        self.taken.fetch_max(position, Ordering::AcqRel);
    }

    /// The log position up to which everything was taken in.
    pub fn taken(&self) -> i64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// How each shard stands.
    pub fn shards(&self) -> impl Iterator<Item = Held> {
        self.shards.iter().map(|shard| {
            let (rows, cursor) = {
                let shard = lock(shard);
                (shard.rows, shard.cursor)
            };
            Held { rows, cursor, behind: lock(&self.milestones).since(cursor) }
        })
    }

    /// How many series have a head, and the memory that their rows take, bytes.
    pub fn memory(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(series, bytes), shard| {
            let shard = lock(shard);
            let rows: usize = shard.lines.iter().map(|line| line.head.memory()).sum();
            (series + shard.lines.len(), bytes + rows)
        })
    }

    /// How samples arrived, by probe.
    pub fn arrivals(&self) -> BTreeMap<ProbeId, Arrivals> {
        lock(&self.arrivals).clone()
    }

    /// Shows the series of a check, with their heads, under the lock of its shard: copy what is needed, and no more.
    pub fn each(&self, check: &str, mut look: impl FnMut(&SeriesKey, &Head)) {
        let shard = lock(&self.shards[shard_of(check)]);
        for line in shard.lines.iter().filter(|line| line.key.check == check) {
            look(&line.key, &line.head);
        }
    }

    /// Copies what of a shard can be sealed now. The rows stay until [`Heads::sealed`].
    pub fn unsealed(&self, shard: usize) -> Unsealed {
        // Before the lock: what is taken in meanwhile has a higher position and stays.
        let position = self.taken();
        let shard = lock(&self.shards[shard]);
        let rows = |line: &Line| Some((line.key.clone(), line.id, line.head.rows_until(position)));
        let series = shard.lines.iter().filter(|line| !line.head.is_empty()).filter_map(rows);
        Unsealed {
            cursor: shard.cursor,
            position,
            series: series.filter(|(.., rows)| !rows.is_empty()).collect(),
        }
    }

    /// Keeps the numbers of series of a shard, so that they need not be looked up again.
    pub fn number(&self, shard: usize, ids: &[(SeriesKey, i64)]) {
        let mut shard = lock(&self.shards[shard]);
        for (key, id) in ids {
            if let Some(place) = shard.find(key.as_ref()).1 {
                shard.lines[place].id = Some(*id);
            }
        }
    }

    /// Drops the rows of a shard up to a position that is committed as sealed.
    pub fn sealed(&self, shard: usize, position: i64) {
        let mut shard = lock(&self.shards[shard]);
        if position <= shard.cursor {
            return;
        }
        shard.cursor = position;
        let dropped: usize = shard.lines.iter_mut().map(|line| line.head.drop_until(position)).sum();
        shard.rows -= dropped;
        self.rows.fetch_sub(dropped, Ordering::Relaxed);
    }

    /// Forgets the rows that were erased, now and when the log brings them again.
    pub fn erase(&self, erasures: &Erasures) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            if shard.erasures == *erasures {
                continue;
            }
            shard.erasures = erasures.clone();
            let before = shard.rows;
            shard.lines.iter_mut().for_each(|line| line.erase(erasures));
            shard.rows = shard.lines.iter().map(|line| line.head.len()).sum();
            self.rows.fetch_sub(before - shard.rows, Ordering::Relaxed);
        }
    }
}

impl Shard {
    fn push_sample(&mut self, position: i64, probe: &str, at: Micros, sample: &Sample) {
        self.push(position, key(probe, sample), Row::of(sample, at));
    }

    fn push(&mut self, position: i64, key: KeyRef<'_>, row: Row) {
        if self.erasures.erases(position, key, row.at) {
            return;
        }
        let place = match self.find(key) {
            (_, Some(place)) => place,
            (hash, None) => {
                self.places.insert(hash, self.lines.len());
                self.lines.push(Line { key: key.to_key(), id: None, head: Head::new() });
                self.lines.len() - 1
            }
        };
        self.lines[place].head.push(position, row);
        self.rows += 1;
    }

    /// Where a series is, or the hash under which it is to be noted.
    fn find(&self, key: KeyRef<'_>) -> (u64, Option<usize>) {
        let mut hash = self.hasher.hash_one(key);
        loop {
            match self.places.get(&hash) {
                None => return (hash, None),
                Some(&place) if self.lines[place].key.as_ref() == key => return (hash, Some(place)),
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }
}

impl Line {
    fn erase(&mut self, erasures: &Erasures) {
        let erased = |position, row: &Row| erasures.erases(position, self.key.as_ref(), row.at);
        if self.head.rows(i64::MIN, i64::MAX).any(|(position, row)| erased(position, &row)) {
            let mut rest = Head::new();
            for (position, row) in self.head.rows(i64::MIN, i64::MAX) {
                if !erased(position, &row) {
                    rest.push(position, row);
                }
            }
            self.head = rest;
        }
    }
}

fn key<'a>(probe: &'a str, sample: &'a Sample) -> KeyRef<'a> {
    let (check, target) = (sample.check.as_str(), sample.target.as_str());
    KeyRef { check, probe, target, part: "" }
}

#[cfg(test)]
mod tests;
