//! What may become a series: only what a configuration has or had, so that a report cannot make series without end.
//!
//! Not only the own one: while a new document is rolled out, other collectors take reports of checks that this one does
//! not run yet, and probes send what they measured under the document before.

use super::shard::shard_of;
use crate::{
    config::{self, Config},
    store::{self, Store},
};
use runtime::lock::lock;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use wire::{
    CheckId, ProbeId,
    assignment::{CheckKind, PUBLIC, Target},
    report::Report,
    sample::Sample,
};

/// How many documents are looked at: those that a database keeps in any case.
const DOCUMENTS: i64 = 20;

/// The checks of one or several configurations, by id.
#[derive(Debug, Clone, Default)]
pub struct Configured(HashMap<CheckId, Known>);

/// What is known of a check.
#[derive(Debug, Clone)]
pub struct Known {
    pub shard: usize,
    /// Who runs it against what: a pair for each configuration in which that is different.
    runs: Vec<(Vec<ProbeId>, Vec<Target>)>,
    steps: Vec<String>,
}

impl Configured {
    /// What a configuration measures.
    pub fn new(config: &Config) -> Configured {
        let mut configured = Configured::default();
        configured.add(config);
        configured
    }

    /// ... and what documents measure, as far as this program can read them.
    pub fn with(mut self, documents: &[String]) -> Configured {
        for document in documents {
            // Of what an older version took and this one refuses, the rows stay in the log.
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
            if !known.runs.contains(&(from.clone(), to.clone())) {
                known.runs.push((from, to));
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

    /// The check of a sample from a probe; absent when that probe does not run it, or not against that target.
    pub fn find(&self, probe: &ProbeId, sample: &Sample) -> Option<&Known> {
        let known = self.0.get(&sample.check)?;
        let told = |(from, to): &(Vec<ProbeId>, Vec<Target>)| {
            from.binary_search(probe).is_ok() && to.binary_search(&sample.target).is_ok()
        };
        known.runs.iter().any(told).then_some(known)
    }

    /// Whether all of a report can become rows.
    fn has_all(&self, report: &Report) -> bool {
        report.samples.iter().all(|sample| {
            let known = self.find(&report.probe, sample);
            known.is_some_and(|known| sample.steps.iter().all(|step| known.has_step(&step.name)))
        })
    }
}

impl Known {
    /// Whether the check has a step of this name.
    pub fn has_step(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step == name)
    }
}

/// What is configured now, as far as this collector has looked.
#[derive(Debug)]
pub struct Documents {
    own: Configured,
    now: Mutex<(Option<i64>, Arc<Configured>)>,
}

impl Documents {
    /// The own configuration, and the documents in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(store: &Store, config: &Config) -> Result<Documents, store::Error> {
        let own = Configured::new(config);
        let documents = Documents { now: Mutex::new((None, Arc::new(own.clone()))), own };
        documents.look(store).await?;
        Ok(documents)
    }

    /// What is known now.
    pub fn now(&self) -> Arc<Configured> {
        Arc::clone(&lock(&self.now).1)
    }

    /// Whether all of a report can become rows, as far as is known.
    pub fn has_all(&self, report: &Report) -> bool {
        self.now().has_all(report)
    }

    /// Looks for documents that other collectors have brought. They write theirs down before they take reports of it, so
    /// whatever was in the log before this is known afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self, store: &Store) -> Result<(), store::Error> {
        let revision = store.newest_revision().await?;
        if revision == lock(&self.now).0 {
            return Ok(());
        }
        let documents = store.documents(DOCUMENTS).await?;
        let own = self.own.clone();
        // They may be large.
        let read = tokio::task::spawn_blocking(move || Arc::new(own.with(&documents)));
        if let Ok(configured) = read.await {
            *lock(&self.now) = (revision, configured);
        }
        Ok(())
    }
}

/// A target as text.
pub fn target(target: &Target) -> &str {
    match target {
        Target::Region(region) => region.as_str(),
        Target::Public => PUBLIC,
    }
}
