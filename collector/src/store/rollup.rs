//! Roll-ups as rows of the table `rollup`.

use super::{Error, Store, db::on};
use series::{rollup::Rollup, sketch::Sketch};
use sqlx::{FromRow, QueryBuilder};
use std::collections::BTreeMap;

/// The most values in one `IN (…)`.
const LIST: usize = 500;
/// Rows that one statement writes; each has 23 parameters, and SQLite takes 32,766.
pub(super) const ROWS: usize = 100;

/// An hour of a series: the series' number, and whole hours since 1970.
pub type SeriesHour = (i64, i64);

/// Roll-ups by what they are of.
pub type Rollups = BTreeMap<SeriesHour, Rollup>;

/// The columns of a [`Row`].
pub(super) const COLUMNS: &str =
    "series, hour, ok, slow, missed, unsupported, fail_dns, fail_connect, fail_tls, fail_timeout,
    fail_protocol, fail_status, fail_assertion, fail_request, sum_us, min_us, max_us, sketch";

#[derive(FromRow)]
pub(super) struct Row {
    series: i64,
    hour: i64,
    ok: i64,
    slow: i64,
    missed: i64,
    unsupported: i64,
    fail_dns: i64,
    fail_connect: i64,
    fail_tls: i64,
    fail_timeout: i64,
    fail_protocol: i64,
    fail_status: i64,
    fail_assertion: i64,
    fail_request: i64,
    sum_us: Option<i64>,
    min_us: Option<i64>,
    max_us: Option<i64>,
    sketch: Vec<u8>,
}

impl Row {
    pub(super) fn keyed(self) -> (SeriesHour, Rollup) {
        ((self.series, self.hour), self.rollup())
    }

    fn rollup(self) -> Rollup {
        let failures = [
            self.fail_dns,
            self.fail_connect,
            self.fail_tls,
            self.fail_timeout,
            self.fail_protocol,
            self.fail_status,
            self.fail_assertion,
            self.fail_request,
        ];
        let sketch = Sketch::decode(&self.sketch).unwrap_or_else(|error| {
            // Without it, all counts of the hour would be lost, and the hour could never be sealed again.
            tracing::error!(
                series = self.series,
                hour = self.hour,
                error = &error as &dyn std::error::Error,
                "the sketch of a roll-up is damaged: the quantiles of that hour are of its other runs only"
            );
            Sketch::new()
        });
        Rollup {
            ok: count(self.ok),
            failures: failures.map(count),
            slow: count(self.slow),
            missed: count(self.missed),
            unsupported: count(self.unsupported),
            sum_us: count(self.sum_us.unwrap_or_default()),
            min_us: self.min_us.map(micros),
            max_us: self.max_us.map(micros),
            sketch,
        }
    }
}

/// A count from the database; a negative one is none of ours.
fn count(stored: i64) -> u64 {
    stored.try_into().unwrap_or(0)
}

/// A duration from the database, which is a `u32` unless somebody else wrote it.
fn micros(stored: i64) -> u32 {
    stored.clamp(0, u32::MAX.into()).try_into().unwrap_or(u32::MAX)
}

/// A count for the database.
pub(super) fn stored(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Writes roll-ups inside a transaction, over those that are there.
macro_rules! put {
    ($tx:expr, $rollups:expr) => {{
        use crate::store::rollup::stored;
        let rollups: Vec<(&crate::store::rollup::SeriesHour, &series::rollup::Rollup)> = $rollups.iter().collect();
        for rows in rollups.chunks(crate::store::rollup::ROWS) {
            let mut query = sqlx::QueryBuilder::new(
                "INSERT INTO rollup (series, hour, runs, ok, slow, missed, unsupported, fail_dns, fail_connect,
                    fail_tls, fail_timeout, fail_protocol, fail_status, fail_assertion, fail_request, sum_us, min_us,
                    mean_us, p50_us, p90_us, p99_us, max_us, sketch) ",
            );
            query.push_values(rows, |mut row, ((series, hour), rollup)| {
                row.push_bind(*series).push_bind(*hour);
                for count in [rollup.runs(), rollup.ok, rollup.slow, rollup.missed, rollup.unsupported] {
                    row.push_bind(stored(count));
                }
                for count in rollup.failures {
                    row.push_bind(stored(count));
                }
                row.push_bind((rollup.ok > 0).then(|| stored(rollup.sum_us)));
                let quantile = |q| rollup.quantile(q);
                for us in [
                    rollup.min_us,
                    rollup.mean_us(),
                    quantile(0.5),
                    quantile(0.9),
                    quantile(0.99),
                    rollup.max_us,
                ] {
                    row.push_bind(us.map(i64::from));
                }
                row.push_bind(rollup.sketch.encode());
            });
            query.push(
                " ON CONFLICT (series, hour) DO UPDATE SET runs = excluded.runs, ok = excluded.ok, slow = excluded.slow,
                    missed = excluded.missed, unsupported = excluded.unsupported, fail_dns = excluded.fail_dns,
                    fail_connect = excluded.fail_connect, fail_tls = excluded.fail_tls,
                    fail_timeout = excluded.fail_timeout, fail_protocol = excluded.fail_protocol,
                    fail_status = excluded.fail_status, fail_assertion = excluded.fail_assertion,
                    fail_request = excluded.fail_request, sum_us = excluded.sum_us, min_us = excluded.min_us,
                    mean_us = excluded.mean_us, p50_us = excluded.p50_us, p90_us = excluded.p90_us,
                    p99_us = excluded.p99_us, max_us = excluded.max_us, sketch = excluded.sketch",
            );
            // Only full statements repeat, so only they are worth to be kept prepared.
            let full = rows.len() == crate::store::rollup::ROWS;
            query.build().persistent(full).execute(&mut *$tx).await?;
        }
    }};
}

pub(super) use put;

/// Reads the roll-ups of some series in one hour.
macro_rules! get {
    ($executor:expr, $hour:expr, $series:expr) => {{
        let mut query = QueryBuilder::new("SELECT ");
        query.push(crate::store::rollup::COLUMNS).push(" FROM rollup WHERE hour = ");
        query.push_bind($hour).push(" AND series IN (");
        let mut list = query.separated(", ");
        for series in $series {
            list.push_bind(*series);
        }
        list.push_unseparated(")");
        query.build_query_as::<Row>().persistent(false).fetch_all($executor).await?
    }};
}

impl Store {
    /// Those of some roll-ups that are stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rollups(&self, wanted: impl IntoIterator<Item = SeriesHour>) -> Result<Rollups, Error> {
        let mut hours: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (series, hour) in wanted {
            hours.entry(hour).or_default().push(series);
        }
        let mut found = Rollups::new();
        for (hour, series) in hours {
            for some in series.chunks(LIST) {
                let rows = on!(self, pool => get!(pool, hour, some));
                found.extend(rows.into_iter().map(Row::keyed));
            }
        }
        Ok(found)
    }
}
