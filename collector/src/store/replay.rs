//! What a replay needs: states that were kept, when the decider judged, and what it decided.

use super::{
    Error, Store,
    db::{on, write},
    lease::check_term,
    payload,
};
use crate::{
    decide::State,
    fold::passes::{self, Pass},
};
use wire::{Micros, plan::Plan, view::TimelineEntry};

/// A state that was kept, without the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub term: i64,
    pub number: i64,
    pub at: Micros,
    pub position: i64,
    /// The configuration that it was judged by.
    pub revision: i64,
}

impl Store {
    /// From where decisions between two instants can be made again, oldest first: the newest state that was kept at
    /// `from` or before, and the first one of every later term until `to`. Where nothing is kept of `from` or before, it
    /// begins with the oldest state that there is; what was decided until then cannot be made again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn marks(&self, from: Micros, to: Micros) -> Result<Vec<Mark>, Error> {
        let rows: Vec<(i64, i64, i64, i64, i64)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT term, number, at, position, revision FROM snapshot
                 WHERE (at <= $2 AND number = 1)
                    OR at = COALESCE(
                        (SELECT MAX(at) FROM snapshot WHERE at <= $1), (SELECT MIN(at) FROM snapshot WHERE at <= $2)
                    )
                 ORDER BY term, number",
            )
            .bind(from.0).bind(to.0).fetch_all(pool).await?
        });
        let marks: Vec<Mark> = rows
            .into_iter()
            .map(|(term, number, at, position, revision)| Mark {
                term,
                number,
                at: Micros(at),
                position,
                revision,
            })
            .collect();
        let first = marks.iter().rposition(|mark| mark.at <= from).unwrap_or(0);
        Ok(marks.into_iter().skip(first).collect())
    }

    /// When the oldest state was kept that is still there; absent before the first one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oldest_state(&self) -> Result<Option<Micros>, Error> {
        let (oldest,): (Option<i64>,) = on!(self, pool => {
            sqlx::query_as("SELECT MIN(at) FROM snapshot").fetch_one(pool).await?
        });
        Ok(oldest.map(Micros))
    }

    /// The state of a mark; absent when it has expired.
    ///
    /// # Errors
    /// When the database fails or the state cannot be read.
    pub async fn kept_state(&self, mark: Mark) -> Result<Option<State>, Error> {
        let row: Option<(Vec<u8>,)> = on!(self, pool => {
            sqlx::query_as("SELECT state FROM snapshot WHERE term = $1 AND number = $2")
                .bind(mark.term).bind(mark.number).fetch_optional(pool).await?
        });
        row.map(|(state,)| payload::document(&state, "a kept state")).transpose()
    }

    /// The passes of the next commits of a term after a number, at most `limit` commits: each with its number.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    pub async fn passes_after(
        &self,
        term: i64,
        number: i64,
        limit: i64,
    ) -> Result<Vec<(i64, Vec<Pass>)>, Error> {
        let rows: Vec<(i64, Vec<u8>)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT number, passes FROM judged WHERE term = $1 AND number > $2 ORDER BY number LIMIT $3",
            )
            .bind(term).bind(number).bind(limit).fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(number, bytes)| {
                let passes =
                    passes::unpack(&bytes).ok_or(Error::Unreadable { what: "the passes of a commit" })?;
                Ok((number, passes))
            })
            .collect()
    }

    /// The timeline between two instants, both inclusive, in the order it was written.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn timeline_between(&self, from: Micros, to: Micros) -> Result<Vec<TimelineEntry>, Error> {
        let rows: Vec<super::timeline::Row> = on!(self, pool => {
            sqlx::query_as(
                "SELECT id, at, kind, service, region, generation, state, title, detail FROM timeline
                 WHERE at >= $1 AND at <= $2 ORDER BY id",
            )
                .bind(from.0).bind(to.0).fetch_all(pool).await?
        });
        rows.into_iter().map(super::timeline::Row::entry).collect()
    }

    /// The plans that were made between two instants, both inclusive, in the order they were made.
    ///
    /// # Errors
    /// When the database fails or a plan cannot be read.
    pub async fn plans_between(&self, from: Micros, to: Micros) -> Result<Vec<Plan>, Error> {
        let rows: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT document FROM plan WHERE created >= $1 AND created <= $2 ORDER BY created, service, generation",
            )
            .bind(from.0).bind(to.0).fetch_all(pool).await?
        });
        rows.into_iter().map(|(plan,)| super::db::document(&plan, "a plan")).collect()
    }

    /// When something of a range was erased on request, oldest first: runs, or only what they saw. The end is in the range.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erased_between(&self, from: Micros, to: Micros) -> Result<Vec<Micros>, Error> {
        let rows: Vec<(i64,)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT requested FROM erasure
                 WHERE (from_at IS NULL OR from_at <= $2) AND (to_at IS NULL OR to_at > $1) ORDER BY id",
            )
            .bind(from.0).bind(to.0).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|(requested,)| Micros(requested)).collect())
    }

    /// Deletes what replays of the time before `before` need. The log must be kept a little longer than this, so that
    /// every kept state can be gone on from.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails.
    pub async fn expire_replays(&self, term: i64, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            check_term!(tx, term);
            let states = sqlx::query("DELETE FROM snapshot WHERE at < $1").bind(before.0).execute(&mut *tx).await?;
            let judged = sqlx::query("DELETE FROM judged WHERE at < $1").bind(before.0).execute(&mut *tx).await?;
            states.rows_affected() + judged.rows_affected()
        }))
    }
}
