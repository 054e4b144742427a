//! The log: what was accepted, in order, once.

use super::{
    Error, Store,
    db::{document, on, text, write},
};
use crate::decide::Event;
use wire::Micros;

/// Something to append.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The probe or the delivery that it comes from.
    pub source: String,
    /// The source's own number.
    pub sequence: i64,
    pub received: Micros,
    pub event: Event,
}

/// Something that was appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Grows with every entry; there may be gaps.
    pub position: i64,
    pub event: Event,
}

/// Appends inside a transaction; says for each entry whether it was new.
macro_rules! append {
    ($tx:expr, $entries:expr) => {{
        let entries: &[Entry] = $entries;
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let (last,): (i64,) =
            sqlx::query_as("UPDATE log_head SET position = position + $1 WHERE id = 1 RETURNING position")
                .bind(count)
                .fetch_one(&mut *$tx)
                .await?;
        let mut stored = Vec::with_capacity(entries.len());
        for (position, entry) in (last - count + 1..).zip(entries) {
            let done = sqlx::query(
                "INSERT INTO log (position, source, sequence, received, payload) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (source, sequence) DO NOTHING",
            )
            .bind(position)
            .bind(&entry.source)
            .bind(entry.sequence)
            .bind(entry.received.0)
            .bind(text(&entry.event))
            .execute(&mut *$tx)
            .await?;
            let new = done.rows_affected() == 1;
            if new {
                crate::store::mesh::keep!($tx, &entry.event);
            }
            stored.push(new);
        }
        stored
    }};
}

pub(super) use append;

impl Store {
    /// Appends all entries in one transaction and says for each whether it was new.
    ///
    /// # Errors
    /// When the database fails; then nothing was appended.
    pub async fn append(&self, entries: &[Entry]) -> Result<Vec<bool>, Error> {
        Ok(write!(self, tx => append!(tx, entries)))
    }

    /// The entries after a position, oldest first.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn log_after(&self, position: i64, limit: i64) -> Result<Vec<Logged>, Error> {
        let rows: Vec<(i64, String)> = on!(self, pool => {
            sqlx::query_as("SELECT position, payload FROM log WHERE position > $1 ORDER BY position LIMIT $2")
                .bind(position).bind(limit).fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(position, payload)| Ok(Logged { position, event: document(&payload, "a log entry")? }))
            .collect()
    }

    /// Deletes entries received before `before` that the decider has folded; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_log(&self, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            sqlx::query(
                "DELETE FROM log WHERE received < $1 AND position <= (SELECT COALESCE(MAX(position), 0) FROM decider)",
            )
            .bind(before.0).execute(&mut *tx).await?.rows_affected()
        }))
    }
}
