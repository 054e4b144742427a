//! Keeps the content of evidence where the regions' policies let it be, before anything of a report is stored.
//!
//! [`Residency::apply`] goes over each report on its way into the log: what must be encrypted is sealed with the
//! region's key (`cipher`), and what must not be here at all is taken out, also where a probe sent it because it is
//! older than the policy. Log, database, state, API, pages and backups therefore never have it in clear.
//! [`Residency::open`] is the way back, for people, where the key is at hand. The policy itself is
//! [`crate::config::residency`]; what counts as content is [`wire::residency::Content`].

mod cipher;
mod key;
mod reveal;
mod rules;

pub use cipher::{Label, OpenError};
pub use key::EvidenceKey;
pub use reveal::reveal;

use crate::{config::Config, secret::Error};
use cipher::RANDOM;
use rules::Rules;
use runtime::{lock::lock, random::Random};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tracing::warn;
use wire::{
    ProbeId, RegionId,
    report::Report,
    residency::{Content, Residency as Policy, Withheld},
    sample::{Evidence, Sample},
};

/// The policies of all series, and the keys.
#[derive(Debug)]
pub struct Residency {
    /// None when evidence travels everywhere: then nothing is looked at.
    rules: Option<Rules>,
    /// The first of each region seals, all of them open.
    keys: BTreeMap<RegionId, Vec<EvidenceKey>>,
    random: Random,
    /// The probes that sent what must not be here, and were told of in the log.
    told: Mutex<BTreeSet<ProbeId>>,
}

impl Residency {
    /// Reads all keys, and works out what holds for each series.
    ///
    /// # Errors
    /// One problem for each key that cannot be read.
    pub fn read(config: &Arc<Config>, random: Random) -> Result<Residency, Vec<(RegionId, Error)>> {
        let (mut keys, mut problems) = (BTreeMap::<RegionId, Vec<EvidenceKey>>::new(), Vec::new());
        for (id, region) in &config.regions {
            for source in &region.evidence_keys {
                match EvidenceKey::read(source) {
                    Ok(key) => keys.entry(id.clone()).or_default().push(key),
                    Err(error) => problems.push((id.clone(), error)),
                }
            }
        }
        if problems.is_empty() {
            Ok(Residency { rules: Rules::of(config), keys, random, told: Mutex::default() })
        } else {
            Err(problems)
        }
    }

    /// Whether any region withholds evidence: then reports are kept as they were read, without what only a newer version
    /// would know.
    pub fn withholds(&self) -> bool {
        self.rules.is_some()
    }

    /// Seals or takes out what must not be stored as it is; true when the report was changed.
    pub fn apply(&self, report: &mut Report) -> bool {
        let mut changed = false;
        for evidence in report.samples.iter_mut().filter_map(|sample| sample.evidence.as_mut()) {
            // Sealing is ours; what a probe may say is the hash of what it keeps.
            changed |= evidence.withheld.take_if(|withheld| !withheld.is_from_probe()).is_some();
        }
        let Some(rules) = &self.rules else { return changed };
        let (probe, sequence) = (&report.probe, report.sequence);
        for (ordinal, sample) in (0..).zip(&mut report.samples) {
            changed |= self.apply_to(rules, sample, (probe, sequence, ordinal));
        }
        changed
    }

    fn apply_to(
        &self,
        rules: &Rules,
        sample: &mut Sample,
        (probe, sequence, ordinal): (&ProbeId, i64, u32),
    ) -> bool {
        let rule = rules.of_sample(probe, sample);
        if rule.residency == Policy::Travels {
            return false;
        }
        let check = sample.check.clone();
        let content = Content::take(sample, rule.residency, |name| rules.lists(&check, name));
        let changed = !content.is_empty();
        if changed && rule.residency > Policy::Encrypted {
            self.tell(probe);
        }
        let Some(evidence) = &mut sample.evidence else { return changed };
        let key = rule.key_of.and_then(|region| self.keys.get(&region)?.first());
        if let Some(key) = key.filter(|_| !content.is_empty()) {
            let (target, started) = (sample.target.clone(), sample.started);
            let label = Label { probe: probe.clone(), check, target, started, sequence, ordinal };
            let sealed = cipher::seal(key, self.random.bytes::<RANDOM>(), &label, &content);
            evidence.withheld = Some(Withheld::Sealed(sealed));
        }
        changed
    }

    /// Says once of each probe that it sent what must not be here.
    fn tell(&self, probe: &ProbeId) {
        if lock(&self.told).insert(probe.clone()) {
            warn!(
                %probe,
                "evidence that must not be here was sent and is left out: it was measured before the probe heard of the \
                 policy, or the probe is of a version that does not know it; then update it"
            );
        }
    }

    /// The evidence as it was before it was sealed, and what it belongs to: the caller compares that with where it
    /// found the evidence. Evidence that is not sealed is not changed, and has no label.
    ///
    /// # Errors
    /// When the key is not here, or the evidence was changed.
    pub fn open(&self, evidence: &Evidence) -> Result<(Evidence, Option<Label>), OpenError> {
        let Some(Withheld::Sealed(sealed)) = &evidence.withheld else { return Ok((evidence.clone(), None)) };
        let (label, content) = cipher::open(self.keys.values().flatten(), sealed)?;
        Ok((content.into_evidence(evidence), Some(label)))
    }
}

#[cfg(test)]
mod tests;
