//! Forgetting what was done: plans, deliveries, configuration documents and erasures that are no longer in force, and
//! what happened.

use super::{
    Error, Store,
    db::{on, write},
    lease::check_term,
};
use wire::Micros;

/// Rows in one transaction.
const BITE: i64 = 500;
/// Configuration documents that are kept whatever their age.
const DOCUMENTS: i64 = 20;

impl Store {
    /// The log position up to which everybody has read the log: the decider, and every shard of the history. What is
    /// after it must not be forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_read(&self) -> Result<i64, Error> {
        let (position,): (i64,) = on!(self, pool => {
            sqlx::query_as(
                "SELECT MIN(position) FROM (
                   SELECT COALESCE(MIN(position), 0) AS position FROM seal_cursor
                   UNION ALL SELECT COALESCE(MAX(position), 0) FROM decision_state) AS reader",
            )
            .fetch_one(pool).await?
        });
        Ok(position)
    }

    /// Deletes some timeline entries from before `before`, but never the newest, so that ids go on growing; says how
    /// many. None were the last.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails.
    pub async fn expire_timeline(&self, term: i64, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            sqlx::query(
                "DELETE FROM timeline WHERE id IN (SELECT id FROM timeline WHERE at < $1
                   AND id < (SELECT MAX(id) FROM timeline) ORDER BY id LIMIT $2)",
            )
            .bind(before.0).bind(BITE).execute(&mut *tx).await?.rows_affected()
        }))
    }

    /// Deletes some records from before `before` of what is no longer in force; says how many. None were the last.
    ///
    /// The newest plan of each service and its deliveries stay, the newest configuration documents and those that kept
    /// states of the decider refer to, and erasures that are not through.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails.
    pub async fn expire_audit(&self, term: i64, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            let mut deleted = 0;
            for sql in [
                "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery AS d WHERE created < $1 AND state <> 'pending'
                   AND generation < (SELECT MAX(generation) FROM plan AS p WHERE p.service = d.service) LIMIT $2)",
                "DELETE FROM plan WHERE (service, generation) IN (SELECT service, generation FROM plan AS o
                   WHERE created < $1 AND generation < (SELECT MAX(generation) FROM plan AS n WHERE n.service = o.service)
                   AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.service = o.service
                                   AND d.generation = o.generation) LIMIT $2)",
                "DELETE FROM erasure WHERE id IN (SELECT id FROM erasure WHERE requested < $1
                   AND position <= (SELECT MIN(position) FROM seal_cursor) LIMIT $2)",
            ] {
                deleted += sqlx::query(sql).bind(before.0).bind(BITE).execute(&mut *tx).await?.rows_affected();
            }
            deleted += sqlx::query(
                "DELETE FROM revision WHERE revision IN (SELECT revision FROM revision WHERE applied < $1
                   AND revision < (SELECT MAX(revision) FROM revision) - $3
                   AND revision < COALESCE((SELECT MIN(revision) FROM snapshot), 9223372036854775807) LIMIT $2)",
            )
            .bind(before.0).bind(BITE).bind(DOCUMENTS).execute(&mut *tx).await?.rows_affected();
            deleted
        }))
    }
}
