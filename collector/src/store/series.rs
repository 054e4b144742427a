//! The numbers of series.

use super::{
    Error, Store,
    db::{on, write},
};
use crate::history::SeriesKey;
use sqlx::FromRow;
use std::collections::{BTreeMap, BTreeSet};

/// Series that one statement inserts.
const ROWS: usize = 200;
/// How often another collector may be quicker to give a number.
const TRIES: u32 = 50;

#[derive(FromRow)]
struct Row {
    id: i64,
    check_id: String,
    probe: String,
    target: String,
    part: String,
}

impl Store {
    /// The numbers of all series of some checks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_of(&self, checks: &BTreeSet<&str>) -> Result<BTreeMap<SeriesKey, i64>, Error> {
        let mut found = BTreeMap::new();
        for check in checks {
            let rows: Vec<Row> = on!(self, pool => {
                sqlx::query_as("SELECT id, check_id, probe, target, part FROM series WHERE check_id = $1").bind(check).fetch_all(pool).await?
            });
            for Row { id, check_id: check, probe, target, part } in rows {
                found.insert(SeriesKey { check, probe, target, part }, id);
            }
        }
        Ok(found)
    }

    /// The numbers of series, in their order; a series that has none gets one. Several collectors may ask at the same
    /// time, and get the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_ids(&self, keys: &[SeriesKey]) -> Result<Vec<i64>, Error> {
        let checks: BTreeSet<&str> = keys.iter().map(|key| key.check.as_str()).collect();
        for _ in 0..TRIES {
            let known = self.series_of(&checks).await?;
            let ids: Option<Vec<i64>> = keys.iter().map(|key| known.get(key).copied()).collect();
            if let Some(ids) = ids {
                return Ok(ids);
            }
            let missing: BTreeSet<&SeriesKey> = keys.iter().filter(|key| !known.contains_key(key)).collect();
            self.add_series(&missing.into_iter().collect::<Vec<_>>()).await?;
        }
        // Each time another collector gave all numbers that this one had chosen.
        Err(Error::Query(sqlx::Error::RowNotFound))
    }

    /// Gives numbers to series. Whoever is quicker wins: what conflicts is left out.
    async fn add_series(&self, keys: &[&SeriesKey]) -> Result<(), Error> {
        write!(self, tx => {
            let (last,): (i64,) =
                sqlx::query_as("SELECT COALESCE(MAX(id), 0) FROM series").fetch_one(&mut *tx).await?;
            let numbered: Vec<(i64, &SeriesKey)> = (last + 1..).zip(keys.iter().copied()).collect();
            for rows in numbered.chunks(ROWS) {
                let mut query = sqlx::QueryBuilder::new("INSERT INTO series (id, check_id, probe, target, part) ");
                query.push_values(rows, |mut row, (id, key)| {
                    row.push_bind(*id)
                        .push_bind(key.check.as_str())
                        .push_bind(key.probe.as_str())
                        .push_bind(key.target.as_str())
                        .push_bind(key.part.as_str());
                });
                query.push(" ON CONFLICT DO NOTHING");
                query.build().persistent(false).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}
