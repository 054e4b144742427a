//! The work of an answer: decodes what the store hands on and counts it.

use super::selector::GroupKey;
use crate::store::{Packed, StoredRollup};
use series::{
    Corrupt, FAIL_CLASSES, Row, answer::Answer, bundle::Entries, grid::Plan, rollup::Rollup, segment,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};
use tokio_util::sync::CancellationToken;
use wire::{
    Micros,
    history::{HistoryBucket, HistoryGroup, HistoryStats},
};

/// Counts what is handed on, by groups of series.
pub struct Tally<'a> {
    plan: &'a Plan,
    /// The group of each stored series that is asked for.
    series: HashMap<i64, usize>,
    /// Of each group, by its number.
    answers: Vec<Answer<'a>>,
    /// Stored things that could not be read, and are not in the answer.
    damaged: u64,
    given_up: CancellationToken,
}

impl<'a> Tally<'a> {
    /// Nothing yet, of so many groups.
    pub fn new(
        plan: &'a Plan,
        series: HashMap<i64, usize>,
        groups: usize,
        given_up: CancellationToken,
    ) -> Tally<'a> {
        Tally { plan, series, answers: vec![Answer::new(plan); groups], damaged: 0, given_up }
    }

    /// Whether anybody still waits for it.
    pub fn is_wanted(&self) -> bool {
        !self.given_up.is_cancelled()
    }

    /// Counts rows of a group.
    pub fn rows(&mut self, group: usize, rows: &[Row]) {
        rows.iter().for_each(|row| self.answers[group].add_row(row));
    }

    /// Counts hourly roll-ups.
    pub fn rollups(&mut self, rollups: &[StoredRollup]) {
        for stored in rollups {
            let Some(group) = self.series.get(&stored.series) else { continue };
            let answer = &mut self.answers[*group];
            if let Err(error) = answer.add_stored_hour(stored.hour, &stored.counts(), &stored.sketch) {
                let (series, hour) = (stored.series, stored.hour);
                tracing::error!(series, hour, %error, "a roll-up cannot be read; an answer goes without it");
                self.damaged += 1;
            }
        }
    }

    /// Counts the packed roll-ups of a day of a check, in the form that they were asked for.
    pub fn day(&mut self, what: Packed, day: i64, check: &str, rollups: Entries<'_>) {
        if let Err(error) = self.entries(what, day, rollups) {
            tracing::error!(day, check, %error, "packed roll-ups cannot be read; an answer goes without");
            self.damaged += 1;
        }
    }

    fn entries(&mut self, what: Packed, day: i64, rollups: Entries<'_>) -> Result<(), Corrupt> {
        for entry in rollups {
            let entry = entry?;
            let Some(group) = self.series.get(&entry.series) else { continue };
            let answer = &mut self.answers[*group];
            let hour = day * 24 + i64::from(entry.slot);
            match what {
                Packed::Hours if !self.plan.hours.contains(&hour) => {}
                Packed::Hours => {
                    let (counts, sketch) = entry.read()?;
                    answer.add_stored_hour(hour, &counts, sketch)?;
                }
                Packed::Whole => {
                    let (counts, sketch) = entry.read()?;
                    answer.add_stored_day(day, &counts, sketch)?;
                }
            }
        }
        Ok(())
    }

    /// Counts the rows of a segment that lie in a range: another range may need the same segment too.
    pub fn segment(&mut self, bytes: &[u8], range: &Range<i64>) {
        let segment = match segment::decode(bytes) {
            Ok(segment) => segment,
            Err(error) => {
                tracing::error!(%error, "a segment cannot be read; an answer goes without it");
                self.damaged += 1;
                return;
            }
        };
        let mut seen = HashSet::new();
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
                    rows.for_each(|row| self.answers[*group].add_row(row));
                }
                Err(error) => {
                    tracing::error!(series = entry.series, %error, "rows of a segment cannot be read");
                    self.damaged += 1;
                }
            }
        }
    }

    /// What could not be read, and what was counted: the groups in the order of their keys, which come with their
    /// numbers; `quantiles` are further ones, by their texts.
    pub fn finish(
        self,
        groups: &[(GroupKey, usize)],
        quantiles: &[(String, f64)],
    ) -> (u64, Vec<HistoryGroup>) {
        let group = |(key, number): &(GroupKey, usize)| group(key, &self.answers[*number], quantiles);
        (self.damaged, groups.iter().map(group).collect())
    }
}

fn group(key: &GroupKey, answer: &Answer<'_>, quantiles: &[(String, f64)]) -> HistoryGroup {
    let GroupKey { check, vantage, probe, target, part } = key.clone();
    let bucket = |(range, rollup): (Range<i64>, &Rollup)| HistoryBucket {
        at: Micros(range.start),
        stats: stats(rollup, quantiles),
    };
    let buckets = answer.rollups().map(bucket).collect();
    HistoryGroup { check, vantage, probe, target, part, whole: stats(&answer.total(), quantiles), buckets }
}

fn stats(of: &Rollup, quantiles: &[(String, f64)]) -> HistoryStats {
    let failures = FAIL_CLASSES.into_iter().zip(of.failures).filter(|(_, count)| *count > 0);
    let quantiles = quantiles.iter().filter_map(|(text, q)| Some((text.clone(), of.quantile(*q)?)));
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
