//! What collectors on one database tell each other: that the log has grown, and what probes shall look at. A probe
//! listens at one of them, and the decider may be another.

use crate::{
    hub::Hub,
    store::{Channel, Notice, Store},
    tail::Tail,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use wire::assignment::Confirm;

/// Checks that one notice names; with the longest ids that is below what PostgreSQL carries.
const CHECKS: usize = 100;

/// Tells and hears. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exchange {
    store: Store,
    hub: Hub,
    /// Names this process, which hears its own notices too.
    own: String,
}

/// A request to the probes on its way between collectors.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    from: String,
    confirm: Confirm,
}

impl Exchange {
    /// The exchange of a process; `own` tells it from all others.
    pub fn new(store: Store, hub: Hub, own: String) -> Exchange {
        Exchange { store, hub, own }
    }

    /// Asks the probes that listen anywhere.
    pub fn confirm(&self, confirm: Confirm) {
        if self.store.is_shared() {
            for checks in confirm.checks.chunks(CHECKS) {
                let part = Confirm { checks: checks.to_vec(), ..confirm.clone() };
                let told = Told { from: self.own.clone(), confirm: part };
                let text = serde_json::to_string(&told).expect("our own types serialise to JSON");
                let store = self.store.clone();
                // Not waited for: a lost request only costs time, and the decider has none.
                tokio::spawn(async move {
                    if let Err(error) = store.notify(Channel::Confirm, &text).await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the other collectors' probes were not asked to confirm"
                        );
                    }
                });
            }
        }
        self.hub.confirm(confirm);
    }

    /// Hears what others tell, until told to stop.
    pub async fn run(self, tail: Tail, stop: CancellationToken) {
        let listen = async {
            let mut notices = self.store.listen().await;
            loop {
                match notices.next().await {
                    Notice::Appended | Notice::Decided | Notice::Reconnected => tail.nudge(),
                    Notice::Confirm(text) => self.hear(&text),
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = listen => {}
        }
    }

    fn hear(&self, text: &str) {
        match serde_json::from_str::<Told>(text) {
            Ok(told) if told.from == self.own => {}
            Ok(told) => self.hub.confirm(told.confirm),
            // From a newer version, or from somebody else in the database.
            Err(error) => tracing::warn!(%error, "a notice of another collector cannot be read"),
        }
    }
}
