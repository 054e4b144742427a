//! Forgetting on request: what the database does of it. The order is that of [`crate::history::erase`].

use super::{
    Error, NewSegment, Rollups, Store,
    compaction::{DayOfCheck, in_list, remove_segments},
    db::{Db, on, write},
    history::{insert_segments, whole},
    payload, rollup,
    rollup_day::{PackedDay, put_days},
};
use crate::history::{Erasures, KeyRef, Selection, SeriesKey};
use serde_json::Value;
use series::kept_start;
use sqlx::{FromRow, QueryBuilder};
use wire::Micros;

/// Rows in one transaction.
const BITE: i64 = 200;
/// The most values in one `IN (…)`.
const LIST: usize = 500;

/// What replaces a day of a check.
#[derive(Debug)]
pub struct Rewrite<'a> {
    pub shard: usize,
    /// The cursor and the changes of the shard when the old segments were read.
    pub position: i64,
    pub changes: i64,
    pub of: &'a DayOfCheck,
    /// The numbers of the old segments.
    pub old: &'a [i64],
    pub new: &'a [NewSegment],
    /// Roll-ups that are made again.
    pub rollups: &'a Rollups,
    /// Roll-ups that go, by series and hour.
    pub gone: &'a [(i64, i64)],
    /// What the remaining roll-ups of the day are packed to; nothing when none remains.
    pub packed: Option<PackedDay>,
}

/// What was done to some entries of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bite {
    /// The position of the last one.
    pub last: i64,
    /// Samples that were taken out, or whose evidence was.
    pub samples: u64,
    /// Entries that cannot be read.
    pub unreadable: u64,
}

#[derive(FromRow)]
struct Series {
    id: i64,
    check_id: String,
    probe: String,
    target: String,
    part: String,
}

/// A row of `erasure`, as far as it says what is hidden.
#[derive(FromRow)]
pub(super) struct Erased {
    position: i64,
    check_id: Option<String>,
    probe: Option<String>,
    target: Option<String>,
    from_at: Option<i64>,
    to_at: Option<i64>,
}

/// What is hidden, by its rows.
pub(super) fn erasures(rows: Vec<Erased>) -> Erasures {
    let one = |row: Erased| {
        let Erased { position, check_id: check, probe, target, from_at: from, to_at: to } = row;
        (position, Selection { check, probe, target, from, to })
    };
    Erasures::new(rows.into_iter().map(one).collect())
}

/// Adds the conditions of a selection on a table with columns `check_id`, `probe`, `target` and `at`.
macro_rules! conditions {
    ($query:expr, $selection:expr) => {{
        let selection: &Selection = $selection;
        for (column, value) in [
            (" AND check_id = ", &selection.check),
            (" AND probe = ", &selection.probe),
            (" AND target = ", &selection.target),
        ] {
            if let Some(value) = value {
                $query.push(column).push_bind(value.as_str());
            }
        }
        if let Some(from) = selection.from {
            $query.push(" AND at >= ").push_bind(from);
        }
        if let Some(to) = selection.to {
            $query.push(" AND at < ").push_bind(to);
        }
    }};
}

impl Store {
    /// Notes what is to be forgotten, and returns the log position up to which it holds, and what of it can have been
    /// received by then: once sealed, runs have no position any more, so their time has to tell. From now on nothing of it
    /// is sealed: what was prepared without knowing of it is refused.
    ///
    /// # Errors
    /// When the database fails; then nothing was noted.
    pub async fn begin_erasure(
        &self,
        what: &Selection,
        evidence_only: bool,
        now: Micros,
    ) -> Result<(i64, Selection), Error> {
        if let Db::Sqlite(lite) = &self.db {
            // On this connection, that is for this process: what is deleted is overwritten, not only unlinked.
            sqlx::query("PRAGMA secure_delete = ON").execute(&lite.writer).await?;
        }
        Ok(write!(self, tx => {
            // The row's lock orders it among the appends.
            let (position,): (i64,) =
                sqlx::query_as("UPDATE log_head SET position = position WHERE id = 1 RETURNING position")
                    .fetch_one(&mut *tx).await?;
            let newest: Option<(i64,)> =
                sqlx::query_as("SELECT received FROM report_log WHERE position <= $1 ORDER BY position DESC LIMIT 1")
                    .bind(position).fetch_optional(&mut *tx).await?;
            // A run never counts for later than it was received.
            let end = newest.map_or(now.0, |(received,)| now.0.max(received)).saturating_add(1);
            let what = Selection { to: Some(what.to.map_or(end, |to| to.min(end))), ..what.clone() };
            sqlx::query(
                "INSERT INTO erasure (id, requested, position, check_id, probe, target, from_at, to_at, evidence_only)
                 VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM erasure), $1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(now.0).bind(position)
            .bind(what.check.as_deref()).bind(what.probe.as_deref()).bind(what.target.as_deref())
            .bind(what.from).bind(what.to).bind(evidence_only)
            .execute(&mut *tx).await?;
            if !evidence_only {
                sqlx::query("UPDATE seal_cursor SET changes = changes + 1").execute(&mut *tx).await?;
            }
            (position, what)
        }))
    }

    /// The series that a selection means, with their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_in(&self, what: &Selection) -> Result<Vec<(i64, SeriesKey)>, Error> {
        let rows: Vec<Series> = on!(self, pool => {
            sqlx::query_as("SELECT id, check_id, probe, target, part FROM series WHERE check_id = COALESCE($1, check_id) ORDER BY id")
                .bind(what.check.as_deref()).fetch_all(pool).await?
        });
        let key = |Series { id, check_id: check, probe, target, part }| {
            (id, SeriesKey { check, probe, target, part })
        };
        Ok(rows.into_iter().map(key).filter(|(_, key)| what.covers_series(key.as_ref())).collect())
    }

    /// The days of a check that have segments, or of which a series has roll-ups, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn days_of(&self, check: &str, series: &[i64]) -> Result<Vec<i64>, Error> {
        let rows: Vec<(i64,)> = on!(self, pool => {
            sqlx::query_as("SELECT DISTINCT day FROM segment WHERE check_id = $1")
                .bind(check).fetch_all(pool).await?
        });
        let mut days: Vec<i64> = rows.into_iter().map(|(day,)| day).collect();
        for some in series.chunks(LIST) {
            let hours: Vec<(i64,)> = on!(self, pool => {
                let mut query = QueryBuilder::new("SELECT DISTINCT hour FROM rollup WHERE series");
                in_list!(query, some);
                query.build_query_as().persistent(false).fetch_all(pool).await?
            });
            days.extend(hours.into_iter().map(|(hour,)| hour.div_euclid(24)));
        }
        days.sort_unstable();
        days.dedup();
        Ok(days)
    }

    /// Puts a day of a check without what is forgotten into the place of the day as it was, in one transaction. False
    /// when it is not any more as it was when it was read: then nothing was written.
    ///
    /// # Errors
    /// When the database fails; then nothing was written.
    pub async fn rewrite_day(&self, by: &Rewrite<'_>) -> Result<bool, Error> {
        Ok(write!(self, tx => {
            // The lock of the shard; nothing is changed before it is known that the segments are there.
            let row: Option<(i64,)> = sqlx::query_as(
                "UPDATE seal_cursor SET number = number
                 WHERE shard = $1 AND position = $2 AND changes = $3 RETURNING number",
            )
            .bind(whole(by.shard)).bind(by.position).bind(by.changes)
            .fetch_optional(&mut *tx).await?;
            match row {
                Some((last,)) if by.old.is_empty() || remove_segments!(tx, by.of, by.old) => {
                    sqlx::query("UPDATE seal_cursor SET changes = changes + 1, number = number + $1 WHERE shard = $2")
                        .bind(whole(by.new.len())).bind(whole(by.shard)).execute(&mut *tx).await?;
                    insert_segments!(tx, last, by.new);
                    rollup::put!(tx, by.rollups);
                    for (series, hour) in by.gone {
                        sqlx::query("DELETE FROM rollup WHERE series = $1 AND hour = $2")
                            .bind(series).bind(hour).execute(&mut *tx).await?;
                    }
                    match &by.packed {
                        Some(packed) => put_days!(tx, std::slice::from_ref(packed)),
                        None => {
                            sqlx::query("DELETE FROM rollup_day WHERE check_id = $1 AND day = $2")
                                .bind(by.of.check.as_str()).bind(by.of.day).execute(&mut *tx).await?;
                        }
                    }
                    true
                }
                _ => false,
            }
        }))
    }

    /// How much evidence a selection means, of log entries up to a position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_evidence(&self, what: &Selection, upto: i64) -> Result<u64, Error> {
        let (count,): (i64,) = on!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM evidence WHERE position <= ");
            query.push_bind(upto);
            conditions!(query, what);
            query.build_query_as().persistent(false).fetch_one(pool).await?
        });
        Ok(count.unsigned_abs())
    }

    /// Deletes some of the evidence that a selection means, after one row (position and ordinal) and of log entries up to
    /// a position. Says how many rows, and the last of them: nothing when there are no more. It looks for them before it
    /// writes, and never again at what it has passed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_evidence(
        &self,
        what: &Selection,
        after: (i64, i64),
        upto: i64,
    ) -> Result<Option<(u64, (i64, i64))>, Error> {
        let rows: Vec<(i64, i64)> = on!(self, pool => {
            let mut query = QueryBuilder::new("SELECT position, ordinal FROM evidence WHERE (position, ordinal) > (");
            query.push_bind(after.0).push(", ").push_bind(after.1).push(") AND position <= ").push_bind(upto);
            conditions!(query, what);
            query.push(" ORDER BY position, ordinal LIMIT ").push_bind(BITE);
            query.build_query_as().persistent(false).fetch_all(pool).await?
        });
        let Some(&last) = rows.last() else { return Ok(None) };
        let deleted = write!(self, tx => {
            let mut query = QueryBuilder::new("DELETE FROM evidence WHERE (position, ordinal) > (");
            query.push_bind(after.0).push(", ").push_bind(after.1).push(") AND (position, ordinal) <= (");
            query.push_bind(last.0).push(", ").push_bind(last.1).push(")");
            conditions!(query, what);
            query.build().persistent(false).execute(&mut *tx).await?.rows_affected()
        });
        Ok(Some((deleted, last)))
    }

    /// Takes what a selection means out of some log entries after one position up to another: whole samples, or only
    /// what they saw. Nothing when there are no more entries. With `dry`, nothing is written. An entry that cannot be
    /// read stays as it is: it must not keep what is behind it, and nobody else can read it either.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn erase_log(
        &self,
        what: &Selection,
        evidence_only: bool,
        (after, upto): (i64, i64),
        dry: bool,
    ) -> Result<Option<Bite>, Error> {
        let rows: Vec<(i64, i64, i64, Option<Vec<u8>>)> = on!(self, pool => {
            // No index is by source: looking for one probe's entries would read the whole log in one statement, were
            // it a condition. So each statement goes over as many entries, and fetches what is in the probe's.
            let mut query = QueryBuilder::new("SELECT position, received, clock_us, ");
            match &what.probe {
                Some(probe) => {
                    query.push("CASE WHEN source = ").push_bind(probe.as_str()).push(" THEN payload END");
                }
                None => {
                    query.push("payload");
                }
            }
            // What was received before the time began was before it too.
            query.push(" FROM report_log WHERE position > ").push_bind(after).push(" AND position <= ").push_bind(upto);
            if let Some(from) = what.from {
                query.push(" AND received >= ").push_bind(from);
            }
            query.push(" ORDER BY position LIMIT ").push_bind(BITE);
            query.build_query_as().persistent(false).fetch_all(pool).await?
        });
        let Some((last, ..)) = rows.last() else { return Ok(None) };
        let mut bite = Bite { last: *last, samples: 0, unreadable: 0 };
        let mut payloads = Vec::new();
        for (position, received, clock_us, bytes) in rows {
            let Some(bytes) = bytes else { continue };
            let mut here = 0;
            let edited = payload::edit(&bytes, |report| {
                here = forget(report, what, evidence_only, received, clock_us);
                here > 0
            });
            match edited {
                Ok(edited) => {
                    bite.samples += here;
                    payloads.extend(edited.map(|bytes| (position, received, bytes)));
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, position, "an entry of the log cannot be read and stays as it is");
                    bite.unreadable += 1;
                }
            }
        }
        if !dry && !payloads.is_empty() {
            write!(self, tx => {
                for (position, received, bytes) in &payloads {
                    sqlx::query("UPDATE report_log SET payload = $1 WHERE position = $2 AND received = $3")
                        .bind(bytes.as_slice()).bind(position).bind(received).execute(&mut *tx).await?;
                }
            });
        }
        Ok(Some(bite))
    }
}

/// Takes samples out of a report, or what they saw; says of how many. By its JSON, so that what this version does not
/// know stays as it is.
fn forget(report: &mut Value, what: &Selection, evidence_only: bool, received: i64, clock_us: i64) -> u64 {
    let probe = report.get("probe").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(samples) = report.get_mut("samples").and_then(Value::as_array_mut) else { return 0 };
    let is_meant = |sample: &Value| {
        let text = |name: &str| sample.get(name).and_then(Value::as_str).unwrap_or_default();
        let started = sample.get("started").and_then(Value::as_i64).unwrap_or_default();
        let at = kept_start(crate::history::at(Micros(started), clock_us, Micros(received)));
        what.covers(KeyRef { check: text("check"), probe: &probe, target: text("target"), part: "" }, at)
    };
    let before = samples.len();
    if !evidence_only {
        samples.retain(|sample| !is_meant(sample));
        return (before - samples.len()) as u64;
    }
    let mut changed = 0;
    for sample in samples.iter_mut().filter(|sample| is_meant(sample)) {
        let mut had = sample.get_mut("evidence").map(Value::take).is_some_and(|evidence| !evidence.is_null());
        for address in sample.get_mut("addresses").and_then(Value::as_array_mut).into_iter().flatten() {
            had |= address.as_object_mut().is_some_and(|address| address.remove("summary").is_some());
        }
        changed += u64::from(had);
    }
    changed
}
