//! The log as its readers see it: in order, from memory where it is recent, else from the database.
//!
//! Every collector has two readers, the decider ([`crate::fold`]) and the history ([`crate::history`]). What this
//! collector itself has just written they get as it was parsed when it came; what another one wrote, and what is old,
//! they read from the database.

use crate::{
    decide::Event,
    store::{Appended, Error, Logged, Store},
};
use runtime::lock::lock;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Samples (and entries) that are kept in memory for the readers, some 50 MB.
const MOST: usize = 50_000;
/// Entries that are read from the database at a time.
const CHUNK: i64 = 100;

/// Reads the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tail {
    store: Store,
    recent: Arc<Mutex<Recent>>,
    news: watch::Sender<u64>,
}

/// The newest entries of this collector without a gap: all that the log has after `after` up to `upto`.
#[derive(Debug, Default)]
struct Recent {
    after: i64,
    upto: i64,
    entries: VecDeque<Logged>,
    weight: usize,
}

impl Recent {
    fn extend(&mut self, appended: &Appended) {
        if appended.before != self.upto {
            // Another collector has written in between: what we hold ends there.
            *self = Recent { after: appended.before, ..Recent::default() };
        }
        self.upto = appended.upto;
        for entry in &appended.logged {
            self.weight += weight(entry);
            self.entries.push_back(entry.clone());
        }
        while self.weight > MOST
            && let Some(oldest) = self.entries.pop_front()
        {
            self.after = oldest.position;
            self.weight -= weight(&oldest);
        }
    }

    /// What comes after a position, if it is here without a gap.
    fn after(&self, position: i64) -> Vec<Logged> {
        if position < self.after {
            return Vec::new();
        }
        let from = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.range(from..).cloned().collect()
    }
}

fn weight(entry: &Logged) -> usize {
    match &*entry.event {
        Event::Report { report, .. } => 1 + report.samples.len() + report.mesh.len(),
        _ => 1,
    }
}

impl Tail {
    /// A reader of a store's log.
    pub fn new(store: Store) -> Tail {
        Tail { store, recent: Arc::default(), news: watch::Sender::new(0) }
    }

    /// Takes what this collector has just committed, and wakes the readers.
    pub fn appended(&self, appended: &Appended) {
        lock(&self.recent).extend(appended);
        self.nudge();
    }

    /// Wakes the readers: the log may have grown.
    pub fn nudge(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Changes whenever the log may have grown.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Some entries after a position, oldest first; none when there are no more.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn after(&self, position: i64) -> Result<Vec<Logged>, Error> {
        let recent = lock(&self.recent).after(position);
        if recent.is_empty() { self.store.log_after(position, CHUNK).await } else { Ok(recent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wire::Micros;

    fn appended(before: i64, positions: &[i64], upto: i64) -> Appended {
        let entry = |position: &i64| Logged {
            position: *position,
            received: Micros(0),
            clock_us: 0,
            event: Arc::new(Event::Tick),
        };
        Appended { before, upto, positions: Vec::new(), logged: positions.iter().map(entry).collect() }
    }

    fn positions(recent: &Recent, after: i64) -> Vec<i64> {
        recent.after(after).iter().map(|entry| entry.position).collect()
    }

    #[test]
    fn only_what_has_no_gap_is_read_from_memory() {
        let mut recent = Recent::default();
        recent.extend(&appended(7, &[8, 10], 10));
        assert_eq!(positions(&recent, 6), [0_i64; 0], "7 may have been written by another");
        assert_eq!(positions(&recent, 7), [8, 10]);
        assert_eq!(positions(&recent, 8), [10]);
        recent.extend(&appended(10, &[11], 12));
        assert_eq!(positions(&recent, 9), [10, 11]);
        // 13 and 14 are another collector's.
        recent.extend(&appended(14, &[15], 15));
        assert_eq!(positions(&recent, 11), [0_i64; 0]);
        assert_eq!(positions(&recent, 14), [15]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        for position in 0..3 * i64::try_from(MOST).expect("a small number") {
            recent.extend(&appended(position, &[position + 1], position + 1));
        }
        assert_eq!(recent.entries.len(), MOST);
        assert_eq!(recent.after, recent.entries[0].position - 1);
    }
}
