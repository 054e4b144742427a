//! Who decides.
//!
//! One row holds the term and its holder. On PostgreSQL it is free again when the holder let go or was not heard of for
//! [`EXPIRES`], by the database's clock, because those of collectors differ. On SQLite there is one process, which holds
//! the lock of the data folder; it gets the lease at once.
//!
//! A transaction that only the holder may make begins with [`check_term!`]. It holds a weak lock on the row, so that the
//! lease cannot change hands before the transaction has ended; renewing is not held up by it, and neither are other
//! transactions of the same holder.

use super::{
    Error, Store,
    db::{Db, on, write},
    writing::{Writing, within},
};
use sqlx::{Postgres, Sqlite};
use std::time::Duration;
use wire::Micros;

/// How long a holder that is not heard of keeps the lease.
pub const EXPIRES: Duration = Duration::from_millis(3_500);

/// Who has the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub term: i64,
    /// Empty when it was released.
    pub holder: String,
    /// Since it was renewed, microseconds by the database's clock; on SQLite always 0.
    pub age_us: i64,
}

/// What differs between the engines inside a writing transaction.
pub trait Fence {
    /// Finds the lease's row with a term, and keeps it from changing hands until the transaction ends.
    const HOLD: &'static str;

    /// The statement, for a macro that has a transaction of either kind.
    fn hold(&self) -> &'static str {
        Self::HOLD
    }
}

impl Fence for Writing<Sqlite> {
    const HOLD: &'static str = "SELECT term FROM lease WHERE name = 'decider' AND term = $1";
}

impl Fence for Writing<Postgres> {
    const HOLD: &'static str = "SELECT term FROM lease WHERE name = 'decider' AND term = $1 FOR KEY SHARE";
}

/// Ends a writing transaction with [`Error::Fenced`] unless the term is in force; it stays in force until the commit.
macro_rules! check_term {
    ($tx:expr, $term:expr) => {{
        let term: i64 = $term;
        let held: Option<(i64,)> = sqlx::query_as(crate::store::lease::Fence::hold(&$tx))
            .bind(term)
            .fetch_optional(&mut *$tx)
            .await?;
        if held.is_none() {
            return Err(crate::store::Error::Fenced { term });
        }
    }};
}

pub(super) use check_term;

/// Now by PostgreSQL's clock, microseconds since the epoch.
macro_rules! database_now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    };
}

impl Store {
    /// Takes the lease and returns the new term, above every earlier one. A term is at least the Unix time in
    /// seconds, so that it grows even when the database was lost: receivers would refuse a lower one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_lease(&self, holder: &str, now: Micros) -> Result<i64, Error> {
        let least = now.0 / 1_000_000;
        let (term,): (i64,) = write!(self, tx => {
            sqlx::query_as(
                "INSERT INTO lease (name, term, holder, renewed) VALUES ('decider', $1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET holder = $2, renewed = $3,
                    term = CASE WHEN lease.term + 1 > $1 THEN lease.term + 1 ELSE $1 END
                 RETURNING term",
            )
            .bind(least).bind(holder).bind(now.0).fetch_one(&mut *tx).await?
        });
        Ok(term)
    }

    /// Whether other collectors may work on the same database, and take the lease over.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Takes the lease if it is free, and returns the new term, above every earlier one and at least `now` in Unix
    /// seconds, so that it grows even when the database was lost: receivers would refuse a lower one. Never waits for a
    /// holder that is inside a transaction.
    ///
    /// `own` is the term that the caller has given up, if it had one. While it is still the newest, nobody else decides,
    /// and the lease is free for the caller at once: after its database was away, nobody has to wait for it to run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, holder: &str, now: Micros, own: Option<i64>) -> Result<Option<i64>, Error> {
        let Db::Postgres(pool) = &self.db else { return self.take_lease(holder, now).await.map(Some) };
        let least = now.0 / 1_000_000;
        let expires = i64::try_from(EXPIRES.as_micros()).unwrap_or(i64::MAX);
        // No term is 0.
        let own = own.unwrap_or(0);
        // Looked at first, so that collectors that wait write nothing. Whoever waits longer than a lease lasts, over a
        // link that was cut, would find it free on another connection.
        let look = async {
            let free = sqlx::query_as(concat!(
                "SELECT renewed < ",
                database_now!(),
                " - $1 OR term = $2 FROM lease WHERE name = 'decider'"
            ));
            Ok(free.bind(expires).bind(own).fetch_optional(pool).await?)
        };
        let free: Option<(bool,)> = self.monitor.read(within(EXPIRES, look).await)?;
        if matches!(free, Some((false,))) {
            return Ok(None);
        }
        let term: Option<(i64,)> = write!(self, tx => {
            sqlx::query(
                "INSERT INTO lease (name, term, holder, renewed) VALUES ('decider', 0, '', 0)
                 ON CONFLICT (name) DO NOTHING",
            )
            .execute(&mut *tx).await?;
            sqlx::query_as(concat!(
                "UPDATE lease SET holder = $2, renewed = ", database_now!(), ", term = GREATEST(lease.term + 1, $1)
                 FROM (SELECT name FROM lease WHERE name = 'decider' AND (renewed < ", database_now!(), " - $3 OR term = $4)
                       FOR UPDATE SKIP LOCKED) AS free
                 WHERE lease.name = free.name RETURNING lease.term"
            ))
            .bind(least).bind(holder).bind(expires).bind(own).fetch_optional(&mut *tx).await?
        });
        Ok(term.map(|(term,)| term))
    }

    /// Keeps the lease; false when another has taken it.
    ///
    /// # Errors
    /// When the database fails; the lease may run out meanwhile.
    pub async fn renew(&self, term: i64) -> Result<bool, Error> {
        if let Db::Sqlite(_) = &self.db {
            let held: Option<(i64,)> = on!(self, pool => {
                sqlx::query_as("SELECT term FROM lease WHERE name = 'decider' AND term = $1")
                    .bind(term).fetch_optional(pool).await?
            });
            return Ok(held.is_some());
        }
        let changed = write!(self, tx => {
            sqlx::query(concat!(
                "UPDATE lease SET renewed = ", database_now!(), " WHERE name = 'decider' AND term = $1"
            ))
            .bind(term).execute(&mut *tx).await?.rows_affected()
        });
        Ok(changed == 1)
    }

    /// Gives the lease back, so that another collector can decide at once. Nothing happens when another has it already.
    ///
    /// # Errors
    /// When the database fails; the lease then runs out by itself.
    pub async fn release(&self, term: i64) -> Result<(), Error> {
        write!(self, tx => {
            sqlx::query("UPDATE lease SET holder = '', renewed = 0 WHERE name = 'decider' AND term = $1")
                .bind(term).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Who has the lease; absent before the first claim.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease(&self) -> Result<Option<Lease>, Error> {
        let row: Option<(i64, String, i64)> = match &self.db {
            Db::Sqlite(_) => on!(self, pool => {
                sqlx::query_as("SELECT term, holder, CAST(0 AS BIGINT) FROM lease WHERE name = 'decider'")
                    .fetch_optional(pool).await?
            }),
            Db::Postgres(_) => on!(self, pool => {
                sqlx::query_as(concat!(
                    "SELECT term, holder, ", database_now!(), " - renewed FROM lease WHERE name = 'decider'"
                ))
                .fetch_optional(pool).await?
            }),
        };
        Ok(row.map(|(term, holder, age_us)| Lease { term, holder, age_us }))
    }
}
