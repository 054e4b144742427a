//! What the history must tell of everything that was acknowledged: each run once, and counted once.

use super::{CHUNK, PROBES};
use crate::harness::{LONG, api::Api, config, eventually};
use anyhow::ensure;
use collector::{
    decide::Event,
    history::{
        at,
        export::Export,
        query::selector::{Part, Selector},
    },
    store::Store,
};
use std::{collections::BTreeMap, ops::Range};
use wire::{
    Micros, ProbeId,
    history::{History, HistoryStats},
    sample::{Outcome, Sample},
};

const HOUR_US: i64 = 3_600_000_000;
/// The history keeps when a run started, and when it was due, in steps of so many microseconds.
const STEP_US: i64 = 100;

fn step(at: i64) -> i64 {
    at - at.rem_euclid(STEP_US)
}

/// Runs by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    ok: u64,
    slow: u64,
    missed: u64,
    failed: u64,
}

impl Counts {
    fn add(&mut self, more: Counts) {
        self.ok += more.ok;
        self.slow += more.slow;
        self.missed += more.missed;
        self.failed += more.failed;
    }
}

/// The check, the probe and the hour since 1970.
type Hour = (String, String, i64);

/// The runs of the witness that are in the log, as the history must tell them.
#[derive(Debug, Default)]
pub struct Runs {
    /// How often each is there. A run is everything that the history keeps of it, as a text.
    each: BTreeMap<String, i64>,
    counts: BTreeMap<Hour, Counts>,
    /// Of the latencies of successful runs, microseconds.
    sums: BTreeMap<Hour, u64>,
    /// From the first to after the last.
    range: Range<i64>,
}

impl Runs {
    /// Reads them from the log.
    pub async fn read(store: &Store) -> anyhow::Result<Runs> {
        let theirs: Vec<ProbeId> = (0..PROBES).map(config::witness).collect();
        let mut runs = Runs::default();
        let mut position = 0;
        loop {
            let logged = store.log_after(position, CHUNK).await?;
            let Some(last) = logged.last() else { break };
            position = last.position;
            for entry in &logged {
                if let Event::Report { report, .. } = &*entry.event
                    && theirs.contains(&report.probe)
                {
                    for sample in &report.samples {
                        let at = at(sample.started, entry.clock_us, entry.received);
                        runs.add(&report.probe, sample, at);
                    }
                }
            }
        }
        Ok(runs)
    }

    fn add(&mut self, probe: &ProbeId, sample: &Sample, at: Micros) {
        let mut counts = Counts::default();
        let hour = (sample.check.to_string(), probe.to_string(), at.0.div_euclid(HOUR_US));
        match sample.outcome {
            Outcome::Ok => {
                (counts.ok, counts.slow) = (1, u64::from(sample.slow));
                *self.sums.entry(hour.clone()).or_default() += u64::from(sample.total_us);
            }
            Outcome::Missed => counts.missed = 1,
            _ => counts.failed = 1,
        }
        self.counts.entry(hour).or_default().add(counts);
        let kept = step(at.0);
        let first = if self.range.is_empty() { kept } else { self.range.start.min(kept) };
        self.range = first..self.range.end.max(kept + 1);
        let Sample { check, target, scheduled, started, outcome, slow, total_us, phases, .. } = sample;
        let (status, bytes, flags) = (sample.status, sample.bytes, &sample.flags);
        let (delay, at) = (kept - step(at.0 - started.since(*scheduled)), kept);
        let told = format!(
            "{check} {probe} {target} {at} {delay} {outcome:?} {slow} {total_us} {phases:?} {status:?} {bytes:?} {flags:?}"
        );
        *self.each.entry(told).or_default() += 1;
    }

    /// The days of the runs since 1970.
    pub fn days(&self) -> impl Iterator<Item = i64> + use<> {
        let day = |at: i64| at.div_euclid(24 * HOUR_US);
        day(self.range.start)..=day(self.range.end)
    }

    /// Compares with the segments, roll-ups and what is not sealed yet, as of one moment: every run is there once, with
    /// everything that is kept of it, and is counted once. Returns how many runs there are.
    pub async fn compare(&self, store: &Store) -> anyhow::Result<u64> {
        let checks = (0..config::WITNESS_CHECKS).map(|number| config::witness_check(number).to_string());
        let selector = Selector { checks: checks.collect(), part: Part::Every, ..Selector::default() };
        // Whole hours, so that no roll-up is left out.
        let range = self.hours();
        let export = Export { store: store.clone(), selector, range };
        let mut left = self.each.clone();
        let exported = export
            .samples(|key, row| {
                let flags: Vec<_> = row.flags.iter().collect();
                let told = format!(
                    "{} {} {} {} {} {:?} {} {} {:?} {:?} {:?} {flags:?}",
                    key.check,
                    key.probe,
                    key.target,
                    row.at,
                    row.delay_us,
                    row.outcome,
                    row.slow,
                    row.total_us,
                    row.phases,
                    row.status,
                    row.bytes,
                );
                *left.entry(told).or_default() -= 1;
                Ok(())
            })
            .await?;
        ensure!(exported.damaged == 0, "{} segments are damaged", exported.damaged);
        let lost: Vec<_> = left.iter().filter(|(_, times)| **times > 0).collect();
        let twice: Vec<_> = left.iter().filter(|(_, times)| **times < 0).collect();
        ensure!(
            lost.is_empty() && twice.is_empty(),
            "of {} runs the history has lost {}, as {:?}, and has {} too often, as {:?}",
            self.each.len(),
            lost.len(),
            lost.first(),
            twice.len(),
            twice.first()
        );
        let (mut counts, mut sums) = (BTreeMap::new(), BTreeMap::new());
        let rollups = export
            .rollups(|key, hour, rollup| {
                let hour = (key.check.clone(), key.probe.clone(), hour);
                let failed = rollup.failures.iter().sum();
                let (ok, slow, missed) = (rollup.ok, rollup.slow, rollup.missed);
                if rollup.ok > 0 {
                    sums.insert(hour.clone(), rollup.sum_us);
                }
                counts.insert(hour, Counts { ok, slow, missed, failed });
                Ok(())
            })
            .await?;
        ensure!(rollups.damaged == 0, "{} roll-ups are damaged", rollups.damaged);
        check_same("the roll-ups", &self.counts, &counts)?;
        check_same("the latencies of the roll-ups", &self.sums, &sums)?;
        Ok(exported.rows)
    }

    /// Waits until a collector that runs counts every run once, by roll-ups and by single runs.
    pub async fn compare_answers(&self, api: &Api) -> anyhow::Result<()> {
        let mut expected: BTreeMap<(String, String), Counts> = BTreeMap::new();
        for ((check, probe, _), counts) in &self.counts {
            expected.entry((check.clone(), probe.clone())).or_default().add(*counts);
        }
        for (range, buckets) in [(self.hours(), 1), (self.range.clone(), 1_000)] {
            let (service, from, to) = (config::WITNESS_SERVICE, Micros(range.start), Micros(range.end));
            let group = "check,probe";
            let path = format!(
                "/api/v1/history?service={service}&group={group}&from={from}&to={to}&buckets={buckets}"
            );
            eventually("every run is counted once", LONG, async || {
                let history: History = api.get(&path).await?;
                ensure!(history.damaged == 0, "{} stored parts are damaged", history.damaged);
                let name = |name: Option<String>| name.unwrap_or_default();
                let told = history.groups.iter().map(|group| {
                    let check = name(group.check.as_ref().map(ToString::to_string));
                    let probe = name(group.probe.as_ref().map(ToString::to_string));
                    ((check, probe), counts(&group.whole))
                });
                check_same("the answer", &expected, &told.collect())
            })
            .await;
        }
        Ok(())
    }

    /// The whole hours around all runs.
    fn hours(&self) -> Range<i64> {
        let hour = |at: i64| at.div_euclid(HOUR_US);
        hour(self.range.start) * HOUR_US..(hour(self.range.end) + 1) * HOUR_US
    }
}

fn counts(stats: &HistoryStats) -> Counts {
    let failed = stats.failures.values().sum();
    Counts { ok: stats.ok, slow: stats.slow, missed: stats.missed, failed }
}

/// Fails with the first entry that differs.
fn check_same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    told: &BTreeMap<K, V>,
) -> anyhow::Result<()> {
    for (key, counts) in expected {
        ensure!(told.get(key) == Some(counts), "{what} of {key:?}: {:?} and not {counts:?}", told.get(key));
    }
    let stranger = told.keys().find(|key| !expected.contains_key(key));
    ensure!(stranger.is_none(), "{what} has {stranger:?}, which nobody reported");
    Ok(())
}
