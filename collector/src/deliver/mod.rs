//! Tells receivers: takes what is due from the outbox, signs it, sends it, records how it went.
//!
//! One delivery is under way for each receiver at a time, and always of the newest plan. The body is an absolute
//! state and its id is stable, so sending it twice has the effect of once.

mod schedule;
mod send;
pub mod sign;

pub use send::Receivers;

use crate::{
    mandate::Mandate,
    store::{Due, Outcome, Store},
    tail::Tail,
};
use runtime::{clock::SharedClock, lock::lock, random::Random};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use wire::ReceiverId;

/// How long to wait when nothing is pending; a new plan wakes the dispatcher anyway.
const IDLE: Duration = Duration::from_secs(5);

/// Delivers plans until told to stop.
#[derive(Clone)]
pub struct Dispatcher {
    pub store: Store,
    pub receivers: Arc<Receivers>,
    pub clock: SharedClock,
    /// The time that receivers are told.
    pub wall: SharedClock,
    pub random: Random,
    pub planned: Arc<Notify>,
    pub tail: Tail,
    /// Only the decider tells receivers.
    pub mandate: Mandate,
    pub metrics: crate::metrics::Metrics,
}

impl Dispatcher {
    /// Delivers until told to stop; what is under way then is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let busy: Arc<Mutex<BTreeSet<ReceiverId>>> = Arc::default();
        let mut under_way = JoinSet::new();
        loop {
            let wait = match self.start_due(&busy, &mut under_way).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the outbox cannot be read");
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.planned.notified() => {}
                Some(_) = under_way.join_next() => {}
                () = sleep(wait) => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Starts the newest due delivery of each receiver that is not busy; says how long until the next is due.
    async fn start_due(
        &self,
        busy: &Arc<Mutex<BTreeSet<ReceiverId>>>,
        under_way: &mut JoinSet<()>,
    ) -> Result<Duration, crate::store::Error> {
        let now = self.clock.now();
        let Some(term) = self.mandate.term() else { return Ok(IDLE) };
        for due in self.store.due(now).await? {
            if !lock(busy).insert(due.receiver.clone()) {
                continue;
            }
            let (this, busy) = (self.clone(), Arc::clone(busy));
            under_way.spawn(async move {
                this.deliver(term, &due).await;
                lock(&busy).remove(&due.receiver);
            });
        }
        let next = self.store.next_due().await?;
        Ok(next.map_or(IDLE, |at| {
            // While a receiver is busy its next delivery may be overdue: its end wakes the loop.
            let us = at.since(now).clamp(50_000, 5_000_000);
            Duration::from_micros(us.unsigned_abs())
        }))
    }

    /// One attempt, recorded.
    async fn deliver(&self, term: i64, due: &Due) {
        match self.store.is_pending(&due.id).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the outbox cannot be read");
                return;
            }
        }
        // A process that stood still for longer than its lease must not act on what it believed before.
        if self.mandate.term() != Some(term) {
            return;
        }
        let sent = self.receivers.send(due, self.wall.now()).await;
        let now = self.clock.now();
        let outcome = match sent {
            send::Answer::Acknowledged => Outcome::Acknowledged,
            send::Answer::Refused(why) => Outcome::Refused(why),
            send::Answer::Failed { why, retry_after } => {
                let wait = schedule::wait(due.attempts, retry_after, self.random.unit());
                Outcome::Retry { why, next: now.plus(wait) }
            }
        };
        match &outcome {
            Outcome::Acknowledged => tracing::info!(id = %due.id, "delivered"),
            Outcome::Refused(why) => tracing::error!(id = %due.id, %why, "refused"),
            Outcome::Retry { why, .. } => tracing::warn!(id = %due.id, %why, "not delivered, trying again"),
        }
        self.metrics.delivered(&due.receiver, &outcome);
        if let Err(error) = self.store.record(term, due, &outcome, now).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                id = %due.id,
                "an attempt could not be recorded; it is made again with the same id"
            );
        }
        self.tail.nudge();
    }
}
