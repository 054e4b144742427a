//! The whole history of a range, for archives: handed on piece by piece, so that memory stays bounded.
//!
//! It is read as of one moment, beside a collector that goes on. What is sealed by then comes from segments and
//! roll-ups, day by day. What is not sealed yet is read from the log, after the position up to which its shard is sealed:
//! every run comes once. Whoever takes the output may be slow, so the snapshot is one that lasts.

use super::{Heads, SHARDS, SeriesKey, query::selector::Selector};
use crate::{
    assigned::{Assigned, DOCUMENTS},
    config,
    decide::Event,
    store::{self, EvidenceAsked, Order, SegmentsOf, Snapshot, Store, StoredEvidence, StoredRollup},
};
use series::{DAY_US, HOUR_US, Row, rollup::Rollup, segment};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::Range,
};

/// Entries of the log that are read at a time.
const CHUNK: i64 = 500;
/// Evidence that is read at a time.
const PAGE: i64 = 2_000;
/// Series whose roll-ups of a day are read at a time.
const SERIES: usize = 500;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the configuration in the database cannot be read by this program: {0}")]
    Config(#[from] config::Problems),
    #[error("cannot write: look whether the disk is full, or who reads the pipe")]
    Write(#[from] io::Error),
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    pub rows: u64,
    /// Stored parts that could not be read, and are not in it; the log says which.
    pub damaged: u64,
}

/// What is to be exported. A selector without checks takes all.
#[derive(Debug, Clone)]
pub struct Export {
    pub store: Store,
    pub selector: Selector,
    /// Microseconds since the epoch.
    pub range: Range<i64>,
}

/// Sealed or not, as of one moment.
struct Moment {
    /// The checks that are asked for, and the series of them by their ids.
    checks: Vec<String>,
    series: BTreeMap<i64, SeriesKey>,
    cursors: [i64; SHARDS],
    log_head: i64,
    erasures: super::Erasures,
    assigned: Assigned,
}

impl Export {
    /// Hands on every run: days one after the other, then what is not sealed yet.
    ///
    /// # Errors
    /// When the database fails, or what takes the runs.
    pub async fn samples(
        &self,
        mut each: impl FnMut(&SeriesKey, &Row) -> io::Result<()>,
    ) -> Result<Exported, Error> {
        let mut exported = Exported::default();
        let mut snapshot = self.store.lasting_history().await?;
        let moment = self.moment(&mut snapshot).await?;
        let oldest = snapshot.oldest_day().await?.unwrap_or(i64::MAX / DAY_US).saturating_mul(DAY_US);
        let mut from = self.range.start.max(oldest);
        while from < self.range.end {
            let end = from.div_euclid(DAY_US).saturating_add(1).saturating_mul(DAY_US).min(self.range.end);
            let mut facts =
                snapshot.segment_facts(SegmentsOf { checks: &moment.checks, at: (from, end) }).await?;
            if facts.is_empty() && !snapshot.has_segments_after(from.div_euclid(DAY_US)).await? {
                break;
            }
            facts.sort_by(|a, b| (&a.check_id, a.number).cmp(&(&b.check_id, b.number)));
            for facts in facts {
                let Some(bytes) = snapshot.segment(&facts).await? else { continue };
                exported.add(self.segment(&bytes, &moment, &(from..end), &mut each)?);
            }
            from = end;
        }
        snapshot.end().await?;
        self.unsealed(&moment, &self.range, |key, row| {
            exported.rows += 1;
            each(key, row)
        })
        .await?;
        Ok(exported)
    }

    fn segment(
        &self,
        bytes: &[u8],
        moment: &Moment,
        range: &Range<i64>,
        each: &mut impl FnMut(&SeriesKey, &Row) -> io::Result<()>,
    ) -> Result<Exported, Error> {
        let mut exported = Exported::default();
        let segment = match segment::decode(bytes) {
            Ok(segment) => segment,
            Err(error) => {
                tracing::error!(%error, "a segment cannot be read; the export goes without it");
                return Ok(Exported { damaged: 1, ..exported });
            }
        };
        let mut ids: Vec<i64> = segment.entries().iter().map(|entry| entry.series).collect();
        ids.sort_unstable();
        ids.dedup();
        for (id, key) in ids.into_iter().filter_map(|id| Some((id, moment.series.get(&id)?))) {
            match segment.rows(id) {
                Ok(rows) => {
                    for row in rows.iter().filter(|row| range.contains(&row.at)) {
                        each(key, row)?;
                        exported.rows += 1;
                    }
                }
                Err(error) => {
                    tracing::error!(series = id, %error, "rows of a segment cannot be read");
                    exported.damaged += 1;
                }
            }
        }
        Ok(exported)
    }

    /// Hands on every hour that begins in the range, by day and series; what is not sealed yet is counted in.
    ///
    /// # Errors
    /// When the database fails, or what takes the hours.
    pub async fn rollups(
        &self,
        mut each: impl FnMut(&SeriesKey, i64, &Rollup) -> io::Result<()>,
    ) -> Result<Exported, Error> {
        let mut exported = Exported::default();
        let mut snapshot = self.store.lasting_history().await?;
        let moment = self.moment(&mut snapshot).await?;
        let hour = |at: i64| at.div_euclid(HOUR_US) + i64::from(at.rem_euclid(HOUR_US) > 0);
        // Also the last hour is told as a whole, as its stored part is.
        let end = hour(self.range.end).saturating_mul(HOUR_US);
        let hours = hour(self.range.start).saturating_mul(HOUR_US)..end;
        // Few: hours of some minutes, or of as long as sealing was held up.
        let mut unsealed: BTreeMap<(i64, SeriesKey), Rollup> = BTreeMap::new();
        self.unsealed(&moment, &hours, |key, row| {
            unsealed.entry((row.at.div_euclid(HOUR_US), key.clone())).or_default().add(row);
            Ok(())
        })
        .await?;
        unsealed.retain(|_, rollup| !rollup.is_empty());
        let oldest = snapshot.oldest_hour().await?.unwrap_or(i64::MAX / HOUR_US);
        let (mut from, end) = (hour(self.range.start).max(oldest), hour(self.range.end));
        let ids: Vec<i64> = moment.series.keys().copied().collect();
        while from < end {
            let next = (from.div_euclid(24).saturating_add(1) * 24).min(end);
            let mut any = false;
            for ids in ids.chunks(SERIES) {
                let mut hours: Vec<StoredRollup> = Vec::new();
                snapshot
                    .rollups(ids, from..next, true, |rows| {
                        hours.extend(rows);
                        std::future::ready(true)
                    })
                    .await?;
                any |= !hours.is_empty();
                hours.sort_by_key(|stored| (stored.series, stored.hour));
                for stored in hours {
                    let Some(key) = moment.series.get(&stored.series) else { continue };
                    let mut rollup = stored.counts();
                    if let Err(error) = rollup.sketch.merge_encoded(&stored.sketch) {
                        tracing::error!(series = stored.series, hour = stored.hour, %error, "quantiles cannot be read");
                        exported.damaged += 1;
                    }
                    if let Some(more) = unsealed.remove(&(stored.hour, key.clone())) {
                        rollup.merge(&more);
                    }
                    each(key, stored.hour, &rollup)?;
                    exported.rows += 1;
                }
            }
            if !any && !snapshot.has_rollups(&ids, next..end).await? {
                break;
            }
            from = next;
        }
        snapshot.end().await?;
        for ((hour, key), rollup) in &unsealed {
            each(key, *hour, rollup)?;
            exported.rows += 1;
        }
        Ok(exported)
    }

    /// Hands on all evidence, oldest first.
    ///
    /// # Errors
    /// When the database fails, or what takes the evidence.
    pub async fn evidence(
        &self,
        mut each: impl FnMut(&StoredEvidence) -> io::Result<()>,
    ) -> Result<Exported, Error> {
        let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect();
        let mut exported = Exported::default();
        let mut asked = EvidenceAsked {
            checks: list(&self.selector.checks),
            probes: list(&self.selector.probes),
            targets: list(&self.selector.targets),
            at: (self.range.start, self.range.end),
            limit: PAGE,
            order: Order::OldestFirst,
            ..EvidenceAsked::default()
        };
        let mut snapshot = self.store.lasting_history().await?;
        loop {
            let page = snapshot.evidence(&asked).await?;
            for evidence in &page {
                each(evidence)?;
            }
            exported.rows += page.len() as u64;
            match page.last() {
                Some(last) => asked.after = Some((last.at, last.position, last.ordinal)),
                None => break,
            }
        }
        snapshot.end().await?;
        Ok(exported)
    }

    async fn moment(&self, snapshot: &mut Snapshot) -> Result<Moment, Error> {
        let mut cursors = [0; SHARDS];
        for (shard, position) in snapshot.cursors().await? {
            if let Some(cursor) = usize::try_from(shard).ok().and_then(|shard| cursors.get_mut(shard)) {
                *cursor = position;
            }
        }
        let erasures = snapshot.erased().await?;
        let log_head = snapshot.log_head().await?;
        let all = self.selector.checks.is_empty();
        let checks = if all { snapshot.checks().await? } else { self.selector.check_names() };
        let stored = snapshot.series(&checks).await?;
        let series = stored.into_iter().map(|stored| (stored.id, stored.key()));
        let series = series.filter(|(_, key)| self.takes(key)).collect();
        let documents = self.store.documents(DOCUMENTS).await?;
        let assigned = match documents.split_first() {
            // Without the newest, most of what is not sealed yet would be missing, and nobody would know.
            Some((newest, earlier)) => {
                Assigned::new(&config::parse(newest, "the configuration in the database")?).with(earlier)
            }
            None => Assigned::default(),
        };
        Ok(Moment { checks, series, cursors, log_head, erasures, assigned })
    }

    fn takes(&self, key: &SeriesKey) -> bool {
        if self.selector.checks.is_empty() {
            let checks = [key.check.clone()].into();
            return Selector { checks, ..self.selector.clone() }.takes(key.as_ref());
        }
        self.selector.takes(key.as_ref())
    }

    /// Hands on the runs of a range that are in the log and not sealed yet, in about the order in which they came.
    async fn unsealed(
        &self,
        moment: &Moment,
        range: &Range<i64>,
        mut each: impl FnMut(&SeriesKey, &Row) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut keys: HashMap<SeriesKey, bool> = HashMap::new();
        let mut position = moment.cursors.iter().copied().min().unwrap_or(0);
        loop {
            let entries = self.store.log_between(position, moment.log_head, CHUNK).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            position = last.position;
            // As a collector takes them in, some entries at a time.
            let heads = Heads::new(&moment.cursors);
            heads.erase(&moment.erasures);
            for entry in &entries {
                if let Event::Report { report, .. } = &*entry.event {
                    heads.take(&moment.assigned, entry.position, entry.received, entry.clock_us, report);
                }
            }
            for check in moment.assigned.checks() {
                let mut written = Ok(());
                heads.each(check.as_str(), |key, head| {
                    let takes = match keys.get(key) {
                        Some(takes) => *takes,
                        None => *keys.entry(key.clone()).or_insert(self.takes(key)),
                    };
                    for (_, row) in head.rows(range.start, range.end).filter(|_| takes) {
                        if written.is_ok() {
                            written = each(key, &row);
                        }
                    }
                });
                written?;
            }
        }
    }
}

impl Exported {
    fn add(&mut self, more: Exported) {
        self.rows += more.rows;
        self.damaged += more.damaged;
    }
}

#[cfg(test)]
mod tests;
