//! The decider: reads the log in order, applies it to the pure core, and commits what follows.
//!
//! Effects, the new state and the log position are committed in one transaction. Only then are probes asked to
//! confirm and deliveries woken, so nothing is ever announced that a crash could undo.
//!
//! Of several collectors on one database one decides: the holder of the lease. The others follow (`follow`): they
//! show what was decided and stand ready.

mod decide;
mod follow;
pub mod passes;

use crate::{
    config::Config,
    decide::{Core, State},
    exchange::Exchange,
    mandate::Mandate,
    store::{Error, Saved, Store},
    tail::Tail,
};
use runtime::clock::SharedClock;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use wire::Micros;

/// How long to wait before trying again what failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The state that pages and the API read, with a number that grows whenever it may have changed.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pub state: Arc<State>,
    pub change: u64,
}

/// Everything that deciding and following work with.
pub struct Fold {
    pub config: Arc<Config>,
    /// Of the configuration.
    pub revision: i64,
    pub store: Store,
    pub tail: Tail,
    pub exchange: Exchange,
    pub clock: SharedClock,
    pub mandate: Mandate,
    /// Woken when there is something to deliver.
    pub planned: Arc<Notify>,
    /// Names this process in the lease.
    pub holder: String,
    published: watch::Sender<Published>,
}

/// Why deciding ended.
enum Ended {
    /// The process stops.
    Stopping,
    /// The lease is another's, or the database failed: only a fresh start from what was committed is sound.
    Lost,
}

impl Fold {
    /// Shows the saved state; nothing is decided yet.
    ///
    /// # Errors
    /// When it cannot be read.
    #[expect(clippy::too_many_arguments, reason = "the parts of a collector, put together in one place")]
    pub async fn new(
        config: Arc<Config>,
        revision: i64,
        store: Store,
        tail: Tail,
        exchange: Exchange,
        clock: SharedClock,
        mandate: Mandate,
        planned: Arc<Notify>,
        holder: String,
    ) -> Result<Fold, Error> {
        let saved = store.saved().await?;
        let state = saved.map_or_else(State::default, |saved| saved.state);
        let core = Core::new(Arc::clone(&config), state, 0);
        let published = watch::Sender::new(Published { state: Arc::new(core.state), change: 1 });
        Ok(Fold { config, revision, store, tail, exchange, clock, mandate, planned, holder, published })
    }

    /// What pages and the API read.
    pub fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Follows until the lease is free, decides while it is held, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut own = None;
        while let Some(term) = self.follow(own, &stop).await {
            own = Some(term);
            if let Ended::Stopping = self.decide(term, &stop).await {
                return;
            }
            self.mandate.lose();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// A core that goes on from what was committed, and up to where in the log that was.
    async fn committed(&self, term: i64) -> Result<(Core, Option<(i64, i64)>, i64), Error> {
        let (commit, position, state) = match self.store.saved().await? {
            Some(Saved { commit, position, state }) => (Some(commit), position, state),
            None => (None, 0, State::default()),
        };
        Ok((Core::new(Arc::clone(&self.config), state, term), commit, position))
    }

    /// Shows a state to pages and the API.
    fn publish(&self, state: &State) {
        let state = Arc::new(state.clone());
        self.published.send_modify(|published| {
            published.state = state;
            published.change += 1;
        });
    }
}

/// Whether it is time again for something that happens at most every `us` microseconds; also when the clock was set
/// back.
fn is_due(now: Micros, last: Micros, us: i64) -> bool {
    !(0..us).contains(&now.since(last))
}
