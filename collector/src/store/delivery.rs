//! The outbox: who is still to be told, and how telling went.

use super::{
    Entry, Error, Store,
    db::{on, text, write},
    decision::delivery_id,
    lease::check_term,
    log::{Appended, append},
    seen::Seen,
};
use crate::decide::{Event, Told};
use sqlx::FromRow;
use wire::{
    Micros, ReceiverId, ServiceId,
    plan::Plan,
    view::{DeliveryState, DeliveryView},
};

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: String,
    pub service: ServiceId,
    pub generation: i64,
    pub term: i64,
    pub receiver: ReceiverId,
    /// Attempts made since it was last told anew.
    pub attempts: i64,
    pub created: Micros,
    pub body: String,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged,
    /// Not to be tried again.
    Refused(String),
    /// To be tried again.
    Retry {
        why: String,
        next: Micros,
    },
}

#[derive(FromRow)]
struct Row {
    id: String,
    service: String,
    generation: i64,
    term: i64,
    receiver: String,
    state: String,
    attempts: i64,
    created: i64,
    next_attempt: i64,
    acknowledged: Option<i64>,
    last_error: String,
    body: String,
}

impl Row {
    /// Ids were validated before they were stored, so a row that does not parse is left out.
    fn due(self) -> Option<Due> {
        Some(Due {
            service: self.service.parse().ok()?,
            receiver: self.receiver.parse().ok()?,
            id: self.id,
            generation: self.generation,
            term: self.term,
            attempts: self.attempts,
            created: Micros(self.created),
            body: self.body,
        })
    }

    fn view(self) -> Option<DeliveryView> {
        let state = match self.state.as_str() {
            "pending" => DeliveryState::Pending,
            "acknowledged" => DeliveryState::Acknowledged,
            "superseded" => DeliveryState::Superseded,
            _ => DeliveryState::Refused,
        };
        Some(DeliveryView {
            service: self.service.parse().ok()?,
            receiver: self.receiver.parse().ok()?,
            id: self.id,
            generation: self.generation,
            state,
            attempts: self.attempts,
            created: Micros(self.created),
            acknowledged: self.acknowledged.map(Micros),
            next_attempt: (state == DeliveryState::Pending).then_some(Micros(self.next_attempt)),
            last_error: self.last_error,
        })
    }
}

impl Store {
    /// Of each receiver the delivery that has been due for longest: one that never answers must not hide the others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(&self, now: Micros) -> Result<Vec<Due>, Error> {
        let rows: Vec<Row> = on!(self, pool => {
            sqlx::query_as(
                "SELECT id, service, generation, term, receiver, state, attempts, created, next_attempt,
                        acknowledged, last_error, body
                 FROM (SELECT delivery.*, ROW_NUMBER() OVER (PARTITION BY receiver ORDER BY next_attempt, id) AS place
                       FROM delivery WHERE state = 'pending' AND next_attempt <= $1) AS due
                 WHERE place = 1 ORDER BY next_attempt, id",
            )
            .bind(now.0).fetch_all(pool).await?
        });
        Ok(rows.into_iter().filter_map(Row::due).collect())
    }

    /// When the next delivery is due; absent when none is pending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_due(&self) -> Result<Option<Micros>, Error> {
        let (at,): (Option<i64>,) = on!(self, pool => {
            sqlx::query_as("SELECT MIN(next_attempt) FROM delivery WHERE state = 'pending'").fetch_one(pool).await?
        });
        Ok(at.map(Micros))
    }

    /// Whether a delivery still waits; false once a newer plan has overtaken it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_pending(&self, id: &str) -> Result<bool, Error> {
        let row: Option<(String,)> = on!(self, pool => {
            sqlx::query_as("SELECT state FROM delivery WHERE id = $1").bind(id).fetch_optional(pool).await?
        });
        Ok(row.is_some_and(|(state,)| state == "pending"))
    }

    /// Records an attempt, and tells the decision core through the log, in one transaction. The core hears of the
    /// end, and of the first failure only, each time that it has the plan told.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails; then the attempt is made
    /// again with the same id.
    pub async fn record(&self, term: i64, due: &Due, outcome: &Outcome, at: Micros) -> Result<(), Error> {
        let (state, next, acknowledged, error) = match outcome {
            Outcome::Acknowledged => ("acknowledged", at, Some(at.0), ""),
            Outcome::Refused(why) => ("refused", at, None, why.as_str()),
            Outcome::Retry { why, next } => ("pending", *next, None, why.as_str()),
        };
        let told = match outcome {
            Outcome::Acknowledged => Some(Told::Acknowledged { after_us: at.since(due.created) }),
            Outcome::Refused(why) => Some(Told::Refused { why: why.clone() }),
            Outcome::Retry { why, .. } => (due.attempts == 0).then(|| Told::Failing { why: why.clone() }),
        };
        let entry = told.map(|told| {
            let event = Event::Told {
                service: due.service.clone(),
                term: due.term,
                generation: due.generation,
                receiver: due.receiver.clone(),
                told,
                at,
            };
            Entry::answer(at, event)
        });
        write!(self, tx => {
            check_term!(tx, term);
            // A superseded delivery that was acknowledged after all keeps that fact; only its state stays. So does one
            // that is told again. An attempt counts once, also when the answer to its commit was lost.
            let done = sqlx::query(
                "UPDATE delivery SET attempts = attempts + 1, acknowledged = COALESCE($2, acknowledged),
                        last_error = $3, next_attempt = $4,
                        state = CASE WHEN state = 'pending' THEN $5 ELSE state END
                 WHERE id = $1 AND attempts = $6",
            )
            .bind(&due.id).bind(acknowledged).bind(error).bind(next.0).bind(state).bind(due.attempts)
            .execute(&mut *tx).await?;
            if let (1, Some(entry)) = (done.rows_affected(), &entry) {
                append!(tx, std::slice::from_ref(entry));
            }
        });
        Ok(())
    }

    /// Makes sure that a plan in force is pending or acknowledged at each of its receivers: a receiver may have been
    /// added, or its secret mended, while the collector was away.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another decider has taken over, or when the database fails.
    pub async fn ensure_told(
        &self,
        term: i64,
        plan: &Plan,
        receivers: &[ReceiverId],
        now: Micros,
    ) -> Result<(), Error> {
        if receivers.is_empty() {
            return Ok(());
        }
        write!(self, tx => {
            check_term!(tx, term);
            for receiver in receivers {
            let id = delivery_id(plan, receiver);
            let body = text(&wire::event::weights_changed(id.clone(), plan));
            sqlx::query(
                "INSERT INTO delivery (id, service, generation, term, receiver, state, attempts, created,
                                       next_attempt, acknowledged, last_error, body)
                 VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $6, NULL, '', $7)
                 ON CONFLICT (id) DO UPDATE SET next_attempt = $6,
                    attempts = CASE WHEN delivery.state = 'refused' THEN 0 ELSE delivery.attempts END,
                    state = CASE WHEN delivery.state = 'refused' THEN 'pending' ELSE delivery.state END",
            )
            .bind(&id).bind(plan.service.as_str()).bind(plan.generation).bind(plan.term).bind(receiver.as_str())
            .bind(now.0).bind(&body).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// The deliveries of one plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(&self, service: &ServiceId, generation: i64) -> Result<Vec<DeliveryView>, Error> {
        let rows: Vec<Row> = on!(self, pool => {
            sqlx::query_as(
                "SELECT id, service, generation, term, receiver, state, attempts, created, next_attempt,
                        acknowledged, last_error, body
                 FROM delivery WHERE service = $1 AND generation = $2 ORDER BY receiver",
            )
                .bind(service.as_str()).bind(generation).fetch_all(pool).await?
        });
        Ok(rows.into_iter().filter_map(Row::view).collect())
    }
}
