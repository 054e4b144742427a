//! The task that looks: it wakes often to see how late it is woken, and once a second it looks at the rest.

use super::{
    Condition, Control,
    control::{EVERY, Knocker},
    cpu,
    gauges::Gauges,
    judge::Judge,
};
use futures_util::future::join_all;
use runtime::clock::SharedClock;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::{Micros, RegionId};

/// Time between two wakes: two hundred in the span that is looked at, at a cost that cannot be measured.
const WAKE: Duration = Duration::from_millis(25);
/// Time between two looks at processors and clock.
const LOOK: Duration = Duration::from_secs(1);
/// Both clocks must be read within this, or the reading says nothing.
const READ_MOST: Duration = Duration::from_millis(10);

/// Looks until `stop`, and keeps `condition`.
pub async fn run(
    controls: Vec<Control>,
    region: RegionId,
    clock: SharedClock,
    condition: Condition,
    stop: CancellationToken,
) {
    let (say, heard) = mpsc::channel(controls.len().max(1));
    let knockers = controls.iter().cloned().enumerate().map(|(index, control)| {
        let say = say.clone();
        knock(index, Knocker::new(control), say)
    });
    let watch = Watch {
        started: Instant::now(),
        judge: Judge::new(controls.len()),
        gauges: Gauges::new(&region),
        names: controls.iter().map(Control::to_string).collect(),
        clocks: None,
        clock,
        condition,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch.look(heard) => {}
        _ = join_all(knockers), if !controls.is_empty() => {}
    }
}

async fn knock(index: usize, mut knocker: Knocker, say: mpsc::Sender<(usize, bool)>) {
    loop {
        let begun = tokio::time::Instant::now();
        if say.send((index, knocker.knock().await)).await.is_err() {
            return;
        }
        tokio::time::sleep_until(begun + EVERY).await;
    }
}

struct Watch {
    started: Instant,
    judge: Judge,
    gauges: Gauges,
    names: Vec<String>,
    clocks: Option<(Micros, Instant)>,
    clock: SharedClock,
    condition: Condition,
}

impl Watch {
    async fn look(mut self, mut heard: mpsc::Receiver<(usize, bool)>) {
        let mut wake = Instant::now() + WAKE;
        let mut look = Instant::now();
        loop {
            tokio::select! {
                Some((index, answered)) = heard.recv() => {
                    self.judge.control(index, answered, self.started.elapsed());
                    self.gauges.control(&self.names[index], answered);
                    self.conclude();
                }
                () = tokio::time::sleep_until(wake.into()) => {
                    let now = Instant::now();
                    self.judge.woken(now.saturating_duration_since(wake), self.started.elapsed());
                    wake = now + WAKE;
                    if now >= look {
                        look = now + LOOK;
                        self.look_around();
                        self.conclude();
                    }
                }
            }
        }
    }

    fn look_around(&mut self) {
        let now = self.started.elapsed();
        if let Some(ticks) = cpu::ticks() {
            self.judge.ticks(ticks, now);
        }
        let before = Instant::now();
        let wall = self.clock.now();
        if before.elapsed() > READ_MOST {
            // Interrupted between the two readings: the next look compares with the last sound pair.
            return;
        }
        if let Some((last, at)) = self.clocks {
            let passed = wire::instant::us(before.saturating_duration_since(at));
            if self.judge.clock(wall.since(last) - passed, now) {
                self.gauges.step();
            }
        }
        self.clocks = Some((wall, before));
    }

    fn conclude(&mut self) {
        let state = self.judge.state(self.started.elapsed());
        self.gauges.state(&state, self.judge.busy());
        let old = self.condition.state();
        changed(
            &old.blind,
            &state.blind,
            "this probe is blind: its failures do not count",
            "this probe sees again",
        );
        changed(
            &old.saturated,
            &state.saturated,
            "this machine is too busy to measure well",
            "this machine has time again",
        );
        if let (None, Some(why)) = (&old.stepped, &state.stepped) {
            warn!("{why}");
        }
        self.condition.set(state);
    }
}

/// One line when it begins and one when it is over.
fn changed(old: &Option<String>, new: &Option<String>, begins: &str, ends: &str) {
    match (old, new) {
        (None, Some(why)) => warn!(why, "{begins}"),
        (Some(_), None) => info!("{ends}"),
        _ => {}
    }
}
