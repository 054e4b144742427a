//! Which checks a probe may report: those that it is told to run, and those that it was told to run before.
//!
//! A probe that was away sends what it measured under an older configuration; that is no lie. A check that was never
//! its own is.

use crate::{
    config::{self, Config},
    store::{self, Store},
};
use runtime::lock::lock;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;
use wire::{CheckId, ProbeId, assignment::Target, report::Report};

/// How many configurations of before are looked at for checks that probes may still report.
pub const EARLIER: i64 = 20;
/// How long the database is not asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who may report what, as of the newest configuration that any collector has. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assignments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    now: Mutex<Arc<Assigned>>,
    looked: tokio::sync::Mutex<Option<Instant>>,
}

impl Assignments {
    /// Those of a configuration and of the documents of earlier revisions.
    pub fn new(config: Arc<Config>, earlier: &[String]) -> Assignments {
        let now = Mutex::new(Arc::new(Assigned::new(&config, earlier)));
        Assignments(Arc::new(Inner { config, now, looked: tokio::sync::Mutex::new(None) }))
    }

    /// What is known now.
    pub fn now(&self) -> Arc<Assigned> {
        Arc::clone(&lock(&self.0.now))
    }

    /// Looks into the database for documents that other collectors have brought: while a new one is rolled out, a probe
    /// may have its assignment from one collector and report to another. False when that was done a moment ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_again(&self, store: &Store) -> Result<bool, store::Error> {
        let mut looked = self.0.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < PATIENCE) {
            return Ok(false);
        }
        let documents = store.documents(EARLIER).await?;
        *lock(&self.0.now) = Arc::new(Assigned::new(&self.0.config, &documents));
        *looked = Some(Instant::now());
        Ok(true)
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

    /// The first sample of a report that its probe was never told to take.
    pub fn stranger<'a>(&self, report: &'a Report) -> Option<(&'a CheckId, &'a Target)> {
        let checks = self.0.get(&report.probe);
        let known = |check: &CheckId, target: &Target| {
            checks.and_then(|checks| checks.get(check)).is_some_and(|targets| targets.contains(target))
        };
        let samples = report.samples.iter().map(|sample| (&sample.check, &sample.target));
        samples.into_iter().find(|(check, target)| !known(check, target))
    }
}
