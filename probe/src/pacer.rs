//! The loop that starts runs on time: it owns the schedule and the confirmations, and follows the collector's orders.

use crate::{confirm::Confirms, metrics::Metrics, runner::Runner, schedule::Schedule};
use runtime::clock::SharedClock;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::assignment::{Assignment, Confirm};

/// The longest sleep: how soon a step of the wall clock is noticed.
const SLEEP_MOST: Duration = Duration::from_secs(1);
/// How long runs may go on after a stop.
const FINISH: Duration = Duration::from_secs(5);

/// What the collector orders. Assignments are checked already.
#[derive(Debug)]
pub enum Order {
    Assign(Arc<Assignment>),
    Confirm(Confirm),
}

/// Starts what is due.
pub struct Pacer {
    clock: SharedClock,
    metrics: Metrics,
    runner: Runner,
    orders: mpsc::Receiver<Order>,
    assigned: watch::Sender<Option<Arc<Assignment>>>,
    schedule: Schedule,
    confirms: Confirms,
}

impl Pacer {
    /// `assigned` tells the others what runs now.
    pub fn new(
        clock: SharedClock,
        metrics: Metrics,
        runner: Runner,
        orders: mpsc::Receiver<Order>,
        assigned: watch::Sender<Option<Arc<Assignment>>>,
    ) -> Self {
        Self {
            clock,
            metrics,
            runner,
            orders,
            assigned,
            schedule: Schedule::default(),
            confirms: Confirms::default(),
        }
    }

    /// Begins with an assignment kept from before, if there is one, and runs until `stop`; then starts nothing
    /// more and lets the runs under way finish.
    pub async fn run(mut self, kept: Option<Assignment>, stop: CancellationToken) {
        if let Some(kept) = kept {
            self.assign(Arc::new(kept));
        }
        loop {
            self.start_due();
            let wait = self.wait();
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
                Some(order) = self.orders.recv() => self.follow(order),
            }
        }
        self.runner.finish(FINISH).await;
    }

    fn start_due(&mut self) {
        let now = self.clock.now();
        let tick = self.schedule.due(now);
        if !tick.missed.is_empty() {
            warn!(
                missed = tick.missed.len(),
                omitted = tick.omitted,
                "runs were missed: this process stood still or the clock was set forward"
            );
            self.metrics.omitted(tick.omitted);
        }
        for tick in [tick, self.confirms.due(now)] {
            self.runner.missed(tick.missed);
            tick.due.into_iter().for_each(|due| self.runner.start(due));
        }
    }

    fn wait(&self) -> Duration {
        let next = [self.schedule.next(), self.confirms.next()].into_iter().flatten().min();
        next.map_or(SLEEP_MOST, |next| {
            let us = next.since(self.clock.now()).max(0).unsigned_abs();
            Duration::from_micros(us).min(SLEEP_MOST)
        })
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Assign(assignment) => self.assign(assignment),
            Order::Confirm(confirm) => {
                let answer = self.confirms.begin(&confirm, &self.schedule, self.clock.now());
                info!(
                    target = %confirm.target,
                    purpose = ?confirm.purpose,
                    runs = confirm.runs,
                    begun = answer.begun,
                    "the collector wants runs at once"
                );
                if answer.unknown + answer.refused > 0 {
                    warn!(
                        unknown = answer.unknown,
                        refused = answer.refused,
                        "some runs were not begun: their checks are not assigned here, or too many are under way"
                    );
                }
            }
        }
    }

    fn assign(&mut self, assignment: Arc<Assignment>) {
        self.schedule.apply(&assignment, self.clock.now());
        self.confirms.apply(&self.schedule);
        self.metrics.assigned(&assignment);
        info!(revision = assignment.revision, probe = %assignment.probe, checks = assignment.checks.len(), "assignment applied");
        self.assigned.send_replace(Some(assignment));
    }
}
