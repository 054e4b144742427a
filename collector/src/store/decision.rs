//! One transaction for everything that a decision is: effects, the new state and the log position.

use super::{
    Error, Store,
    db::{on, text, write},
    lease::check_term,
    notify::{Channel, Tell},
    payload,
};
use crate::decide::{Note, State};
use wire::{Micros, ReceiverId, plan::Plan, view::GuardView};

/// The decider's state as it was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The term of the decider, and the number of its commit: together they tell whether there is news.
    pub commit: (i64, i64),
    pub position: i64,
    pub state: State,
}

/// Everything that is committed together.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    pub term: i64,
    /// Of the commit in its term, from 1.
    pub number: i64,
    /// The log up to here is in the state.
    pub position: i64,
    pub now: Micros,
    pub state: &'a State,
    /// When the core judged since the commit before (see [`crate::fold::passes`]).
    pub passes: Vec<u8>,
    /// Keep the state for replays, under this revision of the configuration.
    pub snapshot: Option<i64>,
    pub notes: &'a [Note],
    pub plans: &'a [NewPlan<'a>],
    /// Plans that every receiver is told of once more.
    pub retold: &'a [&'a Plan],
}

/// A plan to record, with who shall be told.
#[derive(Debug, Clone)]
pub struct NewPlan<'a> {
    pub plan: &'a Plan,
    pub guards: &'a [GuardView],
    pub receivers: &'a [ReceiverId],
}

/// The id of a delivery, stable over retries and restarts: the receiver's idempotency key.
pub fn delivery_id(plan: &Plan, receiver: &ReceiverId) -> String {
    format!("rt_{}_{}_{}_{receiver}", plan.service, plan.term, plan.generation)
}

/// A text without NUL, which PostgreSQL cannot store. The core cleans what comes from outside; a character that slips
/// through must not stop the decider.
fn printable(text: &str) -> String {
    text.replace('\0', "")
}

impl Store {
    /// The committed state; absent before the first commit.
    ///
    /// # Errors
    /// When the database fails or the state cannot be read.
    pub async fn saved(&self) -> Result<Option<Saved>, Error> {
        let row: Option<(i64, i64, i64, Vec<u8>)> = on!(self, pool => {
            sqlx::query_as("SELECT term, number, position, state FROM decision_state WHERE id = 1")
                .fetch_optional(pool).await?
        });
        row.map(|(term, number, position, state)| {
            let state = payload::document(&state, "the decider's state")?;
            Ok(Saved { commit: (term, number), position, state })
        })
        .transpose()
    }

    /// Which commit is the newest: the decider's term and its number; absent before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_commit(&self) -> Result<Option<(i64, i64)>, Error> {
        Ok(on!(self, pool => {
            sqlx::query_as("SELECT term, number FROM decision_state WHERE id = 1").fetch_optional(pool).await?
        }))
    }

    /// Commits a decision, unless a decider with a higher term has taken over.
    ///
    /// # Errors
    /// [`Error::Fenced`] when it has, or when the database fails; then nothing was committed.
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<(), Error> {
        let Commit { term, number, position, now, snapshot, notes, plans, retold, .. } = *commit;
        let state = payload::of_document(commit.state);
        write!(self, tx => {
            check_term!(tx, term);
            sqlx::query(
                "INSERT INTO decision_state (id, term, number, position, saved, state) VALUES (1, $1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE SET term = $1, number = $2, position = $3, saved = $4, state = $5",
            )
            .bind(term).bind(number).bind(position).bind(now.0).bind(state.as_slice()).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO judged (term, number, at, position, passes) VALUES ($1, $2, $3, $4, $5)")
                .bind(term).bind(number).bind(now.0).bind(position).bind(commit.passes.as_slice())
                .execute(&mut *tx).await?;
            if let Some(revision) = snapshot {
                sqlx::query(
                    "INSERT INTO snapshot (term, number, at, position, revision, state) VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(term).bind(number).bind(now.0).bind(position).bind(revision).bind(state.as_slice())
                .execute(&mut *tx).await?;
            }
            for note in notes {
                sqlx::query(
                    "INSERT INTO timeline (id, at, kind, service, region, generation, title, detail, state)
                     VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM timeline), $1, $2, $3, $4, $5, $6, $7, $8)",
                )
                .bind(note.at.0).bind(note.kind.to_string())
                .bind(note.service.as_ref().map(|id| id.as_str()))
                .bind(note.region.as_ref().map(|id| id.as_str()))
                .bind(note.generation).bind(printable(&note.title)).bind(printable(&note.detail))
                .bind(note.state.map(|state| state.to_string()))
                .execute(&mut *tx).await?;
            }
            for NewPlan { plan, guards, receivers } in plans {
                sqlx::query(
                    "INSERT INTO plan (service, generation, term, created, document, guards)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(plan.service.as_str()).bind(plan.generation).bind(plan.term).bind(plan.created.0)
                .bind(text(plan)).bind(text(guards))
                .execute(&mut *tx).await?;
                // Receivers get the newest state only: a plan that was not delivered yet is overtaken.
                sqlx::query("UPDATE delivery SET state = 'superseded' WHERE service = $1 AND state = 'pending'")
                    .bind(plan.service.as_str()).execute(&mut *tx).await?;
                for receiver in *receivers {
                    let id = delivery_id(plan, receiver);
                    let body = text(&wire::event::weights_changed(id.clone(), plan));
                    sqlx::query(
                        "INSERT INTO delivery (id, service, generation, term, receiver, state, attempts, created,
                                               next_attempt, acknowledged, last_error, body)
                         VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $6, NULL, '', $7)",
                    )
                    .bind(&id).bind(plan.service.as_str()).bind(plan.generation).bind(plan.term)
                    .bind(receiver.as_str()).bind(plan.created.0).bind(&body)
                    .execute(&mut *tx).await?;
                }
            }
            tx.tell(Channel::Decided, "").await?;
            for plan in retold {
                // A new round: its first failure is told, and it is tried as often at first.
                sqlx::query(
                    "UPDATE delivery SET state = 'pending', attempts = 0, next_attempt = $3
                     WHERE service = $1 AND generation = $2 AND state = 'acknowledged'",
                )
                .bind(plan.service.as_str()).bind(plan.generation).bind(now.0).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}
