//! Which checks a probe may report: those that it is told to run, and those that it was told to run before.
//!
//! A probe that was away sends what it measured under an older configuration; that is no lie. A check that was never
//! its own is.

use crate::config::{self, Config};
use std::collections::HashMap;
use wire::{CheckId, ProbeId, assignment::Target, report::Report};

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
