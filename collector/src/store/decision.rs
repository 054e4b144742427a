//! One transaction for everything that a decision is: effects, the new state and the log position.

use super::{
    Error, Store,
    db::{document, on, text, write},
    lease::check_term,
};
use crate::decide::{Note, State};
use wire::{Micros, ReceiverId, plan::Plan, view::GuardView};

/// The decider's state as it was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub position: i64,
    pub state: State,
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
        let row: Option<(i64, String)> = on!(self, pool => {
            sqlx::query_as("SELECT position, state FROM decider WHERE id = 1").fetch_optional(pool).await?
        });
        row.map(|(position, state)| Ok(Saved { position, state: document(&state, "the decider's state")? }))
            .transpose()
    }

    /// Commits a decision, unless a decider with a higher term has taken over.
    ///
    /// # Errors
    /// [`Error::Fenced`] when it has, or when the database fails; then nothing was committed.
    pub async fn commit(
        &self,
        term: i64,
        position: i64,
        now: Micros,
        state: &State,
        notes: &[Note],
        plans: &[NewPlan<'_>],
    ) -> Result<(), Error> {
        let state = text(state);
        write!(self, tx => {
            check_term!(tx, term);
            sqlx::query(
                "INSERT INTO decider (id, position, term, saved, state) VALUES (1, $1, $2, $3, $4)
                 ON CONFLICT (id) DO UPDATE SET position = $1, term = $2, saved = $3, state = $4",
            )
            .bind(position).bind(term).bind(now.0).bind(&state).execute(&mut *tx).await?;
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
        });
        Ok(())
    }
}
