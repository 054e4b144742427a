//! The decider: reads the log in order, applies it to the pure core, and commits what follows.
//!
//! Effects, the new state and the log position are committed in one transaction. Only then are probes asked to
//! confirm and deliveries woken, so nothing is ever announced that a crash could undo.

use crate::{
    config::Config,
    decide::{Core, Effect, Event, State},
    hub::Hub,
    store::{Error, NewPlan, Saved, Store},
};
use runtime::clock::SharedClock;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use wire::Micros;

/// How often the core is told that time passed.
const TICK: Duration = Duration::from_millis(200);
/// How often the state is saved when nothing of note happened, microseconds.
const SAVE_EVERY_US: i64 = 2_000_000;
/// How often the state is shown when there is no news, microseconds.
const PUBLISH_EVERY_US: i64 = 1_000_000;
/// How many log entries are taken at a time.
const CHUNK: i64 = 500;

/// The state that pages and the API read, with a number that grows whenever it may have changed.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pub state: Arc<State>,
    pub change: u64,
}

/// Everything the decider works with.
#[derive(Debug)]
pub struct Fold {
    core: Core,
    store: Store,
    hub: Hub,
    /// The log position that the core has seen.
    position: i64,
    saved_at: Micros,
    published: watch::Sender<Published>,
    published_at: Micros,
    planned: Arc<Notify>,
}

impl Fold {
    /// Goes on from the saved state.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn resume(
        config: Arc<Config>,
        store: Store,
        hub: Hub,
        term: i64,
        planned: Arc<Notify>,
        now: Micros,
    ) -> Result<Fold, Error> {
        let Saved { position, mut state } =
            store.saved().await?.unwrap_or(Saved { position: 0, state: State::default() });
        state.fit(now);
        let core = Core::new(config, state, term);
        let published = watch::Sender::new(Published { state: Arc::new(core.state.clone()), change: 1 });
        Ok(Fold {
            core,
            store,
            hub,
            position,
            saved_at: Micros(0),
            published,
            published_at: Micros(0),
            planned,
        })
    }

    /// What pages and the API read.
    pub fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Commits effects that do not come from an event, as that a configuration came into force.
    ///
    /// # Errors
    /// When the database fails or another decider has taken over.
    pub async fn announce(&mut self, effects: Vec<Effect>, now: Micros) -> Result<(), Error> {
        self.commit(effects, now).await
    }

    /// Decides until told to stop. Returns early only when another decider has taken over or the database fails for
    /// good; the process then stops, and the next one goes on from what was committed.
    pub async fn run(mut self, clock: SharedClock, appended: Arc<Notify>, stop: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = appended.notified() => false,
                _ = tick.tick() => false,
            };
            match self.pass(&clock, stopping).await {
                Ok(()) if stopping => return,
                Ok(()) => {}
                Err(error @ Error::Fenced { .. }) => {
                    tracing::error!(%error, "stopping, so that two deciders never act at once");
                    return;
                }
                Err(error) => {
                    // The core has advanced and its effects were not committed: only a fresh start from what was
                    // committed is sound.
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "a decision could not be committed"
                    );
                    return;
                }
            }
        }
    }

    /// Takes in everything that is new in the log, then judges once, at the present time: evidence that waited too
    /// long is old, and old evidence moves nothing.
    async fn pass(&mut self, clock: &SharedClock, stopping: bool) -> Result<(), Error> {
        let before = self.position;
        let mut effects = Vec::new();
        loop {
            let logged = self.store.log_after(self.position, CHUNK).await?;
            let full = logged.len() as i64 == CHUNK;
            for entry in logged {
                effects.extend(self.core.apply(entry.event, clock.now()));
                self.position = entry.position;
            }
            if !full {
                break;
            }
        }
        let now = clock.now();
        effects.extend(self.core.apply(Event::Tick, now));
        let changed = self.position != before || !effects.is_empty();
        self.settle(effects, now, stopping).await?;
        // Without news only ages change, and a page counts those by itself.
        if changed || now.since(self.published_at) >= PUBLISH_EVERY_US {
            self.publish(now);
        }
        Ok(())
    }

    /// Commits when there is something to commit, else now and then.
    async fn settle(&mut self, effects: Vec<Effect>, now: Micros, save: bool) -> Result<(), Error> {
        // Also without news, because the commit is what finds out that another decider has taken over.
        let overdue = now.since(self.saved_at) >= SAVE_EVERY_US;
        if save || overdue || effects.iter().any(Effect::is_durable) {
            return self.commit(effects, now).await;
        }
        self.perform(effects);
        Ok(())
    }

    async fn commit(&mut self, effects: Vec<Effect>, now: Micros) -> Result<(), Error> {
        let notes: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Note(note) => Some(note.clone()),
                _ => None,
            })
            .collect();
        let config = Arc::clone(&self.core.config);
        let plans: Vec<NewPlan<'_>> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Plan { plan, guards } => {
                    let receivers = config.services.get(&plan.service).map_or(&[][..], |s| &s.receivers);
                    Some(NewPlan { plan, guards, receivers })
                }
                _ => None,
            })
            .collect();
        let retold: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Retell(plan) => Some(plan),
                _ => None,
            })
            .collect();
        self.store.commit(self.core.term, self.position, now, &self.core.state, &notes, &plans).await?;
        for plan in &retold {
            // After the commit: were this lost, the next deadline tells again.
            self.store.retell(plan, now).await?;
        }
        self.saved_at = now;
        for note in &notes {
            tracing::info!(kind = %note.kind, detail = %note.detail, "{}", note.title);
        }
        if !plans.is_empty() || !retold.is_empty() {
            self.planned.notify_one();
        }
        self.perform(effects);
        Ok(())
    }

    /// Does what needs no commit, after the commit.
    fn perform(&self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Confirm(confirm) = effect {
                self.hub.confirm(confirm);
            }
        }
    }

    /// Shows the state to pages and the API.
    fn publish(&mut self, now: Micros) {
        self.published_at = now;
        let state = Arc::new(self.core.state.clone());
        self.published.send_modify(|published| {
            published.state = state;
            published.change += 1;
        });
    }
}
