//! Which checks are assigned, and were not long ago: who runs them against what, with which steps.
//!
//! A probe may report only what it was told to measure ([`crate::ingest`]), and only that becomes a series
//! ([`crate::history`]): reports cannot make series without end. Not only the configuration in force counts: a probe that
//! was away sends what it measured under the one before, and while a new one is rolled out, it may have its assignment
//! from one collector and report to another. That is no lie; a check that was never its own is.

use crate::{
    config::{self, Config},
    history::shard_of,
    store::{self, Store},
};
use runtime::lock::lock;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use wire::{
    CheckId, ProbeId,
    assignment::{CheckKind, Target},
    report::Report,
};

/// How many documents are looked at: those that a database keeps in any case.
pub const DOCUMENTS: i64 = 20;

/// What is assigned, as of the newest documents that any collector has brought. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assignments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    own: Assigned,
    now: Mutex<Arc<Assigned>>,
    /// The newest revision when the documents were last read.
    read: tokio::sync::Mutex<Option<i64>>,
}

impl Assignments {
    /// Those of a collector's own configuration, and of the documents in its database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(store: &Store, config: &Config) -> Result<Assignments, store::Error> {
        let own = Assigned::new(config);
        let now = Mutex::new(Arc::new(own.clone()));
        let assignments = Assignments(Arc::new(Inner { own, now, read: tokio::sync::Mutex::default() }));
        assignments.look_again(store).await?;
        Ok(assignments)
    }

    /// What is known now.
    pub fn now(&self) -> Arc<Assigned> {
        Arc::clone(&lock(&self.0.now))
    }

    /// What is known when the database is looked into for documents that other collectors have brought. They write
    /// theirs down before they take reports of it, so whatever was in the log before this is known afterwards. Nobody
    /// relies on a look that began before it asked: that would miss a document that came meanwhile. The documents are
    /// read only when there is a newer one, so that strangers cost one small question each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_again(&self, store: &Store) -> Result<Arc<Assigned>, store::Error> {
        // Before the lock: where the database does not answer, nobody waits for all who asked before.
        let newest = store.newest_revision().await?;
        let mut read = self.0.read.lock().await;
        if *read < newest {
            let documents = store.documents(DOCUMENTS).await?;
            let own = self.0.own.clone();
            // They may be large. Had reading them panicked, what was known before would do until the next look.
            let work = tokio::task::spawn_blocking(move || Arc::new(own.with(&documents)));
            if let Ok(assigned) = work.await {
                *lock(&self.0.now) = assigned;
                *read = newest;
            }
        }
        Ok(self.now())
    }
}

/// The checks of one or several configurations, by id.
#[derive(Debug, Clone, Default)]
pub struct Assigned(HashMap<CheckId, Known>);

/// What is known of a check.
#[derive(Debug, Clone)]
pub struct Known {
    /// The shard of the history that it belongs to.
    pub shard: usize,
    /// Who runs it against what: a pair for each configuration in which that is different, both sorted.
    runs: Vec<(Vec<ProbeId>, Vec<Target>)>,
    steps: Vec<String>,
}

impl Assigned {
    /// What a configuration assigns.
    pub fn new(config: &Config) -> Assigned {
        let mut assigned = Assigned::default();
        assigned.add(config);
        assigned
    }

    /// What the newest documents in a database assign, as far as this program can read them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored(store: &Store) -> Result<Assigned, store::Error> {
        Ok(Assigned::default().with(&store.documents(DOCUMENTS).await?))
    }

    /// ... and what documents assign, as far as this program can read them.
    pub fn with(mut self, documents: &[String]) -> Assigned {
        for document in documents {
            // A document of an older version may be refused today; its checks are then unknown.
            if let Ok(config) = config::parse(document, "a document in the database") {
                self.add(&config);
            }
        }
        self
    }

    fn add(&mut self, config: &Config) {
        for (id, check) in &config.checks {
            let known = self.0.entry(id.clone()).or_insert_with(|| Known {
                shard: shard_of(id.as_str()),
                runs: Vec::new(),
                steps: Vec::new(),
            });
            let (mut from, mut to) = (check.from.clone(), check.to.clone());
            from.sort();
            to.sort();
            let runs = (from, to);
            if !known.runs.contains(&runs) {
                known.runs.push(runs);
            }
            if let CheckKind::Journey(journey) = &check.kind {
                for step in &journey.steps {
                    if !known.has_step(&step.name) {
                        known.steps.push(step.name.clone());
                    }
                }
            }
        }
    }

    /// A check, if a probe was ever told to run it against a target.
    pub fn find(&self, probe: &ProbeId, check: &CheckId, target: &Target) -> Option<&Known> {
        let told = |(from, to): &(Vec<ProbeId>, Vec<Target>)| {
            from.binary_search(probe).is_ok() && to.binary_search(target).is_ok()
        };
        self.0.get(check).filter(|known| known.runs.iter().any(told))
    }

    /// Whether all samples of a report, and all their steps, are known.
    pub fn has_all(&self, report: &Report) -> bool {
        report.samples.iter().all(|sample| {
            let known = self.find(&report.probe, &sample.check, &sample.target);
            known.is_some_and(|known| sample.steps.iter().all(|step| known.has_step(&step.name)))
        })
    }

    /// The checks.
    pub fn checks(&self) -> impl Iterator<Item = &CheckId> {
        self.0.keys()
    }

    /// Each check with who runs it against what; one that several configurations assign may come several times.
    pub fn series(&self) -> impl Iterator<Item = (&CheckId, &ProbeId, &Target)> {
        self.0.iter().flat_map(|(id, known)| {
            let pairs = known.runs.iter().flat_map(|(from, to)| {
                from.iter().flat_map(move |probe| to.iter().map(move |target| (probe, target)))
            });
            pairs.map(move |(probe, target)| (id, probe, target))
        })
    }
}

impl Known {
    /// Whether the check has a step of this name.
    pub fn has_step(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Engine;
    use wire::Micros;

    fn document(check: &str, from: &str, step: &str) -> String {
        format!(
            "version: 1\n\
             regions: {{ north: {{}}, south: {{}} }}\n\
             probes:\n  p1: {{ region: north, token: {{ env: T }} }}\n  p2: {{ region: south, token: {{ env: U }} }}\n\
             services: {{ shop: {{ regions: {{ north: http://n.test, south: http://s.test }} }} }}\n\
             checks:\n  {check}:\n    service: shop\n    from: [{from}]\n    \
             journey: {{ steps: [{{ name: {step}, get: / }}] }}\n"
        )
    }

    fn config(document: &str) -> Config {
        config::parse(document, "the test").expect("valid")
    }

    fn knows(assigned: &Assigned, probe: &str, check: &str) -> bool {
        let (probe, check) = (probe.parse().expect("an id"), check.parse().expect("an id"));
        assigned.find(&probe, &check, &"north".parse().expect("a region")).is_some()
    }

    #[test]
    fn what_several_documents_assign_is_known_of_each_and_of_no_mixture() {
        let documents =
            [document("a", "north", "enter"), document("a", "south", "leave"), "not a document".into()];
        let assigned = Assigned::default().with(&documents);
        assert!(knows(&assigned, "p1", "a") && knows(&assigned, "p2", "a"));
        assert!(!knows(&assigned, "p1", "b") && !knows(&assigned, "p3", "a"));
        let known = &assigned.0[&"a".parse::<CheckId>().expect("an id")];
        assert!(known.has_step("enter") && known.has_step("leave") && !known.has_step("turn"));
        let mut series: Vec<_> =
            assigned.series().map(|(_, probe, target)| format!("{probe} {target:?}")).collect();
        series.sort();
        series.dedup();
        assert_eq!(series.len(), 4, "{series:?}");
        assert!(!knows(&Assigned::new(&config(&documents[0])), "p2", "a"));
    }

    #[tokio::test]
    async fn every_look_finds_what_was_brought_before_it() {
        let engine = Engine::sqlite();
        let store = engine.open().await;
        store.revise(&document("old", "north", "enter"), Micros(1)).await.expect("revised");
        let own = config(&document("own", "north", "enter"));
        let assignments = Assignments::open(&store, &own).await.expect("opened");
        let first = assignments.now();
        let told = |assigned: &Assigned, names: [&str; 3]| names.map(|check| knows(assigned, "p1", check));
        assert_eq!(told(&first, ["own", "old", "new"]), [true, true, false]);
        let again = assignments.look_again(&store).await.expect("looked");
        assert!(Arc::ptr_eq(&first, &again), "the same documents are not read again");

        // A moment after somebody looked, and also for whoever had read the table before.
        store.revise(&document("new", "north", "enter"), Micros(2)).await.expect("revised");
        for _ in 0..2 {
            let now = assignments.look_again(&store).await.expect("looked");
            assert_eq!(told(&now, ["own", "old", "new"]), [true; 3]);
        }
        store.close().await;
        assignments.look_again(&store).await.expect_err("the database is closed");
    }
}
