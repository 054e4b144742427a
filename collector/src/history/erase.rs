//! Forgets on request: the runs of some checks, probes, targets and times, wherever they are, while collectors go on.
//!
//! 1. A row in `erasure` says what, and up to which log position. From then on no collector seals anything of it, and
//!    within seconds none has it in memory.
//! 2. Segments are written anew without it, a day of a check at a time. Roll-ups go, or, of an hour that is forgotten in
//!    part, are made again from the runs that remain; where those are not there any more, they go too.
//! 3. Evidence goes, and samples are taken out of the reports in the log.
//!
//! Each step is a transaction, and all of it can be repeated: after a failure, ask again.

use super::{
    Error, Selection, SeriesKey,
    merging::read,
    prepare::{self, Numbered},
    shard::shard_of,
};
use crate::store::{DayOfCheck, PackedDay, Rewrite, Rollups, Store};
use ::series::{DAY_US, HOUR_US, Row, rollup::Rollup};
use std::collections::{BTreeMap, BTreeSet};
use wire::Micros;

/// How often a day is tried anew because it was sealed or compacted meanwhile.
const TRIES: u32 = 100;

/// What was forgotten, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// The log position up to which it holds.
    pub position: i64,
    /// Runs and steps in segments.
    pub runs: u64,
    /// Segments that were written anew or deleted.
    pub segments: u64,
    /// Roll-ups that are gone.
    pub rollups: u64,
    /// Roll-ups that were made again from the runs that remain.
    pub rollups_again: u64,
    /// Rows of evidence.
    pub evidence: u64,
    /// Samples in the log.
    pub samples: u64,
    /// Entries of the log that cannot be read, by anybody. They stay as they are.
    pub unreadable: u64,
}

/// Forgets what a selection means; with `dry`, only counts it.
///
/// # Errors
/// When the database fails, or something of it is damaged. What was forgotten until then stays forgotten.
pub async fn erase(
    store: &Store,
    what: &Selection,
    evidence_only: bool,
    dry: bool,
    now: Micros,
) -> Result<Erased, Error> {
    let (position, what) = match dry {
        true => (store.log_head().await?, what.clone()),
        false => store.begin_erasure(what, evidence_only, now).await?,
    };
    let what = &what;
    let mut erased = Erased { position, ..Erased::default() };
    if !evidence_only {
        let mut checks: BTreeMap<String, Vec<(i64, SeriesKey)>> = BTreeMap::new();
        for (id, key) in store.series_in(what).await? {
            checks.entry(key.check.clone()).or_default().push((id, key));
        }
        for (check, series) in checks {
            let ids: Vec<i64> = series.iter().map(|(id, _)| *id).collect();
            for day in store.days_of(&check, &ids).await? {
                if what.touches_range(day * DAY_US, (day + 1) * DAY_US) {
                    let of = DayOfCheck { day, check: check.clone() };
                    erase_day(store, what, &of, &ids, dry, &mut erased).await?;
                }
            }
        }
    }
    if dry {
        erased.evidence = store.count_evidence(what, position).await?;
    } else {
        let mut after = (0, 0);
        while let Some((rows, last)) = store.erase_evidence(what, after, position).await? {
            erased.evidence += rows;
            after = last;
        }
    }
    let mut after = 0;
    while let Some(bite) = store.erase_log(what, evidence_only, (after, position), dry).await? {
        erased.samples += bite.samples;
        erased.unreadable += bite.unreadable;
        after = bite.last;
    }
    Ok(erased)
}

/// Forgets a day of a check.
async fn erase_day(
    store: &Store,
    what: &Selection,
    of: &DayOfCheck,
    ids: &[i64],
    dry: bool,
    erased: &mut Erased,
) -> Result<(), Error> {
    let shard = shard_of(&of.check);
    for _ in 0..TRIES {
        let state = store.seal_state().await?;
        let (mut old, mut data) = (Vec::new(), Vec::new());
        for segment in store.segment_infos(of).await? {
            data.extend(store.segment_data(of, segment.number).await?);
            old.push(segment.number);
        }
        if old.len() != data.len() {
            continue;
        }
        let hours = of.day * 24..(of.day + 1) * 24;
        let touched = hours.filter(|hour| what.touches_range(hour * HOUR_US, (hour + 1) * HOUR_US));
        let wanted: Vec<(i64, i64)> =
            touched.flat_map(|hour| ids.iter().map(move |id| (*id, hour))).collect();
        let stored = store.rollups(wanted).await?;
        let (selection, day, meant) = (what.clone(), of.clone(), ids.iter().copied().collect());
        let work = tokio::task::spawn_blocking(move || rest(&selection, &day, &meant, &data, stored));
        let Rest { segments, rollups, gone, runs, changed } = work.await??;
        // Segments without anything of it stay as they are.
        let old: Vec<i64> =
            old.into_iter().zip(changed).filter(|(_, changed)| *changed).map(|(n, _)| n).collect();
        let mut remaining = store.rollups_of(of).await?;
        remaining.retain(|hour, _| !gone.contains(hour));
        remaining.extend(rollups.iter().map(|(hour, rollup)| (*hour, rollup.clone())));
        let packed = (!remaining.is_empty()).then(|| PackedDay::new(of.clone(), &remaining));
        let by = Rewrite {
            shard,
            position: state.cursors[shard],
            changes: state.changes[shard],
            of,
            old: &old,
            new: &segments,
            rollups: &rollups,
            gone: &gone,
            packed,
        };
        let nothing = by.old.is_empty() && rollups.is_empty() && gone.is_empty();
        if nothing || dry || store.rewrite_day(&by).await? {
            erased.runs += runs;
            erased.segments += old.len() as u64;
            erased.rollups += gone.len() as u64;
            erased.rollups_again += rollups.len() as u64;
            return Ok(());
        }
    }
    Err(Error::Busy { check: of.check.clone(), day: of.day })
}

/// What remains of a day.
struct Rest {
    segments: Vec<crate::store::NewSegment>,
    /// Roll-ups that are made again.
    rollups: Rollups,
    /// Roll-ups that go.
    gone: Vec<(i64, i64)>,
    runs: u64,
    /// Which of the old segments had something of it.
    changed: Vec<bool>,
}

/// Leaves out what is meant.
fn rest(
    what: &Selection,
    of: &DayOfCheck,
    meant: &BTreeSet<i64>,
    data: &[Vec<u8>],
    stored: Rollups,
) -> Result<Rest, Error> {
    let damaged = |source| Error::Damaged { check: of.check.clone(), day: of.day, source };
    let mut kept: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    // Of the hours that are meant in part: what they held, and what remains.
    let mut before: BTreeMap<(i64, i64), Rollup> = BTreeMap::new();
    let mut after: BTreeMap<(i64, i64), Rollup> = BTreeMap::new();
    let (mut runs, mut changed) = (0, Vec::with_capacity(data.len()));
    for bytes in data {
        let all = read(bytes).map_err(damaged)?;
        let is_meant = |id: i64, row: &Row| meant.contains(&id) && what.covers_time(row.at);
        let here: u64 =
            all.iter().map(|(id, rows)| rows.iter().filter(|row| is_meant(*id, row)).count() as u64).sum();
        runs += here;
        changed.push(here > 0);
        for (id, rows) in all {
            if meant.contains(&id) {
                for row in &rows {
                    let hour = (id, prepare::hour(row));
                    before.entry(hour).or_default().add(row);
                    if !is_meant(id, row) {
                        after.entry(hour).or_default().add(row);
                    }
                }
            }
            if here > 0 {
                kept.entry(id).or_default().extend(rows.into_iter().filter(|row| !is_meant(id, row)));
            }
        }
    }
    let (mut rollups, mut gone) = (Rollups::new(), Vec::new());
    for (of, rollup) in stored {
        let whole = what.covers_range(of.1 * HOUR_US, (of.1 + 1) * HOUR_US);
        let all_are_here = before.get(&of).is_some_and(|before| before.rows() == rollup.rows());
        match after.remove(&of) {
            // What remains of the hour can be told.
            Some(rest) if !whole && all_are_here && !rest.is_empty() => {
                if rest != rollup {
                    rollups.insert(of, rest);
                }
            }
            _ => gone.push(of),
        }
    }
    for rows in kept.values_mut() {
        rows.sort_by_key(|row| row.at);
    }
    let series: Vec<Numbered> = kept
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(id, rows)| Numbered { check: of.check.clone(), id, rows })
        .collect();
    let segments = prepare::segments(&series, 1)?;
    Ok(Rest { segments, rollups, gone, runs, changed })
}
