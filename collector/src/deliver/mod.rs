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
/// How long a receiver is left alone after an attempt that could not be recorded: nothing else tells that it was made.
const UNRECORDED: Duration = Duration::from_secs(2);

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
            let wait = match self.start_due(&busy, &mut under_way, &stop).await {
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

    /// Starts a due delivery of each receiver that is not busy; says how long until the next is due.
    async fn start_due(
        &self,
        busy: &Arc<Mutex<BTreeSet<ReceiverId>>>,
        under_way: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<Duration, crate::store::Error> {
        let now = self.clock.now();
        let Some(term) = self.mandate.term() else { return Ok(IDLE) };
        for due in self.store.due(now).await? {
            if !lock(busy).insert(due.receiver.clone()) {
                continue;
            }
            let (this, busy, stop) = (self.clone(), Arc::clone(busy), stop.clone());
            under_way.spawn(async move {
                this.deliver(term, &due, &stop).await;
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
    async fn deliver(&self, term: i64, due: &Due, stop: &CancellationToken) {
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
            // It is still due, and would be made again as fast as the receiver answers.
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(UNRECORDED) => {}
            }
        }
        self.tail.nudge();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        decide::State,
        metrics::Metrics,
        store::{
            Commit, NewPlan,
            conformance::stories::{T0, commit, plan},
        },
    };
    use runtime::clock::ManualClock;
    use tokio::{sync::watch, time::Instant};

    /// A store whose lease another has taken, with a delivery of the term before.
    async fn overtaken(store: &Store) -> (i64, Due) {
        let term = store.take_lease("me", T0).await.expect("taken");
        let (plan, receivers) = (plan(1, term), ["edge".parse().expect("an id")]);
        let plans = [NewPlan { plan: &plan, guards: &[], receivers: &receivers }];
        let state = State::default();
        store.commit(&Commit { plans: &plans, ..commit(term, 0, &state) }).await.expect("committed");
        let due = store.due(T0.plus_us(1_000)).await.expect("read").remove(0);
        store.take_lease("another", T0).await.expect("taken");
        (term, due)
    }

    #[tokio::test]
    async fn a_receiver_is_left_alone_after_an_attempt_that_was_not_recorded() {
        runtime::tls::install();
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
        let (term, due) = overtaken(&store).await;
        let text = "version: 1\nregions: {a: {}}\nprobes: {p: {region: a, token: {env: T}}}\n\
                    services: {shop: {regions: {a: http://a}}}\nchecks: {home: {service: shop, http: {}}}\n";
        let config = config::parse(text, "test.yaml").expect("a valid configuration");
        let receivers = Receivers::read(&config, Receivers::client().expect("a client")).expect("no secrets");
        let clock = ManualClock::at(T0.plus_us(1_000));
        let dispatcher = Dispatcher {
            store: store.clone(),
            receivers: Arc::new(receivers),
            clock: Arc::new(clock.clone()),
            wall: Arc::new(clock),
            random: Random::seeded(1),
            planned: Arc::default(),
            tail: Tail::new(store.clone()),
            mandate: Mandate::default(),
            metrics: Metrics::new(watch::Sender::new(crate::fold::Published::default()).subscribe()),
        };
        dispatcher.mandate.hold(term, Instant::now(), false);

        let stop = CancellationToken::new();
        let began = Instant::now();
        dispatcher.deliver(term, &due, &stop).await;
        assert!(store.is_pending(&due.id).await.expect("read"), "nothing was recorded");
        assert!(began.elapsed() >= UNRECORDED, "it may be started again at once");

        // A stop does not wait for it.
        stop.cancel();
        let began = Instant::now();
        dispatcher.deliver(term, &due, &stop).await;
        assert!(began.elapsed() < UNRECORDED);
    }
}
