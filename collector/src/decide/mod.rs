//! The decision core: pure, so that the same code runs live, in simulations and in property tests.
//!
//! [`Core::apply`] takes one event and the time and returns effects. Inside there is no I/O, no clock and no
//! randomness. The caller commits the new state, the effects and the log position in one transaction
//! (see [`crate::fold`]), so a crash neither loses nor repeats a decision.
//!
//! Read downwards, as a sample travels: [`evidence`] keeps the newest of each series, [`vote`] asks each vantage,
//! [`verdict`] counts the votes, [`locate`] says where the fault is, [`suspicion`] asks for confirmation,
//! [`steer`] derives the weights, [`guard`] may refuse them, [`proof`] measures whether users followed.

pub mod effect;
pub mod event;
pub mod evidence;
pub mod guard;
pub mod locate;
pub mod proof;
pub mod state;
pub mod steer;
pub mod suspicion;
pub mod verdict;
pub mod vote;
pub mod words;

#[cfg(test)]
mod tests;

pub use effect::{Effect, Note};
pub use event::{Event, Told};
pub use state::State;

use crate::config::Config;
use std::sync::Arc;
use wire::{Micros, view::TimelineKind};

/// A gap in judging that is longer than this means that the collector stood still, or has just begun; microseconds. For
/// as long again no region is evacuated, so that a backlog of evidence is read to its end first.
const GAP_US: i64 = 3_000_000;

/// The state, and what it is judged by.
#[derive(Debug, Clone)]
pub struct Core {
    pub config: Arc<Config>,
    pub state: State,
    /// The term of this decider, stamped on every plan.
    pub term: i64,
}

impl Core {
    /// A core that goes on from a kept state. Whatever the configuration no longer has is forgotten.
    pub fn new(config: Arc<Config>, mut state: State, term: i64) -> Self {
        state.forget_unknown(&config);
        Self { config, state, term }
    }

    /// Takes one event and returns what shall happen. Reports and answers are taken in; a tick judges, and the caller
    /// ticks after every batch of events, so that a thousand reports cost one judgement. `now` never goes back; an earlier one is treated as the last.
    pub fn apply(&mut self, event: &Event, now: Micros) -> Vec<Effect> {
        let now = now.max(self.state.now);
        self.state.now = now;
        let mut effects = Vec::new();
        match event {
            Event::Report { received, sent, report, lost } => {
                evidence::take(self, *received, *sent, report, *lost);
            }
            Event::Told { service, term, generation, receiver, told, at } => {
                proof::told(self, service, (*term, *generation), receiver, told, *at, &mut effects);
            }
            Event::Tick => self.judge(now, &mut effects),
        }
        effects
    }

    /// Everything that follows from evidence and time alone; doing it twice changes nothing.
    fn judge(&mut self, now: Micros, effects: &mut Vec<Effect>) {
        let config = Arc::clone(&self.config);
        if now.since(self.state.judged) > GAP_US {
            self.state.warm_at = now.plus_us(GAP_US);
        }
        self.state.judged = now;
        vote::watch_probes(&config, &mut self.state, now, effects);
        for (id, service) in &config.services {
            let scene = vote::Scene { config: &config, id, service, now };
            verdict::update(&scene, &mut self.state, effects);
            suspicion::update(&scene, &mut self.state, effects);
            proof::update(&scene, &mut self.state, effects);
            steer::update(&scene, &mut self.state, self.term, effects);
        }
    }
}

/// Notes that a configuration came into force.
pub fn configured(revision: i64, now: Micros) -> Effect {
    Effect::Note(
        Note::new(TimelineKind::Configuration, now, format!("Configuration revision {revision} in force"))
            .detail("Read and validated as a whole at the start of the collector."),
    )
}
