//! Which checks a probe may report: those that it is told to run, and those that it was told to run before.
//!
//! A probe that was away sends what it measured under an older configuration; that is no lie. A check that was never
//! its own is.

use super::Refused;
use crate::{
    api::Rejected,
    config::{self, Config},
    store::Store,
};
use runtime::lock::lock;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use wire::{CheckId, ProbeId, assignment::Target};

/// How many configurations of before are looked at for checks that probes may still report.
pub const EARLIER: i64 = 20;

/// Who may report what, as of the newest configuration that any collector has. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assignments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    now: Mutex<Arc<Assigned>>,
    /// The newest revision when the documents were last read.
    read: tokio::sync::Mutex<Option<i64>>,
}

impl Assignments {
    /// Those of a configuration and of the documents of earlier revisions.
    pub fn new(config: Arc<Config>, earlier: &[String]) -> Assignments {
        let now = Mutex::new(Arc::new(Assigned::new(&config, earlier)));
        Assignments(Arc::new(Inner { config, now, read: tokio::sync::Mutex::default() }))
    }

    /// What is known now.
    pub fn now(&self) -> Arc<Assigned> {
        Arc::clone(&lock(&self.0.now))
    }

    /// What is known when the database is looked into for documents that other collectors have brought: while a new one
    /// is rolled out, a probe may have its assignment from one collector and report to another. Nobody relies on a look
    /// that began before it asked: that would miss a document that came meanwhile. The documents are read only when there
    /// is a newer one, so that strangers cost one small question each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_again(&self, store: &Store) -> Result<Arc<Assigned>, Rejected> {
        // Before the lock: where the database does not answer, nobody waits for all who asked before.
        let newest = store.newest_revision().await?;
        let mut read = self.0.read.lock().await;
        if *read < newest {
            let documents = store.documents(EARLIER).await?;
            let config = Arc::clone(&self.0.config);
            let work = tokio::task::spawn_blocking(move || Assigned::new(&config, &documents));
            *lock(&self.0.now) = Arc::new(work.await.map_err(|_| Refused::Failed)?);
            *read = newest;
        }
        Ok(self.now())
    }
}

/// Who may report what.
#[derive(Debug, Default)]
pub struct Assigned(HashMap<ProbeId, HashMap<CheckId, Vec<Target>>>);

impl Assigned {
    /// What the configuration and the documents of earlier revisions assign.
    pub fn new(config: &Config, earlier: &[String]) -> Assigned {
        let mut assigned = Assigned::default();
        assigned.add(config);
        for document in earlier {
            // A document of an older version may be refused today; its checks are then unknown, which the probe is told.
            if let Ok(config) = config::parse(document, "an earlier revision") {
                assigned.add(&config);
            }
        }
        assigned
    }

    fn add(&mut self, config: &Config) {
        for (id, check) in &config.checks {
            for probe in &check.from {
                let targets = self.0.entry(probe.clone()).or_default().entry(id.clone()).or_default();
                for target in &check.to {
                    if !targets.contains(target) {
                        targets.push(target.clone());
                    }
                }
            }
        }
    }

    /// Whether a probe was ever told to take samples of a check on a target.
    pub fn knows(&self, probe: &ProbeId, check: &CheckId, target: &Target) -> bool {
        let targets = self.0.get(probe).and_then(|checks| checks.get(check));
        targets.is_some_and(|targets| targets.contains(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Engine;
    use wire::Micros;

    fn document(check: &str) -> String {
        format!(
            "version: 1\nregions: {{ north: {{}} }}\nprobes: {{ p1: {{ region: north, token: {{ env: T }} }} }}\n\
             services: {{ shop: {{ regions: {{ north: http://n.test }} }} }}\n\
             checks: {{ {check}: {{ service: shop, http: {{ path: / }} }} }}\n"
        )
    }

    #[tokio::test]
    async fn every_look_finds_what_was_brought_before_it() {
        let engine = Engine::sqlite();
        let store = engine.open().await;
        let own = document("old");
        store.revise(&own, Micros(1)).await.expect("revised");
        let config = Arc::new(config::parse(&own, "the test").expect("valid"));
        let assignments = Assignments::new(config, &[own]);
        let knows = |assigned: &Assigned, check: &str| {
            let (probe, check) = ("p1".parse().expect("an id"), check.parse().expect("an id"));
            assigned.knows(&probe, &check, &"north".parse().expect("a region"))
        };
        assert!(knows(&assignments.now(), "old") && !knows(&assignments.now(), "new"));
        let first = assignments.look_again(&store).await.expect("looked");
        assert!(!knows(&first, "new"));
        let again = assignments.look_again(&store).await.expect("looked");
        assert!(Arc::ptr_eq(&first, &again), "the same documents are not read again");

        // A moment after somebody looked, and also for whoever had read the table before.
        store.revise(&document("new"), Micros(2)).await.expect("revised");
        for _ in 0..2 {
            let now = assignments.look_again(&store).await.expect("looked");
            assert!(knows(&now, "old") && knows(&now, "new"));
        }
        store.close().await;
        assignments.look_again(&store).await.expect_err("the database is closed");
    }
}
