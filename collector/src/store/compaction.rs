//! What merging segments reads and writes.

use super::{
    Error, NewSegment, Store,
    db::{on, write},
    history::{insert_segments, whole},
    lease::check_term,
};
use sqlx::{FromRow, QueryBuilder};

/// Segments of one check on one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, FromRow)]
pub struct DayOfCheck {
    /// Whole days since 1970.
    pub day: i64,
    #[sqlx(rename = "check_id")]
    pub check: String,
}

/// What is known of a segment without reading its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct SegmentInfo {
    pub number: i64,
    pub level: i64,
    #[sqlx(rename = "row_count")]
    pub rows: i64,
}

/// Segments to put into the place of others.
#[derive(Debug)]
pub struct Replacement<'a> {
    pub shard: usize,
    /// The changes of the shard when the old segments were read.
    pub changes: i64,
    pub of: &'a DayOfCheck,
    /// The numbers of the old segments.
    pub old: &'a [i64],
    pub new: &'a [NewSegment],
}

/// Adds ` IN (…)` with numbers.
macro_rules! in_list {
    ($query:expr, $numbers:expr) => {{
        $query.push(" IN (");
        let mut list = $query.separated(", ");
        for number in $numbers {
            list.push_bind(*number);
        }
        list.push_unseparated(")");
    }};
}

/// Removes segments inside a transaction that holds the lock of their shard; false, and nothing is removed, when they
/// are not all there any more.
macro_rules! remove_segments {
    ($tx:expr, $of:expr, $numbers:expr) => {{
        let mut query = QueryBuilder::new("SELECT COUNT(*) FROM segment WHERE day = ");
        query.push_bind($of.day).push(" AND check_id = ").push_bind($of.check.as_str()).push(" AND number");
        in_list!(query, $numbers);
        let (found,): (i64,) = query.build_query_as().persistent(false).fetch_one(&mut *$tx).await?;
        let whole = found == whole($numbers.len());
        if whole && found > 0 {
            let mut query = QueryBuilder::new("DELETE FROM segment WHERE day = ");
            query
                .push_bind($of.day)
                .push(" AND check_id = ")
                .push_bind($of.check.as_str())
                .push(" AND number");
            in_list!(query, $numbers);
            query.build().persistent(false).execute(&mut *$tx).await?;
        }
        whole
    }};
}

pub(super) use {in_list, remove_segments};

impl Store {
    /// Days of checks that have segments as they were flushed, oldest day first: those of days before `before`, and
    /// others when they have at least `many`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uncompacted(
        &self,
        before: i64,
        many: i64,
        limit: i64,
    ) -> Result<Vec<(DayOfCheck, i64)>, Error> {
        let rows: Vec<(i64, String, i64)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT day, check_id, COUNT(*) FROM segment WHERE level = 0 GROUP BY day, check_id
                 HAVING day < $1 OR COUNT(*) >= $2 ORDER BY day, check_id LIMIT $3",
            )
            .bind(before).bind(many).bind(limit).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|(day, check, count)| (DayOfCheck { day, check }, count)).collect())
    }

    /// The segments of a check on a day, in order of their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segment_infos(&self, of: &DayOfCheck) -> Result<Vec<SegmentInfo>, Error> {
        Ok(on!(self, pool => {
            sqlx::query_as(
                "SELECT number, level, row_count FROM segment WHERE day = $1 AND check_id = $2 ORDER BY number",
            )
            .bind(of.day).bind(of.check.as_str()).fetch_all(pool).await?
        }))
    }

    /// The bytes of a segment; absent when it is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segment_data(&self, of: &DayOfCheck, number: i64) -> Result<Option<Vec<u8>>, Error> {
        let row: Option<(Vec<u8>,)> = on!(self, pool => {
            sqlx::query_as("SELECT data FROM segment WHERE day = $1 AND check_id = $2 AND number = $3")
                .bind(of.day).bind(of.check.as_str()).bind(number).fetch_optional(pool).await?
        });
        Ok(row.map(|(data,)| data))
    }

    /// Puts segments into the place of others, in one transaction. False when the old ones are not any more as they
    /// were when they were read: then nothing was written.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails; then nothing was written.
    pub async fn replace_segments(&self, term: i64, by: &Replacement<'_>) -> Result<bool, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            let row: Option<(i64,)> = sqlx::query_as(
                "UPDATE seal_cursor SET number = number + $1 WHERE shard = $2 AND changes = $3 RETURNING number",
            )
            .bind(whole(by.new.len())).bind(whole(by.shard)).bind(by.changes)
            .fetch_optional(&mut *tx).await?;
            match row {
                Some((last,)) if remove_segments!(tx, by.of, by.old) => {
                    insert_segments!(tx, last - whole(by.new.len()), by.new);
                    true
                }
                _ => false,
            }
        }))
    }

    /// Notes that a segment is not to be merged with others. False when it is gone.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails; then nothing was written.
    pub async fn promote_segment(&self, term: i64, of: &DayOfCheck, number: i64) -> Result<bool, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            sqlx::query("UPDATE segment SET level = 1 WHERE day = $1 AND check_id = $2 AND number = $3")
                .bind(of.day).bind(of.check.as_str()).bind(number)
                .execute(&mut *tx).await?.rows_affected() == 1
        }))
    }
}
