//! Who decides.

use super::{Error, Store, db::write};
use wire::Micros;

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

    /// TEMPORARY until the engine branch is merged.
    pub async fn claim(&self, holder: &str, now: Micros) -> Result<Option<i64>, Error> {
        self.take_lease(holder, now).await.map(Some)
    }
    /// TEMPORARY until the engine branch is merged.
    pub async fn renew(&self, term: i64) -> Result<bool, Error> {
        let held: Option<(i64,)> = crate::store::db::on!(self, pool => {
            sqlx::query_as("SELECT term FROM lease WHERE name = 'decider' AND term = $1")
                .bind(term).fetch_optional(pool).await?
        });
        Ok(held.is_some())
    }
    /// TEMPORARY until the engine branch is merged.
    pub async fn release(&self, _term: i64) -> Result<(), Error> {
        Ok(())
    }
}
