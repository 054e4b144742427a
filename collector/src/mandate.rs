//! Whether this collector may act as the decider right now: the lease that it holds, as far as it knows.
//!
//! The database has the last word, because every write of the decider names its term. What acts outside of the
//! database, as a webhook, asks here first: a process that was stopped for longer than the lease must not act on what
//! it believed before.

use crate::store::EXPIRES;
use tokio::{sync::watch, time::Instant};

/// The lease of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mandate(watch::Sender<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    held: Option<Held>,
    /// Whatever is held, this process does not act any more.
    resigned: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    term: i64,
    /// None where nobody else can take it.
    until: Option<Instant>,
}

impl Default for Mandate {
    fn default() -> Self {
        Mandate(watch::Sender::new(State::default()))
    }
}

impl Mandate {
    /// The lease was taken or renewed by a request that began at `since`; `shared` when others can take it over.
    pub fn hold(&self, term: i64, since: Instant, shared: bool) {
        let held = Held { term, until: shared.then(|| since + EXPIRES) };
        self.0.send_modify(|now| now.held = Some(held));
    }

    /// The lease is not ours (any more).
    pub fn lose(&self) {
        self.0.send_modify(|now| now.held = None);
    }

    /// What this process knows is not what the database has: it acts no more, and is about to end.
    pub fn resign(&self) {
        self.0.send_modify(|now| now.resigned = true);
    }

    /// Whether it acts no more.
    pub fn has_resigned(&self) -> bool {
        self.0.borrow().resigned
    }

    /// The term in which this process may decide and act now.
    pub fn term(&self) -> Option<i64> {
        let State { held, resigned } = *self.0.borrow();
        let held = held.filter(|_| !resigned)?;
        held.until.is_none_or(|until| Instant::now() < until).then_some(held.term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_not_renewed_is_no_mandate() {
        let mandate = Mandate::default();
        assert_eq!(mandate.term(), None);
        mandate.hold(7, Instant::now(), true);
        assert_eq!(mandate.term(), Some(7));
        tokio::time::advance(EXPIRES).await;
        assert_eq!(mandate.term(), None);
        mandate.hold(7, Instant::now(), true);
        assert_eq!(mandate.term(), Some(7));
        mandate.lose();
        assert_eq!(mandate.term(), None);
        mandate.hold(8, Instant::now(), false);
        tokio::time::advance(100 * EXPIRES).await;
        assert_eq!(mandate.term(), Some(8), "nobody else can take it");
        mandate.resign();
        mandate.hold(9, Instant::now(), false);
        assert!(mandate.has_resigned() && mandate.term().is_none());
    }
}
