//! Tables that grow are cut by time on PostgreSQL, so that forgetting is dropping a table.
//!
//! Each has a DEFAULT partition, so that an insert never fails for want of a partition; partitions are made ahead of
//! time, and rows that went into the DEFAULT one meanwhile are moved. On SQLite there is nothing to do.

use super::{
    Error, Store,
    db::{Db, on, write},
};
use sqlx::AssertSqlSafe;
use wire::Micros;

/// One hour and one day, microseconds.
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// Serialises collectors that make partitions at the same time; any number does.
const LOCK: i64 = 0x5e87_a217_0001;

/// A table that is partitioned on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitioned {
    pub name: &'static str,
    /// What it is partitioned by.
    pub column: &'static str,
    /// What one of the column is, microseconds.
    pub unit_us: i64,
    /// How much of the column one partition holds.
    width: i64,
    /// How many partitions before and after the present one there are at least.
    around: (i64, i64),
}

pub const REPORT_LOG: Partitioned =
    Partitioned { name: "report_log", column: "received", unit_us: 1, width: 6 * HOUR_US, around: (0, 4) };
pub const EVIDENCE: Partitioned =
    Partitioned { name: "evidence", column: "received", unit_us: 1, width: DAY_US, around: (0, 2) };
pub const SEGMENT: Partitioned =
    Partitioned { name: "segment", column: "day", unit_us: DAY_US, width: 1, around: (1, 2) };
pub const ROLLUP: Partitioned =
    Partitioned { name: "rollup", column: "hour", unit_us: HOUR_US, width: 30 * 24, around: (1, 1) };

pub const ROLLUP_DAY: Partitioned =
    Partitioned { name: "rollup_day", column: "day", unit_us: DAY_US, width: 30, around: (1, 1) };

const ALL: [Partitioned; 5] = [REPORT_LOG, EVIDENCE, SEGMENT, ROLLUP, ROLLUP_DAY];

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    /// From here, and up to before there; absent for the DEFAULT one.
    pub range: Option<(i64, i64)>,
}

impl Partitioned {
    /// The table of this name, where it is one that is partitioned on PostgreSQL.
    pub fn named(name: &str) -> Option<Partitioned> {
        ALL.into_iter().find(|table| table.name == name)
    }

    /// The statement that makes the partition for a value where nothing of its range is there yet, and where that range
    /// begins. Absent for values at the very ends, which go into the DEFAULT partition.
    pub fn make_for(&self, value: i64) -> Option<(i64, String)> {
        let from = value.div_euclid(self.width).checked_mul(self.width)?;
        let (name, to) = (self.name, from.checked_add(self.width)?);
        let partition = format!("{name}_{from}").replace('-', "m");
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {partition} PARTITION OF {name} FOR VALUES FROM ({from}) TO ({to})"
        );
        Some((from, sql))
    }

    /// The ranges that should be there at an instant, oldest first.
    fn wanted(&self, now: Micros) -> impl Iterator<Item = (i64, i64)> {
        let width = self.width;
        let present = now.0.div_euclid(self.unit_us).div_euclid(width);
        let (before, after) = self.around;
        (present - before..=present + after).map(move |number| (number * width, (number + 1) * width))
    }
}

/// Reads what PostgreSQL shows of a partition's bounds.
fn bounds(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.strip_prefix("FOR VALUES FROM (")?.split_once(") TO (")?;
    let number = |text: &str| text.trim_end_matches(')').trim_matches('\'').parse().ok();
    Some((number(from)?, number(to)?))
}

impl Store {
    /// Makes the partitions that will be needed soon; says how many were missing. To be called at least once a day.
    ///
    /// # Errors
    /// When the database fails; rows then go into the DEFAULT partition until it is called again.
    pub async fn make_partitions(&self, now: Micros) -> Result<u64, Error> {
        let mut made = 0;
        for table in ALL {
            let Some(there) = self.partitions(table.name).await? else { continue };
            let rest = match there.iter().find(|partition| partition.range.is_none()) {
                Some(rest) => rest.name.clone(),
                None => self.make_rest(&table).await?,
            };
            for range in table.wanted(now) {
                let overlaps = |(from, to): (i64, i64)| from < range.1 && range.0 < to;
                if !there.iter().filter_map(|partition| partition.range).any(overlaps) {
                    self.make_partition(&table, &rest, range).await?;
                    made += 1;
                }
            }
        }
        Ok(made)
    }

    /// The partitions of a table; absent when it is not partitioned, as always on SQLite.
    pub(super) async fn partitions(&self, table: &str) -> Result<Option<Vec<Partition>>, Error> {
        if let Db::Sqlite(_) = &self.db {
            return Ok(None);
        }
        let (partitioned,): (bool,) = on!(self, pool => {
            sqlx::query_as(
                "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = $1 AND relkind = 'p' AND pg_table_is_visible(oid))",
            )
            .bind(table).fetch_one(pool).await?
        });
        if !partitioned {
            return Ok(None);
        }
        let rows: Vec<(String, String)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT CAST(c.relname AS TEXT), pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
                 JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
                 WHERE p.relname = $1 AND pg_table_is_visible(p.oid) ORDER BY c.relname",
            )
            .bind(table).fetch_all(pool).await?
        });
        Ok(Some(rows.into_iter().map(|(name, text)| Partition { name, range: bounds(&text) }).collect()))
    }

    async fn make_rest(&self, table: &Partitioned) -> Result<String, Error> {
        let Partitioned { name, .. } = table;
        let rest = format!("{name}_rest");
        let create = format!("CREATE TABLE IF NOT EXISTS {rest} PARTITION OF {name} DEFAULT");
        write!(self, tx => {
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
            sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *tx).await?;
        });
        Ok(rest)
    }

    /// Makes one beside the table and attaches it, which holds nobody up.
    async fn make_partition(
        &self,
        table: &Partitioned,
        rest: &str,
        (from, to): (i64, i64),
    ) -> Result<(), Error> {
        let Partitioned { name, column, .. } = table;
        let partition = format!("{name}_{from}");
        write!(self, tx => {
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
            let (there,): (bool,) =
                sqlx::query_as("SELECT to_regclass($1) IS NOT NULL").bind(&partition).fetch_one(&mut *tx).await?;
            if !there {
                sqlx::raw_sql(AssertSqlSafe(format!(
                    "CREATE TABLE {partition} (LIKE {name} INCLUDING ALL);
                     WITH moved AS (DELETE FROM {rest} WHERE {column} >= {from} AND {column} < {to} RETURNING *)
                       INSERT INTO {partition} SELECT * FROM moved;
                     ALTER TABLE {name} ATTACH PARTITION {partition} FOR VALUES FROM ({from}) TO ({to})"
                )))
                .execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_postgresql_prints_them() {
        assert_eq!(
            bounds("FOR VALUES FROM ('-5') TO ('1795000000000000')"),
            Some((-5, 1_795_000_000_000_000))
        );
        assert_eq!(bounds("DEFAULT"), None);
        assert_eq!(bounds("FOR VALUES FROM (MINVALUE) TO ('3')"), None);
    }

    #[test]
    fn the_present_is_among_the_ranges_that_are_wanted() {
        for table in ALL {
            for now in [Micros(0), Micros(1_795_000_000_123_456), Micros(20_778 * DAY_US)] {
                let ranges: Vec<_> = table.wanted(now).collect();
                let at = now.0 / table.unit_us;
                assert!(ranges.iter().any(|(from, to)| (*from..*to).contains(&at)), "{table:?} {ranges:?}");
                assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0), "without gaps: {ranges:?}");
                assert!(ranges.last().is_some_and(|(from, _)| *from > at), "ahead of time: {ranges:?}");
            }
        }
    }
}
