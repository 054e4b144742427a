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
    panic::resume_unwind,
    sync::{Arc, Mutex},
};
use tokio::task::JoinError;
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
    /// The own document.
    document: String,
    now: Mutex<Arc<Assigned>>,
    /// The newest revision when the documents were last read.
    read: tokio::sync::Mutex<Option<i64>>,
}

impl Assignments {
    /// Those of a collector's own configuration, which `document` has, and of the documents in its database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(store: &Store, config: &Config, document: &str) -> Result<Assignments, store::Error> {
        let own = Assigned::new(config);
        let now = Mutex::new(Arc::new(own.clone()));
        let (document, read) = (document.to_owned(), tokio::sync::Mutex::default());
        let assignments = Assignments(Arc::new(Inner { own, document, now, read }));
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
            let inner = Arc::clone(&self.0);
            // They may be large.
            let work = tokio::task::spawn_blocking(move || Arc::new(inner.with(&documents)));
            match work.await.map_err(JoinError::try_into_panic) {
                Ok(assigned) => (*lock(&self.0.now), *read) = (assigned, newest),
                Err(Ok(panic)) => resume_unwind(panic),
                // The program is ending.
                Err(Err(_)) => {}
            }
        }
        Ok(self.now())
    }
}

impl Inner {
    fn with(&self, documents: &[String]) -> Assigned {
        let mut assigned = self.own.clone();
        let (newer, older) = documents
            .split_at(documents.iter().position(|text| *text == self.document).unwrap_or(documents.len()));
        if let Some(problems) = assigned.add_documents(newer) {
            tracing::warn!(
                %problems,
                "another collector has brought a configuration that this version cannot read: what only that one assigns \
                 is neither taken nor sealed here; upgrade this collector"
            );
            assigned.incomplete = true;
        }
        assigned.with(older)
    }
}

/// The checks of one or several configurations.
#[derive(Debug, Clone, Default)]
pub struct Assigned {
    checks: HashMap<CheckId, Known>,
    /// Whether a document that is newer than the own one is of a newer version, and cannot be read.
    incomplete: bool,
}

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

    /// ... and what documents assign, as far as this program can read them. One of an older version may be refused today;
    /// its checks are then unknown.
    pub fn with(mut self, documents: &[String]) -> Assigned {
        self.add_documents(documents);
        self
    }

    /// Says what is wrong with the first document that cannot be read.
    fn add_documents(&mut self, documents: &[String]) -> Option<config::Problems> {
        let mut unreadable = None;
        for document in documents {
            match config::parse(document, "a document in the database") {
                Ok(config) => self.add(&config),
                Err(problems) => unreadable = unreadable.or(Some(problems)),
            }
        }
        unreadable
    }

    fn add(&mut self, config: &Config) {
        for (id, check) in &config.checks {
            let known = self.checks.entry(id.clone()).or_insert_with(|| Known {
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
        self.checks.get(check).filter(|known| known.runs.iter().any(told))
    }

    /// Whether what is not known here is known nowhere. While another collector has a document that this program cannot
    /// read, that is not so: nothing may be left out or passed over for being unknown.
    pub fn is_complete(&self) -> bool {
        !self.incomplete
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
        self.checks.keys()
    }

    /// Each check with who runs it against what; one that several configurations assign may come several times.
    pub fn series(&self) -> impl Iterator<Item = (&CheckId, &ProbeId, &Target)> {
        self.checks.iter().flat_map(|(id, known)| {
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
        let known = &assigned.checks[&"a".parse::<CheckId>().expect("an id")];
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
        let assignments = Assignments::open(&store, &own, "own").await.expect("opened");
        let first = assignments.now();
        let told = |assigned: &Assigned, names: [&str; 3]| names.map(|check| knows(assigned, "p1", check));
        assert_eq!(told(&first, ["own", "old", "new"]), [true, true, false]);
        assert!(first.is_complete());
        let again = assignments.look_again(&store).await.expect("looked");
        assert!(Arc::ptr_eq(&first, &again), "the same documents are not read again");

        // A moment after somebody looked, and also for whoever had read the table before.
        store.revise(&document("new", "north", "enter"), Micros(2)).await.expect("revised");
        for _ in 0..2 {
            let now = assignments.look_again(&store).await.expect("looked");
            assert_eq!(told(&now, ["own", "old", "new"]), [true; 3]);
        }
        // One of a newer version, and then one that can be read: the one in between may still assign what is not known here.
        store.revise("version: 2", Micros(3)).await.expect("revised");
        assert!(!assignments.look_again(&store).await.expect("looked").is_complete());
        store.revise(&document("newest", "north", "enter"), Micros(4)).await.expect("revised");
        let now = assignments.look_again(&store).await.expect("looked");
        assert!(!now.is_complete() && knows(&now, "p1", "newest"));
        store.revise("own", Micros(5)).await.expect("revised");
        assert!(
            assignments.look_again(&store).await.expect("looked").is_complete(),
            "what is older says nothing"
        );
        store.close().await;
        assignments.look_again(&store).await.expect_err("the database is closed");
    }
}
