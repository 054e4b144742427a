//! The log: what was accepted, in order, once.

use super::{
    Error, Store,
    db::{on, write},
    payload,
    seen::Seen,
};
use crate::decide::Event;
use serde_json::value::RawValue;
use std::sync::Arc;
use wire::{Micros, report::Report};

/// The source of answers of receivers. No probe can have this id.
const DELIVERY: &str = "@delivery";
/// Rows that one statement inserts; SQLite takes 32,766 parameters.
pub(super) const ROWS: usize = 500;

/// Something to append.
#[derive(Debug, Clone)]
pub struct Entry {
    source: String,
    sequence: i64,
    received: Micros,
    clock_us: i64,
    event: Arc<Event>,
    payload: Vec<u8>,
}

impl Entry {
    /// A report as it came: `raw` is its JSON, which is kept, `report` what was read from it. `clock_us` is what is to
    /// be added to its instants to have them by our clock.
    pub fn report(
        received: Micros,
        clock_us: i64,
        (sent, lost): (Micros, u64),
        report: Report,
        raw: &RawValue,
    ) -> Entry {
        Entry {
            source: report.probe.to_string(),
            sequence: report.sequence,
            received,
            clock_us,
            payload: payload::of_report(sent, lost, raw),
            event: Arc::new(Event::Report { received, sent, report, lost }),
        }
    }

    /// What a receiver answered, and when.
    pub(crate) fn answer(received: Micros, event: Event) -> Entry {
        let payload = payload::of_event(&event);
        Entry { source: DELIVERY.into(), sequence: 0, received, clock_us: 0, event: Arc::new(event), payload }
    }

    pub(super) fn source(&self) -> Option<&str> {
        (self.source != DELIVERY).then_some(self.source.as_str())
    }

    pub(super) fn name(&self) -> &str {
        &self.source
    }

    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(super) fn event(&self) -> &Event {
        &self.event
    }

    pub(super) fn received(&self) -> Micros {
        self.received
    }

    pub(super) fn clock_us(&self) -> i64 {
        self.clock_us
    }

    pub(super) fn logged(&self, position: i64) -> Logged {
        let Entry { received, clock_us, event, .. } = self;
        Logged { position, received: *received, clock_us: *clock_us, event: Arc::clone(event) }
    }
}

/// Something that was appended. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Grows with every entry; there may be gaps.
    pub position: i64,
    pub received: Micros,
    /// What is to be added to the probe's instants, microseconds.
    pub clock_us: i64,
    pub event: Arc<Event>,
}

/// An entry as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PackedEntry {
    pub position: i64,
    received: i64,
    clock_us: i64,
    payload: Vec<u8>,
}

impl PackedEntry {
    /// How much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        size_of::<PackedEntry>() + self.payload.len()
    }

    /// Unpacks and reads it: all work and no waiting.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn unpack(self) -> Result<Logged, Error> {
        let PackedEntry { position, received, clock_us, payload } = self;
        let received = Micros(received);
        let event = Arc::new(payload::read_or_leave_out(&payload, position, received)?);
        Ok(Logged { position, received, clock_us, event })
    }
}

/// What appending did.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The newest position before.
    pub before: i64,
    /// The newest position after.
    pub upto: i64,
    /// For each entry its position, or none when it had been stored before.
    pub positions: Vec<Option<i64>>,
    /// The new entries, as a reader of the log would get them.
    pub logged: Vec<Logged>,
}

/// Appends inside a transaction.
macro_rules! append {
    ($tx:expr, $entries:expr) => {{
        let entries: &[Entry] = $entries;
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        // On PostgreSQL this row's lock orders all who append: positions become visible in order.
        let (upto,): (i64,) =
            sqlx::query_as("UPDATE log_head SET position = position + $1 WHERE id = 1 RETURNING position")
                .bind(count)
                .fetch_one(&mut *$tx)
                .await?;
        let before = upto - count;
        let mut sources: std::collections::BTreeMap<&str, Seen> = std::collections::BTreeMap::new();
        for source in entries.iter().filter_map(Entry::source) {
            if !sources.contains_key(source) {
                let row: Option<(String,)> =
                    sqlx::query_as("SELECT ranges FROM source_seen WHERE source = $1")
                        .bind(source)
                        .fetch_optional(&mut *$tx)
                        .await?;
                let seen = row.map_or(Ok(Seen::default()), |(text,)| Seen::read(&text));
                let failed = |error| Error::Stored { what: "the numbers of a source", source: error };
                sources.insert(source, seen.map_err(failed)?);
            }
        }
        let mut positions = Vec::with_capacity(entries.len());
        let mut logged = Vec::with_capacity(entries.len());
        let mut fresh = Vec::with_capacity(entries.len());
        for (position, entry) in (before + 1..).zip(entries) {
            let seen = entry.source().and_then(|source| sources.get_mut(source));
            let is_new = seen.is_none_or(|seen| seen.insert(entry.sequence()));
            positions.push(is_new.then_some(position));
            if is_new {
                logged.push(entry.logged(position));
                fresh.push((position, entry));
            }
        }
        for rows in fresh.chunks(crate::store::log::ROWS) {
            let mut query = sqlx::QueryBuilder::new(
                "INSERT INTO report_log (position, source, sequence, received, clock_us, payload) ",
            );
            query.push_values(rows, |mut row, (position, entry)| {
                row.push_bind(*position)
                    .push_bind(entry.name())
                    .push_bind(entry.sequence())
                    .push_bind(entry.received().0)
                    .push_bind(entry.clock_us())
                    .push_bind(entry.payload());
            });
            query.build().persistent(false).execute(&mut *$tx).await?;
        }
        crate::store::evidence::keep!($tx, &fresh);
        for (_, entry) in &fresh {
            crate::store::mesh::keep!($tx, entry.event());
        }
        let updated = entries.first().map_or(0, |entry| entry.received().0);
        for (source, seen) in &sources {
            sqlx::query(
                "INSERT INTO source_seen (source, updated, ranges) VALUES ($1, $2, $3)
                 ON CONFLICT (source) DO UPDATE SET updated = $2, ranges = $3",
            )
            .bind(*source)
            .bind(updated)
            .bind(seen.text())
            .execute(&mut *$tx)
            .await?;
        }
        crate::store::notify::Tell::tell(&mut $tx, crate::store::notify::Channel::Log, "").await?;
        Appended { before, upto, positions, logged }
    }};
}

pub(super) use append;

impl Store {
    /// Appends all entries in one transaction.
    ///
    /// # Errors
    /// When the database fails; then nothing was appended.
    pub async fn append(&self, entries: &[Entry]) -> Result<Appended, Error> {
        Ok(write!(self, tx => append!(tx, entries)))
    }

    /// The entries after a position, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn log_after(&self, position: i64, limit: i64) -> Result<Vec<Logged>, Error> {
        self.log_between(position, i64::MAX, limit).await
    }

    /// The entries after one position up to and including another, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn log_between(&self, after: i64, upto: i64, limit: i64) -> Result<Vec<Logged>, Error> {
        let packed = self.log_packed(after, upto, limit).await?;
        packed.into_iter().map(PackedEntry::unpack).collect()
    }

    /// The same as they are stored, for whoever unpacks them elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_packed(&self, after: i64, upto: i64, limit: i64) -> Result<Vec<PackedEntry>, Error> {
        Ok(on!(self, pool => {
            sqlx::query_as(
                "SELECT position, received, clock_us, payload FROM report_log
                 WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
            )
            .bind(after).bind(upto).bind(limit).fetch_all(pool).await?
        }))
    }

    /// The newest position given out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_head(&self) -> Result<i64, Error> {
        let (position,): (i64,) = on!(self, pool => {
            sqlx::query_as("SELECT position FROM log_head WHERE id = 1").fetch_one(pool).await?
        });
        Ok(position)
    }
}
