//! What is on the disks when every process has stopped: the collector's log and the probes' spools.

use anyhow::{Context, ensure};
use collector::{decide::Event, store::Store};
use probe::spool::Spool;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use wire::{
    CheckId, Micros, ProbeId,
    assignment::Target,
    report::Report,
    sample::{Sample, Trigger},
};

/// How many log entries are read at a time.
const CHUNK: i64 = 500;

/// Every report in the collector's log.
#[derive(Debug, Default)]
pub struct Ledger {
    pub reports: BTreeMap<ProbeId, Vec<Report>>,
    /// Samples that the probes said they lost.
    pub lost: u64,
}

impl Ledger {
    /// Reads the database of a collector that has stopped.
    pub async fn read(data: &Path) -> anyhow::Result<Ledger> {
        let store = Store::sqlite(&data.join("sextant.db")).await?;
        let mut ledger = Ledger::default();
        let mut position = 0;
        loop {
            let logged = store.log_after(position, CHUNK).await?;
            let Some(last) = logged.last() else { break };
            position = last.position;
            for entry in logged {
                if let Event::Report { report, lost, .. } = &*entry.event {
                    ledger.lost = ledger.lost.max(*lost);
                    ledger.reports.entry(report.probe.clone()).or_default().push(report.clone());
                }
            }
        }
        store.close().await;
        Ok(ledger)
    }

    /// A probe's samples.
    pub fn samples(&self, probe: &ProbeId) -> impl Iterator<Item = &Sample> {
        self.reports.get(probe).into_iter().flatten().flat_map(|report| &report.samples)
    }

    /// Checks that every report of a probe arrived, once: the numbers have no gap, no repetition and are in order.
    /// Its spool must have nothing left.
    pub fn check_complete(&self, probe: &ProbeId, spool: &Path) -> anyhow::Result<()> {
        let reports = self.reports.get(probe).with_context(|| format!("no report of {probe}"))?;
        for pair in reports.windows(2) {
            let (one, next) = (pair[0].sequence, pair[1].sequence);
            ensure!(next == one + 1, "{probe}: report {next} follows {one}");
        }
        ensure!(self.lost == 0, "{} samples were lost", self.lost);
        let mut spool = Spool::open(spool, 1 << 20, Micros(0)).context("the spool cannot be opened")?;
        let left = spool.peek(usize::MAX, usize::MAX)?;
        ensure!(left.is_empty(), "{} reports of {probe} are left in its spool", left.len());
        Ok(())
    }

    /// Checks that no run is there twice.
    pub fn check_once(&self, probe: &ProbeId) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        for sample in self.samples(probe) {
            let run = (sample.check.as_str(), sample.target.to_string(), sample.scheduled, trigger(sample));
            ensure!(seen.insert(run.clone()), "{probe}: this run is there twice: {run:?}");
        }
        Ok(())
    }

    /// Checks that every run which was due is there, also as `missed`: between a series' first and last scheduled
    /// run there is one for each interval.
    pub fn check_schedule(&self, probe: &ProbeId, intervals: &BTreeMap<CheckId, i64>) -> anyhow::Result<()> {
        let mut series: BTreeMap<(CheckId, Target), BTreeSet<Micros>> = BTreeMap::new();
        for sample in self.samples(probe).filter(|sample| sample.trigger == Trigger::Schedule) {
            let key = (sample.check.clone(), sample.target.clone());
            series.entry(key).or_default().insert(sample.scheduled);
        }
        ensure!(!series.is_empty(), "{probe} measured nothing");
        for ((check, target), starts) in series {
            let interval = intervals.get(&check).copied().with_context(|| format!("what is {check}?"))?;
            let starts: Vec<Micros> = starts.into_iter().collect();
            for pair in starts.windows(2) {
                let gap = pair[1].since(pair[0]);
                ensure!(gap == interval, "{probe}: {check} to {target} has a gap of {gap} us at {}", pair[0]);
            }
        }
        Ok(())
    }
}

fn trigger(sample: &Sample) -> &'static str {
    match sample.trigger {
        Trigger::Schedule => "schedule",
        Trigger::Confirm => "confirm",
        Trigger::Proof => "proof",
    }
}
