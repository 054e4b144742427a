//! The work of an answer: decodes what the store hands on and counts it. Runs on a thread that may block.

use super::selector::GroupKey;
use crate::store::{Packed, StoredDay, StoredRollup};
use series::{Corrupt, FAIL_CLASSES, Row, answer::Answer, bundle, grid::Plan, rollup::Rollup, segment};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};
use tokio::sync::mpsc;
use wire::{
    Micros,
    history::{HistoryBucket, HistoryGroup, HistoryStats},
};

/// What the store hands on.
pub enum Piece {
    Rollups(Vec<StoredRollup>),
    Days(Packed, StoredDay),
    /// The bytes of a segment, and the range of which its rows count here: another range may need it too.
    Segment(Vec<u8>, Range<i64>),
}

/// What is needed to count.
pub struct Tally {
    pub plan: Plan,
    /// The group of each stored series that is asked for.
    pub series: HashMap<i64, usize>,
    /// Rows that are not sealed yet, with their groups.
    pub unsealed: Vec<(usize, Vec<Row>)>,
    /// The groups, in the order of the answer, and their numbers.
    pub groups: Vec<(GroupKey, usize)>,
    /// Further quantiles, by their text.
    pub quantiles: Vec<(String, f64)>,
}

/// What was counted.
pub struct Tallied {
    pub groups: Vec<HistoryGroup>,
    /// Stored things that could not be read, and are not in the answer.
    pub damaged: u64,
}

impl Tally {
    /// Counts everything that comes, and answers when no more comes.
    pub fn run(self, mut pieces: mpsc::Receiver<Piece>) -> Tallied {
        let mut answers = vec![Answer::new(&self.plan); self.groups.len()];
        let mut damaged = 0;
        for (group, rows) in &self.unsealed {
            rows.iter().for_each(|row| answers[*group].add_row(row));
        }
        while let Some(piece) = pieces.blocking_recv() {
            damaged += match piece {
                Piece::Rollups(rollups) => self.rollups(&rollups, &mut answers),
                Piece::Days(what, packed) => {
                    self.packed(what, &packed, &mut answers).map_or_else(|error| {
                        let StoredDay { day, check_id: check, .. } = packed;
                        tracing::error!(day, check, %error, "packed roll-ups cannot be read; an answer goes without");
                        1
                    }, |()| 0)
                }
                Piece::Segment(bytes, range) => {
                    self.segment(&bytes, &range, &mut answers).unwrap_or_else(|error| {
                        tracing::error!(%error, "a segment cannot be read; an answer goes without it");
                        1
                    })
                }
            };
        }
        let groups = self.groups.iter().map(|(key, number)| self.group(key, &answers[*number])).collect();
        Tallied { groups, damaged }
    }

    /// Says how many could not be read.
    fn rollups(&self, rollups: &[StoredRollup], answers: &mut [Answer<'_>]) -> u64 {
        let mut damaged = 0;
        for stored in rollups {
            let Some(group) = self.series.get(&stored.series) else { continue };
            if let Err(error) = answers[*group].add_stored_hour(stored.hour, &stored.counts(), &stored.sketch)
            {
                let (series, hour) = (stored.series, stored.hour);
                tracing::error!(series, hour, %error, "a roll-up cannot be read; an answer goes without it");
                damaged += 1;
            }
        }
        damaged
    }

    fn packed(&self, what: Packed, packed: &StoredDay, answers: &mut [Answer<'_>]) -> Result<(), Corrupt> {
        for entry in bundle::decode(&packed.data)? {
            let entry = entry?;
            let Some(group) = self.series.get(&entry.series) else { continue };
            let answer = &mut answers[*group];
            let hour = packed.day * 24 + i64::from(entry.slot);
            match what {
                Packed::Hours if !self.plan.hours.contains(&hour) => {}
                Packed::Hours => {
                    let (counts, sketch) = entry.read()?;
                    answer.add_stored_hour(hour, &counts, sketch)?;
                }
                Packed::Whole => {
                    let (counts, sketch) = entry.read()?;
                    answer.add_stored_day(packed.day, &counts, sketch)?;
                }
            }
        }
        Ok(())
    }

    /// Says how many series in it could not be read.
    fn segment(&self, bytes: &[u8], range: &Range<i64>, answers: &mut [Answer<'_>]) -> Result<u64, Corrupt> {
        let segment = segment::decode(bytes)?;
        let (mut damaged, mut seen) = (0, HashSet::new());
        for entry in segment.entries() {
            let asked = entry.max_at >= range.start && entry.min_at < range.end;
            let Some(group) = self.series.get(&entry.series).filter(|_| asked) else { continue };
            // All entries of a series are read at once.
            if !seen.insert(entry.series) {
                continue;
            }
            match segment.rows(entry.series) {
                Ok(rows) => {
                    let rows = rows.iter().filter(|row| range.contains(&row.at));
                    rows.for_each(|row| answers[*group].add_row(row));
                }
                Err(error) => {
                    tracing::error!(series = entry.series, %error, "rows of a segment cannot be read");
                    damaged += 1;
                }
            }
        }
        Ok(damaged)
    }

    fn group(&self, key: &GroupKey, answer: &Answer<'_>) -> HistoryGroup {
        let GroupKey { check, vantage, probe, target, part } = key.clone();
        let buckets = answer
            .rollups()
            .map(|(range, rollup)| HistoryBucket { at: Micros(range.start), stats: self.stats(rollup) });
        let buckets = buckets.collect();
        HistoryGroup { check, vantage, probe, target, part, whole: self.stats(&answer.total()), buckets }
    }

    fn stats(&self, of: &Rollup) -> HistoryStats {
        let failures = FAIL_CLASSES.into_iter().zip(of.failures).filter(|(_, count)| *count > 0);
        let quantiles = self.quantiles.iter().filter_map(|(text, q)| Some((text.clone(), of.quantile(*q)?)));
        HistoryStats {
            runs: of.runs(),
            ok: of.ok,
            slow: of.slow,
            missed: of.missed,
            unsupported: of.unsupported,
            failures: failures.collect::<BTreeMap<_, _>>(),
            availability: of.availability(),
            min_us: of.min_us,
            mean_us: of.mean_us(),
            p50_us: of.quantile(0.5),
            p90_us: of.quantile(0.9),
            p99_us: of.quantile(0.99),
            max_us: of.max_us,
            quantiles: quantiles.collect(),
        }
    }
}
