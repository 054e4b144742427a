//! Sealing: runs become segments and roll-ups, and the cursor of their shard moves, in one transaction.

use super::{
    Error, Store,
    db::{on, write},
    erasure::{Erased, erasures},
    lease::check_term,
    rollup::{self, Rollups},
    rollup_day::{PackedDay, put_days},
};
use crate::history::{Erasures, SHARDS};
use sqlx::FromRow;

/// Segments that one statement writes.
pub(super) const SEGMENTS: usize = 20;

/// How far each shard is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealState {
    /// Log entries up to here are in segments and roll-ups.
    pub cursors: [i64; SHARDS],
    /// Grows when something other than sealing and compaction rewrites a shard.
    pub changes: [i64; SHARDS],
    /// What was erased and may still be in memory.
    pub erasures: Erasures,
}

/// A segment to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSegment {
    /// Whole days since 1970.
    pub day: i64,
    pub check: String,
    /// The start of the first and of the last run.
    pub min_at: i64,
    pub max_at: i64,
    pub rows: i64,
    /// 0 as flushed from memory, 1 compacted.
    pub level: i64,
    pub data: Vec<u8>,
}

/// What sealing a shard writes.
#[derive(Debug)]
pub struct Seal<'a> {
    pub shard: usize,
    /// The cursor and the changes that all of it was made from.
    pub from: i64,
    pub changes: i64,
    /// The new cursor.
    pub position: i64,
    pub segments: &'a [NewSegment],
    /// Merged with those that were stored.
    pub rollups: &'a Rollups,
    /// All days that any of these is of, packed with what was stored of them.
    pub days: &'a [PackedDay],
}

#[derive(FromRow)]
struct Cursor {
    shard: i64,
    position: i64,
    changes: i64,
}

/// Writes segments inside a transaction; their numbers follow on `$number`.
macro_rules! insert_segments {
    ($tx:expr, $number:expr, $segments:expr) => {{
        let segments: &[crate::store::NewSegment] = $segments;
        let numbered: Vec<(i64, &crate::store::NewSegment)> = ($number + 1..).zip(segments).collect();
        for rows in numbered.chunks(crate::store::history::SEGMENTS) {
            let mut query = sqlx::QueryBuilder::new(
                "INSERT INTO segment (day, check_id, number, min_at, max_at, row_count, level, data) ",
            );
            query.push_values(rows, |mut row, (number, segment)| {
                row.push_bind(segment.day)
                    .push_bind(segment.check.as_str())
                    .push_bind(*number)
                    .push_bind(segment.min_at)
                    .push_bind(segment.max_at)
                    .push_bind(segment.rows)
                    .push_bind(segment.level)
                    .push_bind(segment.data.as_slice());
            });
            query.build().persistent(false).execute(&mut *$tx).await?;
        }
    }};
}

pub(super) use insert_segments;

/// A number of things as the database has it.
pub(super) fn whole(count: usize) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

impl Store {
    /// How far the shards are sealed, and what was erased since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_state(&self) -> Result<SealState, Error> {
        // Cursors first: an erasure that is not among those read afterwards grows the changes, and what is sealed
        // without it is refused.
        let rows: Vec<Cursor> = on!(self, pool => {
            sqlx::query_as("SELECT shard, position, changes FROM seal_cursor").fetch_all(pool).await?
        });
        let (mut cursors, mut changes) = ([0; SHARDS], [0; SHARDS]);
        for row in rows {
            if let Some(shard) = usize::try_from(row.shard).ok().filter(|shard| *shard < SHARDS) {
                cursors[shard] = row.position;
                changes[shard] = row.changes;
            }
        }
        let least = cursors.iter().copied().min().unwrap_or_default();
        let erased: Vec<Erased> = on!(self, pool => {
            sqlx::query_as(
                "SELECT position, check_id, probe, target, from_at, to_at FROM erasure
                 WHERE position > $1 AND NOT evidence_only ORDER BY id",
            )
            .bind(least).fetch_all(pool).await?
        });
        Ok(SealState { cursors, changes, erasures: erasures(erased) })
    }

    /// Seals a shard in one transaction. False when the shard is not any more as it was when this was prepared: then
    /// nothing was written, and it is to be prepared again.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails; then nothing was written.
    pub async fn seal(&self, term: i64, seal: &Seal<'_>) -> Result<bool, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            // The lock of the shard: only one at a time gets past this.
            let row: Option<(i64,)> = sqlx::query_as(
                "UPDATE seal_cursor SET position = $1, number = number + $2
                 WHERE shard = $3 AND position = $4 AND changes = $5 RETURNING number",
            )
            .bind(seal.position).bind(whole(seal.segments.len())).bind(whole(seal.shard))
            .bind(seal.from).bind(seal.changes)
            .fetch_optional(&mut *tx).await?;
            if let Some((last,)) = row {
                insert_segments!(tx, last - whole(seal.segments.len()), seal.segments);
                rollup::put!(tx, seal.rollups);
                put_days!(tx, seal.days);
            }
            row.is_some()
        }))
    }

    /// Moves the cursors of shards that have nothing to seal up to a position.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails; then nothing was written.
    pub async fn advance(&self, term: i64, shards: &[usize], position: i64) -> Result<(), Error> {
        if shards.is_empty() {
            return Ok(());
        }
        write!(self, tx => {
            check_term!(tx, term);
            let mut query = sqlx::QueryBuilder::new("UPDATE seal_cursor SET position = ");
            query.push_bind(position).push(" WHERE position < ").push_bind(position).push(" AND shard IN (");
            let mut list = query.separated(", ");
            for shard in shards {
                list.push_bind(whole(*shard));
            }
            list.push_unseparated(")");
            query.build().persistent(false).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
