//! Following: shows what the decider committed, with the evidence that has come since, and asks for the lease.

use super::{Fold, is_due};
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
    /// Follows until the lease is ours, and returns its term; nothing when told to stop. `own` is the term in which this
    /// process decided last.
    pub(super) async fn follow(&self, own: Option<i64>, stop: &CancellationToken) -> Option<i64> {
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut view = None;
        let mut failing = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                _ = tick.tick() => {}
            }
            let asked = Instant::now();
            let step = match self.store.claim(&self.holder, self.clock.now(), own).await {
                Ok(Some(term)) => {
                    self.mandate.hold(term, asked, self.store.is_shared());
                    return Some(term);
                }
                Ok(None) => self.look(&mut view, stop).await,
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

    /// Takes in what is new, all of it unless told to stop: a log of days takes minutes.
    async fn look(&self, view: &mut Option<View>, stop: &CancellationToken) -> Result<(), Error> {
        let newest = self.store.newest_commit().await?;
        if view.as_ref().is_none_or(|view| view.commit != newest) {
            let (core, commit, position) = self.committed(0).await?;
            *view = Some(View { core, commit, position, log: self.tail.reader(), published: Micros(0) });
        }
        let Some(view) = view else { return Ok(()) };
        let now = self.clock.now();
        while !stop.is_cancelled() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        exchange::Exchange,
        hub::Hub,
        mandate::Mandate,
        store::{
            Store,
            conformance::stories::{T0, report},
        },
        tail::Tail,
    };
    use runtime::clock::ManualClock;
    use std::sync::Arc;

    #[tokio::test]
    async fn whoever_catches_up_stops_when_told_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
        let entries: Vec<_> = (1..=250).map(|sequence| report("p1", sequence)).collect();
        store.append(&entries).await.expect("stored");
        let text = "version: 1\nregions: {a: {}}\nprobes: {p1: {region: a, token: {env: T}}}\n\
                    services: {shop: {regions: {a: http://a}}}\nchecks: {home: {service: shop, http: {}}}\n";
        let config = config::parse(text, "test.yaml").expect("a valid configuration");
        let fold = Fold::new(
            Arc::new(config),
            1,
            store.clone(),
            Tail::new(store.clone()),
            Exchange::new(store, Hub::default(), "me".into()),
            Arc::new(ManualClock::at(T0)),
            Mandate::default(),
            Arc::default(),
            "me".into(),
        )
        .await
        .expect("nothing is saved");
        let stop = CancellationToken::new();
        stop.cancel();
        let mut view = None;
        fold.look(&mut view, &stop).await.expect("read");
        assert_eq!(view.as_ref().map(|view| view.position), Some(0), "it does not begin to read");
        fold.look(&mut view, &CancellationToken::new()).await.expect("read");
        assert_eq!(view.map(|view| view.position), Some(250));
    }
}
