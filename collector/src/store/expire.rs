//! Forgetting: whole partitions where there are some, else rows in small bites between which others write.

use super::{
    Error, Reaction, Store,
    db::{Db, on, write},
    partition::{EVIDENCE, Partition, Partitioned, REPORT_LOG, ROLLUP, ROLLUP_DAY, SEGMENT},
    trouble::Trouble,
};
use sqlx::AssertSqlSafe;
use wire::Micros;

/// What is to be forgotten when it is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Entries of the log up to a position: those that everybody has read.
    Log { upto: i64 },
    /// Samples that failed or were slow, by when they were received.
    Evidence,
    /// Sealed measurements, by the day.
    Segments,
    /// Roll-ups, by the hour.
    Rollups,
    /// Roll-ups as they are packed, by the day.
    PackedRollups,
    /// Windows of the mesh, by when they were received.
    Mesh,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    pub rows: u64,
    pub partitions: u64,
    /// Whether the limit was reached, or a lock was not to be had, so that there is more.
    pub more: bool,
}

/// How rows are found and deleted.
struct Plan {
    table: &'static str,
    /// The partitioned form of it, where there is one.
    partitioned: Option<Partitioned>,
    key: &'static str,
    /// Finds keys that are old: `$1` is the instant in the column's unit, `$2` a position.
    find: &'static str,
    unit_us: i64,
    /// Rows in one transaction: what is deleted in some milliseconds.
    bite: u64,
}

impl Kind {
    fn plan(self) -> Plan {
        let of = |partitioned: Partitioned, key, find, bite| Plan {
            table: partitioned.name,
            partitioned: Some(partitioned),
            key,
            find,
            unit_us: partitioned.unit_us,
            bite,
        };
        match self {
            Kind::Log { .. } => of(
                REPORT_LOG,
                "position",
                "SELECT position FROM {} WHERE received < $1 AND position <= $2",
                250,
            ),
            Kind::Evidence => of(
                EVIDENCE,
                "position, ordinal",
                "SELECT position, ordinal FROM {} WHERE received < $1",
                1000,
            ),
            Kind::Segments => of(
                SEGMENT,
                "day, check_id, number",
                "SELECT day, check_id, number FROM {} WHERE day < $1",
                250,
            ),
            // The key begins with the series: hours are found by asking each series for its old ones.
            Kind::Rollups => of(
                ROLLUP,
                "series, hour",
                "SELECT r.series, r.hour FROM series AS s CROSS JOIN {} AS r WHERE r.series = s.id AND r.hour < $1",
                1000,
            ),
            Kind::PackedRollups => of(
                ROLLUP_DAY,
                "check_id, day",
                "SELECT r.check_id, r.day FROM (SELECT DISTINCT check_id FROM series) AS s
                 CROSS JOIN {} AS r WHERE r.check_id = s.check_id AND r.day < $1",
                100,
            ),
            Kind::Mesh => Plan {
                table: "mesh_window",
                partitioned: None,
                key: "sender, reflector, method, started",
                find: "SELECT sender, reflector, method, started FROM {} WHERE received < $1",
                unit_us: 1,
                bite: 1000,
            },
        }
    }

    /// The last position that may be forgotten.
    fn upto(self) -> Option<i64> {
        match self {
            Kind::Log { upto } => Some(upto),
            _ => None,
        }
    }
}

impl Store {
    /// Forgets what is from before an instant, at most `limit` rows of it besides whole partitions. Whole partitions go
    /// only when all of them is old, so on PostgreSQL a part of the newest one that is old stays for a while.
    ///
    /// # Errors
    /// When the database fails; what was forgotten until then stays forgotten.
    pub async fn expire(&self, kind: Kind, before: Micros, limit: u64) -> Result<Expired, Error> {
        let plan = kind.plan();
        let old = match kind {
            // A day goes with its first hour, so that nothing is packed that is not among the roll-ups.
            Kind::PackedRollups => before.0.saturating_add(plan.unit_us - 1).div_euclid(plan.unit_us),
            _ => before.0.div_euclid(plan.unit_us),
        };
        let mut expired = Expired::default();
        let mut table = plan.table.to_owned();
        let partitions = match plan.partitioned {
            Some(_) => self.partitions(plan.table).await?,
            None => None,
        };
        if let Some(partitions) = partitions {
            for partition in &partitions {
                if partition.range.is_some_and(|(_, to)| to <= old) && self.is_read(kind, partition).await? {
                    match self.drop_partition(partition).await {
                        Ok(()) => expired.partitions += 1,
                        Err(error) if error.trouble() == Some(Trouble::Locked) => expired.more = true,
                        Err(error) => return Err(error),
                    }
                }
            }
            let Some(rest) = partitions.into_iter().find(|partition| partition.range.is_none()) else {
                return Ok(expired);
            };
            table = rest.name;
        }
        while expired.rows < limit {
            let bite = plan.bite.min(limit - expired.rows);
            let deleted = match self.delete(&plan, &table, old, kind.upto(), bite).await {
                // A deadlock or a lock that others hold: the next pass goes on.
                Err(error)
                    if error.trouble() == Some(Trouble::Locked) && error.reaction() == Reaction::Retry =>
                {
                    expired.more = true;
                    return Ok(expired);
                }
                deleted => deleted?,
            };
            expired.rows += deleted;
            if deleted < bite {
                return Ok(expired);
            }
        }
        expired.more = true;
        Ok(expired)
    }

    async fn delete(
        &self,
        plan: &Plan,
        table: &str,
        old: i64,
        upto: Option<i64>,
        bite: u64,
    ) -> Result<u64, Error> {
        let find = plan.find.replace("{}", table);
        let sql = format!("DELETE FROM {table} WHERE ({}) IN ({find} LIMIT {bite})", plan.key);
        Ok(write!(self, tx => {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(old);
            let query = match upto {
                Some(upto) => query.bind(upto),
                None => query,
            };
            query.execute(&mut *tx).await?.rows_affected()
        }))
    }

    /// Whether nobody needs a partition any more.
    async fn is_read(&self, kind: Kind, partition: &Partition) -> Result<bool, Error> {
        let Some(upto) = kind.upto() else { return Ok(true) };
        let sql = format!("SELECT COALESCE(MAX(position), 0) FROM {}", partition.name);
        let (newest,): (i64,) = on!(self, pool => sqlx::query_as(AssertSqlSafe(sql)).fetch_one(pool).await?);
        Ok(newest <= upto)
    }

    /// Drops a partition, unless the lock on the whole table is not to be had within a second: others queue behind it.
    async fn drop_partition(&self, partition: &Partition) -> Result<(), Error> {
        debug_assert!(matches!(self.db, Db::Postgres(_)), "SQLite has no partitions");
        let sql = format!("SET LOCAL lock_timeout = '1s'; DROP TABLE {}", partition.name);
        write!(self, tx => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.map(drop)?);
        Ok(())
    }
}
