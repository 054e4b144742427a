//! What collectors say of their sealing and merging, and what the database has of it when they were killed.

use super::{LONG, config, database::Database, process::Log};
use anyhow::{Context, ensure};
use collector::store::{DayOfCheck, Store};
use std::time::{Duration, Instant};

/// The log filter (`SEXTANT_LOG`) under which collectors tell of every seal and merge when it begins and when it is
/// committed.
pub const FILTER: &str = "info,collector::history=trace";
/// How often it is looked whether one has begun: they take some milliseconds.
const LOOK: Duration = Duration::from_millis(1);

/// What the history does in transactions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Seal,
    Merge,
}

impl Work {
    /// What is said when it begins, and when it is committed.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Work::Seal => ("TRACE sealing shard=", "DEBUG sealed shard="),
            Work::Merge => ("TRACE merging segments check=", "DEBUG segments merged check="),
        }
    }

    /// How many were committed and told, and what was said of one that was under way at the end.
    fn told(self, log: &str) -> (usize, Option<&str>) {
        let (begun, done) = self.words();
        let mut told = 0;
        let mut under_way = None;
        for line in log.lines() {
            if line.contains(begun) {
                under_way = Some(line);
            } else if line.contains(done) {
                told += 1;
                under_way = None;
            }
        }
        (told, under_way)
    }
}

/// Waits until a collector begins with the next one.
pub async fn next_begun(log: &Log, work: Work) -> anyhow::Result<()> {
    next(log, work.words().0).await
}

/// Waits until a collector has committed the next one.
pub async fn next_committed(log: &Log, work: Work) -> anyhow::Result<()> {
    next(log, work.words().1).await
}

async fn next(log: &Log, words: &str) -> anyhow::Result<()> {
    let before = log.text().matches(words).count();
    let begin = Instant::now();
    while log.text().matches(words).count() <= before {
        ensure!(begin.elapsed() < LONG, "nothing said {words:?} in {LONG:?}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// What was done in all, and what kills fell into.
#[derive(Debug, Default)]
pub struct Tally {
    /// Seals and merges that were committed.
    pub seals: usize,
    pub merges: usize,
    /// Kills while a seal was under way that was not committed: its rows must be sealed again.
    pub seals_cut_off: usize,
    /// Kills after the commit of a seal and before the collector knew of it: its rows must not be sealed again.
    pub seals_untold: usize,
    /// Kills while segments were merged.
    pub merges_hit: usize,
    /// How far the shards were sealed at the kill before.
    cursors: Vec<i64>,
}

impl Tally {
    /// Takes in what a collector had said until it was killed, and looks what the database has of it: nothing that was
    /// told is missing, and nothing goes back.
    pub async fn note(&mut self, log: &Log, database: &Database) -> anyhow::Result<()> {
        let said = log.text();
        let store = database.read().await?;
        let cursors = store.seal_state().await?.cursors.to_vec();
        store.close().await;
        for (shard, (before, now)) in self.cursors.iter().zip(&cursors).enumerate() {
            ensure!(before <= now, "shard {shard} was sealed to {before}, and after a kill to {now}");
        }
        let cursor = |line: &str| -> anyhow::Result<(i64, i64)> {
            let shard = usize::try_from(number(line, " shard=")?)?;
            Ok((number(line, " position=")?, *cursors.get(shard).context("a shard")?))
        };
        for line in said.lines().filter(|line| line.contains(Work::Seal.words().1)) {
            let (told, stored) = cursor(line)?;
            ensure!(told <= stored, "a seal that was told is not stored to more than {stored}: {line}");
        }
        let (seals, sealing) = Work::Seal.told(&said);
        self.seals += seals;
        if let Some(line) = sealing {
            let (wanted, stored) = cursor(line)?;
            if wanted <= stored {
                self.seals += 1;
                self.seals_untold += 1;
            } else {
                self.seals_cut_off += 1;
            }
        }
        let (merges, merging) = Work::Merge.told(&said);
        self.merges += merges;
        self.merges_hit += usize::from(merging.is_some());
        self.cursors = cursors;
        Ok(())
    }

    /// Takes in what a collector had said until it was stopped in order.
    pub fn note_stopped(&mut self, log: &Log) {
        let said = log.text();
        self.seals += Work::Seal.told(&said).0;
        self.merges += Work::Merge.told(&said).0;
    }

    /// Fails when too little was hit to say anything; merges only where they were waited for.
    pub fn check(&self, kills: usize, merges: bool) -> anyhow::Result<()> {
        ensure!(self.seals >= 5 * kills, "few seals before {kills} kills: {self:?}");
        let hit = self.seals_cut_off + self.seals_untold;
        ensure!(10 * hit >= kills, "few of {kills} kills fell into a seal: {self:?}");
        let merged = self.merges > 0 && self.merges_hit > 0;
        ensure!(merged || !merges, "nothing was merged, or no kill fell into it: {self:?}");
        Ok(())
    }
}

/// The number behind a name in a line.
fn number(line: &str, name: &str) -> anyhow::Result<i64> {
    let (_, rest) = line.split_once(name).with_context(|| format!("{name} is not in {line:?}"))?;
    Ok(rest.split(' ').next().unwrap_or_default().parse()?)
}

/// How many segments of the witness's checks there are on some days, and how many of them were merged.
pub async fn segments(store: &Store, days: impl Iterator<Item = i64>) -> anyhow::Result<(usize, usize)> {
    let (mut all, mut merged) = (0, 0);
    for day in days {
        for check in (0..config::WITNESS_CHECKS).map(config::witness_check) {
            let infos = store.segment_infos(&DayOfCheck { day, check: check.to_string() }).await?;
            all += infos.len();
            merged += infos.iter().filter(|segment| segment.level > 0).count();
        }
    }
    Ok((all, merged))
}
