//! Following: shows what the decider committed, with the evidence that has come since, and asks for the lease.

use super::{Ended, Fold, is_due};
use crate::{decide::Core, store::Error, tail::Reader};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use wire::Micros;

/// How often the lease is asked for, and news looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How often the state is shown when there is no news, microseconds.
const PUBLISH_EVERY_US: i64 = 1_000_000;

/// A decider's state as a follower sees it.
struct View {
    core: Core,
    commit: Option<(i64, i64)>,
    position: i64,
    log: Reader,
    published: Micros,
}

impl Fold {
    /// Follows until the lease is ours.
    pub(super) async fn follow(&self, stop: &CancellationToken) -> Ended {
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut view = None;
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopping,
                _ = tick.tick() => {}
            }
            let asked = Instant::now();
            let step = match self.store.claim(&self.holder, self.clock.now()).await {
                Ok(Some(term)) => {
                    self.mandate.hold(term, asked, self.store.is_shared());
                    return Ended::Claimed(term);
                }
                Ok(None) => self.look(&mut view).await,
                Err(error) => Err(error),
            };
            match step {
                Ok(()) => failing = false,
                Err(error) => {
                    // Said once: the health of the store tells for how long.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "nobody decides here while the database fails"
                        );
                    }
                    view = None;
                }
            }
        }
    }

    /// Takes in what is new.
    async fn look(&self, view: &mut Option<View>) -> Result<(), Error> {
        let newest = self.store.newest_commit().await?;
        if view.as_ref().is_none_or(|view| view.commit != newest) {
            let (core, commit, position) = self.committed(0).await?;
            *view = Some(View { core, commit, position, log: self.tail.reader(), published: Micros(0) });
        }
        let Some(view) = view else { return Ok(()) };
        let now = self.clock.now();
        loop {
            let entries = view.log.after(view.position).await?;
            let Some(last) = entries.last() else { break };
            view.position = last.position;
            for entry in &entries {
                // Only the decider judges: what follows from an event here is its business.
                drop(view.core.apply(&entry.event, now));
            }
        }
        if is_due(now, view.published, PUBLISH_EVERY_US) {
            view.published = now;
            self.publish(&view.core.state);
        }
        Ok(())
    }
}
