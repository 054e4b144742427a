//! Supervised tasks: a task that ends early or panics stops the process instead of leaving a ghost, and a stop
//! lets every task finish what it has in hand.
//!
//! Tasks are started in *stages*, and stopped in the same order: a later stage is told to stop only when every
//! earlier one is done, so that producers end before the consumers of their work (listeners first, writers last).

use std::{future::Future, time::Duration};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

/// Why a process stopped other than by being asked.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("a supervised task ended early; the log names it")]
    TaskEndedEarly,
    #[error("tasks were still busy after {0:?}; what they had in hand is redone at the next start")]
    GraceElapsed(Duration),
}

/// When a task is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Takes work in: schedulers, listeners.
    Intake,
    /// Works on what was taken in: writers, folds.
    Work,
    /// Sends results out: uplinks, dispatchers.
    Output,
}

const STAGES: [Stage; 3] = [Stage::Intake, Stage::Work, Stage::Output];

#[derive(Debug, Clone, Default)]
struct Lane {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// The tasks of one process (or of one role, where a process plays several). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    lanes: [Lane; 3],
    ended_early: CancellationToken,
}

impl Tasks {
    /// The token that tells tasks of a stage to stop, for work that is not a task of its own.
    pub fn stopping(&self, stage: Stage) -> CancellationToken {
        self.lanes[stage as usize].stop.clone()
    }

    /// Starts a task that must live until its token is cancelled. If it returns before that, or panics, the whole
    /// set stops.
    pub fn spawn<F>(&self, stage: Stage, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let lane = &self.lanes[stage as usize];
        let stop = lane.stop.clone();
        let watch = Watch { name, stop: stop.clone(), ended_early: self.ended_early.clone() };
        let future = task(stop);
        lane.tracker.spawn(async move {
            let _watch = watch;
            future.await;
        });
    }

    /// Runs until `asked` completes or a task ends early, then drains stage by stage for at most `grace`.
    ///
    /// # Errors
    /// When a task ended early, or was still busy when the grace had elapsed.
    pub async fn run_until(self, asked: impl Future, grace: Duration) -> Result<(), Stopped> {
        tokio::select! {
            _ = asked => {}
            () = self.ended_early.cancelled() => {}
        }
        let crashed = self.ended_early.is_cancelled();
        let drain = async {
            for stage in STAGES {
                let lane = &self.lanes[stage as usize];
                lane.stop.cancel();
                lane.tracker.close();
                lane.tracker.wait().await;
            }
        };
        let drained = tokio::time::timeout(grace, drain).await;
        // Whoever is left must not linger in a process that plays several roles.
        self.lanes.iter().for_each(|lane| lane.stop.cancel());
        drained.map_err(|_| Stopped::GraceElapsed(grace))?;
        if crashed { Err(Stopped::TaskEndedEarly) } else { Ok(()) }
    }
}

/// Passes of a task that is made every so often: the first at once, and none that was missed made up for.
#[derive(Debug)]
pub struct Passes {
    tick: Interval,
    stop: CancellationToken,
}

impl Passes {
    /// A pass each `period`, until told to stop.
    pub fn every(period: Duration, stop: CancellationToken) -> Passes {
        let mut tick = interval(period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Passes { tick, stop }
    }

    /// Waits until a pass is due. False when told to stop.
    pub async fn due(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            _ = self.tick.tick() => true,
        }
    }

    /// Makes a pass. It is cut off by a stop, so whatever it does must be done by the next one all the same.
    pub async fn make(&self, pass: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = pass => {}
        }
    }
}

/// Notices the end of a task, also by a panic, because it is dropped with the task's future.
struct Watch {
    name: &'static str,
    stop: CancellationToken,
    ended_early: CancellationToken,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.stop.is_cancelled() {
            info!(task = self.name, "task finished");
        } else {
            error!(task = self.name, panicked = std::thread::panicking(), "task ended early, stopping");
            self.ended_early.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    const GRACE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn stages_stop_in_order() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks = Tasks::default();
        for (stage, name) in [(Stage::Output, "output"), (Stage::Intake, "intake"), (Stage::Work, "work")] {
            let order = Arc::clone(&order);
            tasks.spawn(stage, name, |stop| async move {
                stop.cancelled().await;
                crate::lock::lock(&order).push(name);
            });
        }
        tasks.run_until(async {}, GRACE).await.expect("a clean stop");
        assert_eq!(*crate::lock::lock(&order), ["intake", "work", "output"]);
    }

    #[tokio::test]
    async fn a_panic_stops_the_others() {
        let tasks = Tasks::default();
        tasks.spawn(Stage::Work, "waits", |stop| async move { stop.cancelled().await });
        tasks.spawn(Stage::Work, "panics", |_| async { panic!("on purpose") });
        let end = tasks.run_until(std::future::pending::<()>(), GRACE).await;
        assert!(matches!(end, Err(Stopped::TaskEndedEarly)));
    }

    #[tokio::test(start_paused = true)]
    async fn passes_are_made_in_time_and_cut_off_by_a_stop() {
        let (stop, begin) = (CancellationToken::new(), tokio::time::Instant::now());
        let mut passes = Passes::every(Duration::from_secs(10), stop.clone());
        let mut made = Vec::new();
        while passes.due().await {
            made.push(begin.elapsed().as_secs());
            match made.len() {
                2 => passes.make(tokio::time::sleep(Duration::from_secs(25))).await,
                4 => {
                    stop.cancel();
                    passes.make(std::future::pending()).await;
                }
                _ => passes.make(async {}).await,
            }
        }
        assert_eq!(made, [0, 10, 35, 45], "what was missed is not made up for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_task_is_given_up() {
        let tasks = Tasks::default();
        tasks.spawn(Stage::Work, "stuck", |_| std::future::pending());
        let end = tasks.run_until(async {}, Duration::from_secs(3)).await;
        assert!(matches!(end, Err(Stopped::GraceElapsed(_))));
    }
}
