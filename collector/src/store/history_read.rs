//! Reading history: cursors, series, roll-ups, segments and evidence, all as of one moment.
//!
//! Decoding rows is what costs here, so each function selects only the columns that its caller needs, and hands rows
//! on in batches, so that memory stays bounded however much is asked for.

use super::{
    Error, Store,
    db::{Db, PATIENCE},
    erasure::{Erased, erasures},
    evidence_read::{EvidenceAsked, StoredEvidence, evidence_query},
    health::Monitor,
    writing::{Writing, within},
};
use crate::history::{Erasures, SeriesKey};
use futures_util::{Stream, TryStreamExt};
use series::{DAY_US, rollup::Rollup};
use sqlx::{ColumnIndex, Decode, FromRow, Postgres, QueryBuilder, Row, Sqlite, Type};
use std::{cmp::Reverse, ops::Range, sync::Arc, time::Duration};

/// The most values in one `IN (…)`.
const LIST: usize = 512;
/// The most rows that are handed on at a time.
const BATCH: usize = 2048;

/// History as of one moment: whatever is written meanwhile is not seen. Keep it short, because it holds a connection, and
/// what is deleted meanwhile keeps its space; and [`Snapshot::end`] it, because else the connection is thrown away.
#[must_use]
pub struct Snapshot {
    tx: Reading,
    monitor: Arc<Monitor>,
    /// Whether the connection failed: nothing is to be had from it any more.
    lost: bool,
}

enum Reading {
    Sqlite(Writing<Sqlite>),
    Postgres(Writing<Postgres>),
}

/// Expands one body of portable SQL against the transaction of a snapshot. Like any other question, one of PostgreSQL has
/// its time.
macro_rules! seen {
    ($snapshot:expr, $tx:ident => $body:expr) => {
        asked!($snapshot, PATIENCE, $tx => $body)
    };
}

/// The same for what is handed on row by row, which takes as long as whoever takes it: [`next`] limits the wait for each.
macro_rules! streamed {
    ($snapshot:expr, $tx:ident => $body:expr) => {
        asked!($snapshot, Duration::MAX, $tx => $body)
    };
}

macro_rules! asked {
    ($snapshot:expr, $limit:expr, $tx:ident => $body:expr) => {{
        let read = match &mut $snapshot.tx {
            Reading::Sqlite($tx) => async { Ok::<_, Error>($body) }.await,
            Reading::Postgres($tx) => within($limit, async { Ok::<_, Error>($body) }).await,
        };
        $snapshot.noted(read)?
    }};
}

/// The next row of an answer, if it comes in time.
async fn next<T>(
    rows: &mut (impl Stream<Item = Result<T, sqlx::Error>> + Unpin),
) -> Result<Option<T>, Error> {
    within(PATIENCE, async { Ok(rows.try_next().await?) }).await
}

/// Adds a list of values. It is filled up with its last value to a power of two, so that there are few different
/// statements, which each connection prepares once.
macro_rules! listed {
    ($query:expr, $list:expr) => {{
        let list = $list;
        let fill = list.len().next_power_of_two() - list.len();
        let mut values = $query.separated(", ");
        for value in list.iter().chain(list.last().into_iter().cycle().take(fill)) {
            values.push_bind(value.clone());
        }
    }};
}

/// What is measured: one row of the table `series`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct StoredSeries {
    pub id: i64,
    pub check_id: String,
    pub probe: String,
    pub target: String,
    /// Empty for the whole run, else a journey's step.
    pub part: String,
}

impl StoredSeries {
    /// What it is a series of.
    pub fn key(self) -> SeriesKey {
        let StoredSeries { check_id: check, probe, target, part, .. } = self;
        SeriesKey { check, probe, target, part }
    }
}

/// One hour of one series. Every column of a row costs, and most hours are without any trouble: what they rarely have is
/// one text.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredRollup {
    pub series: i64,
    /// Whole hours since 1970, UTC.
    pub hour: i64,
    pub ok: i64,
    /// Of successful runs, microseconds; absent when there is none.
    pub sum_us: Option<i64>,
    pub min_us: Option<i64>,
    pub max_us: Option<i64>,
    /// Counts as [`REST`] has them; absent when all of them are 0.
    rest: Option<String>,
    /// Encoded by `series::sketch`; empty when it was not asked for.
    #[sqlx(default)]
    pub sketch: Vec<u8>,
}

/// Slow, missed and unsupported runs, then the failures in the order of [`wire::sample::FailClass`].
const REST: &str = "CASE WHEN runs <> ok OR slow <> 0 OR missed <> 0 OR unsupported <> 0 THEN
    CAST(slow AS TEXT) || ' ' || CAST(missed AS TEXT) || ' ' || CAST(unsupported AS TEXT) || ' ' ||
    CAST(fail_dns AS TEXT) || ' ' || CAST(fail_connect AS TEXT) || ' ' || CAST(fail_tls AS TEXT) || ' ' ||
    CAST(fail_timeout AS TEXT) || ' ' || CAST(fail_protocol AS TEXT) || ' ' || CAST(fail_status AS TEXT) || ' ' ||
    CAST(fail_assertion AS TEXT) || ' ' || CAST(fail_request AS TEXT) END AS rest";

impl StoredRollup {
    /// The roll-up without its sketch. What a damaged database holds below 0 counts as 0.
    pub fn counts(&self) -> Rollup {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let time = |us: Option<i64>| us.and_then(|us| u32::try_from(us).ok());
        let mut rest = self.rest.iter().flat_map(|rest| rest.split(' '));
        let mut next = || rest.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Rollup {
            ok: count(self.ok),
            slow: next(),
            missed: next(),
            unsupported: next(),
            failures: [(); 8].map(|()| next()),
            sum_us: count(self.sum_us.unwrap_or(0)),
            min_us: time(self.min_us),
            max_us: time(self.max_us),
            ..Rollup::default()
        }
    }
}

/// What is packed of a day and check: see [`series::bundle`]. It is read by position: an answer needs thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDay {
    /// Whole days since 1970, UTC.
    pub day: i64,
    pub check_id: String,
    /// Each series' whole day, or its hours, as was asked for.
    pub data: Vec<u8>,
}

impl<'r, R: Row> FromRow<'r, R> for StoredDay
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<StoredDay> {
        Ok(StoredDay { day: row.try_get(0)?, check_id: row.try_get(1)?, data: row.try_get(2)? })
    }
}

/// What is asked of packed days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    Whole,
    Hours,
}

/// Where segments are: of some checks, with rows in a range of time.
#[derive(Debug, Clone, Copy)]
pub struct SegmentsOf<'a> {
    pub checks: &'a [String],
    /// Microseconds since the epoch; the end is not in it.
    pub at: (i64, i64),
}

impl SegmentsOf<'_> {
    /// The days that the range touches.
    pub fn days(&self) -> Range<i64> {
        self.at.0.div_euclid(DAY_US)..(self.at.1.saturating_sub(1)).div_euclid(DAY_US) + 1
    }
}

/// Which segment, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SegmentFacts {
    pub day: i64,
    pub check_id: String,
    pub number: i64,
    /// The first and the last row, microseconds since the epoch.
    pub min_at: i64,
    pub max_at: i64,
    pub row_count: i64,
}

impl Store {
    /// History as of now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(&self) -> Result<Snapshot, Error> {
        let tx = match &self.db {
            Db::Sqlite(lite) => {
                Reading::Sqlite(Writing::begin(&lite.readers, &self.monitor, "BEGIN", false).await?)
            }
            // By default every statement of a transaction would see another moment.
            Db::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Reading::Postgres(Writing::begin(pool, &self.monitor, begin, false).await?)
            }
        };
        Ok(Snapshot { tx, monitor: Arc::clone(&self.monitor), lost: false })
    }

    /// History as of now, for whoever stands still between two questions, as an export does while nobody takes its
    /// output. PostgreSQL would end that transaction like one of a collector that was stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lasting_history(&self) -> Result<Snapshot, Error> {
        let mut snapshot = self.history().await?;
        if let Reading::Postgres(tx) = &mut snapshot.tx {
            let unlimited = sqlx::raw_sql(
                "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0",
            );
            let set = within(PATIENCE, async { Ok(unlimited.execute(&mut **tx).await.map(drop)?) }).await;
            snapshot.noted(set)?;
        }
        Ok(snapshot)
    }
}

impl Snapshot {
    /// Gives the connection back.
    ///
    /// # Errors
    /// When the database fails; what was read before is right all the same.
    pub async fn end(self) -> Result<(), Error> {
        // It would not answer this either; without an end the connection is closed.
        if self.lost {
            return Ok(());
        }
        match self.tx {
            Reading::Sqlite(tx) => tx.finish(Ok(())).await,
            Reading::Postgres(tx) => tx.finish(Ok(())).await,
        }
    }

    /// Takes in how a question went, and passes it on.
    fn noted<T>(&mut self, read: Result<T, Error>) -> Result<T, Error> {
        self.lost |= read.as_ref().is_err_and(|error| error.trouble().is_some());
        self.monitor.read(read)
    }

    /// The first evidence that fits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evidence(&mut self, asked: &EvidenceAsked) -> Result<Vec<StoredEvidence>, Error> {
        Ok(
            seen!(self, tx => evidence_query!(asked).build_query_as().persistent(false).fetch_all(&mut **tx).await?),
        )
    }

    /// Up to which position of the log each shard is sealed; shards without an entry are at 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cursors(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        Ok(seen!(self, tx => {
            sqlx::query_as("SELECT shard, position FROM seal_cursor").fetch_all(&mut **tx).await?
        }))
    }

    /// What was erased and may still be in a collector's memory.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erased(&mut self) -> Result<Erasures, Error> {
        let rows: Vec<Erased> = seen!(self, tx => {
            sqlx::query_as(
                "SELECT position, check_id, probe, target, from_at, to_at FROM erasure
                 WHERE NOT evidence_only AND position > (SELECT COALESCE(MIN(position), 0) FROM seal_cursor)",
            )
            .fetch_all(&mut **tx).await?
        });
        Ok(erasures(rows))
    }

    /// The checks of all series.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checks(&mut self) -> Result<Vec<String>, Error> {
        Ok(seen!(self, tx => {
            sqlx::query_scalar("SELECT DISTINCT check_id FROM series ORDER BY check_id")
                .fetch_all(&mut **tx).await?
        }))
    }

    /// The position of the newest entry of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_head(&mut self) -> Result<i64, Error> {
        let head: Option<i64> = seen!(self, tx => {
            sqlx::query_scalar("SELECT MAX(position) FROM log_head").fetch_one(&mut **tx).await?
        });
        Ok(head.unwrap_or(0))
    }

    /// The first hour that any series has a roll-up of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oldest_hour(&mut self) -> Result<Option<i64>, Error> {
        Ok(seen!(self, tx => {
            // Each inner question is answered by the beginning of an index, where a plain MIN reads the table.
            sqlx::query_scalar("SELECT MIN((SELECT MIN(hour) FROM rollup WHERE series = s.id)) FROM series AS s")
                .fetch_one(&mut **tx).await?
        }))
    }

    /// The first day of which single runs are kept; none when there is no segment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oldest_day(&mut self) -> Result<Option<i64>, Error> {
        Ok(seen!(self, tx => {
            sqlx::query_scalar("SELECT MIN(day) FROM segment").fetch_one(&mut **tx).await?
        }))
    }

    /// Whether there are segments of later days.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_segments_after(&mut self, day: i64) -> Result<bool, Error> {
        let found: Option<i64> = seen!(self, tx => {
            sqlx::query_scalar("SELECT day FROM segment WHERE day > $1 LIMIT 1")
                .bind(day).fetch_optional(&mut **tx).await?
        });
        Ok(found.is_some())
    }

    /// Whether any of the series has a roll-up in a range of hours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_rollups(&mut self, series: &[i64], hours: Range<i64>) -> Result<bool, Error> {
        for list in series.chunks(LIST) {
            let found: Option<i64> = seen!(self, tx => {
                let mut query = QueryBuilder::new("SELECT hour FROM rollup WHERE hour >= ");
                query.push_bind(hours.start).push(" AND hour < ").push_bind(hours.end).push(" AND series IN (");
                listed!(query, list);
                query.push(") LIMIT 1").build_query_scalar().fetch_optional(&mut **tx).await?
            });
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The series of some checks that were ever sealed, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series(&mut self, checks: &[String]) -> Result<Vec<StoredSeries>, Error> {
        let mut found: Vec<StoredSeries> = Vec::new();
        for list in checks.chunks(LIST) {
            let rows: Vec<StoredSeries> = seen!(self, tx => {
                let mut query = QueryBuilder::new(
                    "SELECT id, check_id, probe, target, part FROM series WHERE check_id IN (",
                );
                listed!(query, list);
                query.push(")").build_query_as().fetch_all(&mut **tx).await?
            });
            found.extend(rows);
        }
        found.sort();
        Ok(found)
    }

    /// How many rows the segments of a place hold, of all series of the checks; those of the first and the last
    /// segment that lie outside of the range are counted too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_in(&mut self, of: SegmentsOf<'_>) -> Result<u64, Error> {
        let (days, (from, to)) = (of.days(), of.at);
        let mut sum = 0;
        for list in of.checks.chunks(LIST) {
            let (rows,): (i64,) = seen!(self, tx => {
                let mut query = QueryBuilder::new(
                    "SELECT CAST(COALESCE(SUM(row_count), 0) AS BIGINT) FROM segment WHERE day >= ",
                );
                query.push_bind(days.start).push(" AND day < ").push_bind(days.end);
                query.push(" AND max_at >= ").push_bind(from).push(" AND min_at < ").push_bind(to);
                query.push(" AND check_id IN (");
                listed!(query, list);
                query.push(")").build_query_as().fetch_one(&mut **tx).await?
            });
            sum += u64::try_from(rows).unwrap_or(0);
        }
        Ok(sum)
    }

    /// Hands on the roll-ups of some series in a range of hours, in no order, until `hand_on` says false.
    /// Without `sketches` theirs are empty.
    ///
    /// # Errors
    /// When the database fails. The rows that were handed on before count for nothing then.
    pub async fn rollups<Done: Future<Output = bool>>(
        &mut self,
        series: &[i64],
        hours: Range<i64>,
        sketches: bool,
        mut hand_on: impl FnMut(Vec<StoredRollup>) -> Done,
    ) -> Result<(), Error> {
        for list in series.chunks(LIST) {
            let sketch = if sketches { ", sketch" } else { "" };
            let go_on = streamed!(self, tx => {
                let mut query = QueryBuilder::new("SELECT series, hour, ok, sum_us, min_us, max_us, ");
                query.push(REST).push(sketch).push(" FROM rollup WHERE hour >= ").push_bind(hours.start);
                query.push(" AND hour < ").push_bind(hours.end).push(" AND series IN (");
                listed!(query, list);
                query.push(")");
                let mut rows = query.build_query_as::<StoredRollup>().fetch(&mut **tx);
                let mut batch = Vec::with_capacity(BATCH);
                let mut go_on = true;
                while go_on && let Some(row) = next(&mut rows).await? {
                    batch.push(row);
                    if batch.len() == BATCH {
                        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                        go_on = hand_on(full).await;
                    }
                }
                go_on && hand_on(batch).await
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Hands on what is packed of some checks in a range of days, in no order, until `hand_on` says false. Days of
    /// which nothing is packed may have roll-ups all the same.
    ///
    /// # Errors
    /// When the database fails. What was handed on before counts for nothing then.
    pub async fn packed<Done: Future<Output = bool>>(
        &mut self,
        checks: &[String],
        days: Range<i64>,
        what: Packed,
        mut hand_on: impl FnMut(StoredDay) -> Done,
    ) -> Result<(), Error> {
        let column = match what {
            Packed::Whole => "whole",
            Packed::Hours => "hours",
        };
        for list in checks.chunks(LIST) {
            let go_on = streamed!(self, tx => {
                let mut query = QueryBuilder::new("SELECT day, check_id, ");
                query.push(column).push(" AS data FROM rollup_day WHERE day >= ").push_bind(days.start);
                query.push(" AND day < ").push_bind(days.end).push(" AND check_id IN (");
                listed!(query, list);
                query.push(")");
                let mut rows = query.build_query_as::<StoredDay>().fetch(&mut **tx);
                let mut go_on = true;
                while go_on && let Some(row) = next(&mut rows).await? {
                    go_on = hand_on(row).await;
                }
                go_on
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Hands on the segments of a place, one by one, in the order of their days, until `hand_on` says false.
    ///
    /// # Errors
    /// When the database fails. What was handed on before counts for nothing then.
    pub async fn segments<Done: Future<Output = bool>>(
        &mut self,
        of: SegmentsOf<'_>,
        mut hand_on: impl FnMut(Vec<u8>) -> Done,
    ) -> Result<(), Error> {
        let (days, (from, to)) = (of.days(), of.at);
        for list in of.checks.chunks(LIST) {
            let go_on = streamed!(self, tx => {
                let mut query = QueryBuilder::new("SELECT data FROM segment WHERE day >= ");
                query.push_bind(days.start).push(" AND day < ").push_bind(days.end);
                query.push(" AND max_at >= ").push_bind(from).push(" AND min_at < ").push_bind(to);
                query.push(" AND check_id IN (");
                listed!(query, list);
                query.push(") ORDER BY day, check_id, number");
                let mut rows = query.build_query_scalar::<Vec<u8>>().fetch(&mut **tx);
                let mut go_on = true;
                while go_on && let Some(data) = next(&mut rows).await? {
                    go_on = hand_on(data).await;
                }
                go_on
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Which segments a place has, those with the newest rows first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segment_facts(&mut self, of: SegmentsOf<'_>) -> Result<Vec<SegmentFacts>, Error> {
        let (days, (from, to)) = (of.days(), of.at);
        let mut found: Vec<SegmentFacts> = Vec::new();
        for list in of.checks.chunks(LIST) {
            let rows: Vec<SegmentFacts> = seen!(self, tx => {
                let mut query = QueryBuilder::new(
                    "SELECT day, check_id, number, min_at, max_at, row_count FROM segment WHERE day >= ",
                );
                query.push_bind(days.start).push(" AND day < ").push_bind(days.end);
                query.push(" AND max_at >= ").push_bind(from).push(" AND min_at < ").push_bind(to);
                query.push(" AND check_id IN (");
                listed!(query, list);
                query.push(")").build_query_as().fetch_all(&mut **tx).await?
            });
            found.extend(rows);
        }
        found.sort_by_key(|facts| Reverse(facts.max_at));
        Ok(found)
    }

    /// The bytes of one segment; none when there is no such one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segment(&mut self, which: &SegmentFacts) -> Result<Option<Vec<u8>>, Error> {
        Ok(seen!(self, tx => {
            sqlx::query_scalar("SELECT data FROM segment WHERE day = $1 AND check_id = $2 AND number = $3")
                .bind(which.day).bind(&which.check_id).bind(which.number).fetch_optional(&mut **tx).await?
        }))
    }
}

#[cfg(test)]
impl Store {
    /// Changes a byte of the newest segment.
    pub async fn damage_newest_segment(&self) -> Result<(), Error> {
        crate::store::db::write!(self, tx => {
            let (day, number, mut data): (i64, i64, Vec<u8>) =
                sqlx::query_as("SELECT day, number, data FROM segment ORDER BY number DESC LIMIT 1")
                    .fetch_one(&mut *tx).await?;
            let middle = data.len() / 2;
            data[middle] ^= 1;
            sqlx::query("UPDATE segment SET data = $1 WHERE day = $2 AND number = $3")
                .bind(&data).bind(day).bind(number).execute(&mut *tx).await.map(drop)?;
        });
        Ok(())
    }
}
