//! Where what a run saw of its target may be kept, and what of a sample that is.
//!
//! A sample consists of facts (times, classes, statuses, sizes, addresses) and of *content*: texts that the target may
//! have written, because they quote bodies, headers or the names it redirects to. [`Content::take`] is the one place
//! that tells them apart; `docs/threat-model.md` has the table.

use crate::sample::{Evidence, FailClass, Outcome, Sample};
use serde::{Deserialize, Serialize};

/// Where the content of a series' samples may be kept, from the least strict to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// It goes to the collector with the sample.
    #[default]
    Travels,
    /// It goes to the collector, which encrypts it before it is stored.
    Encrypted,
    /// It stays on the probe.
    Stays,
    /// It is kept nowhere: the probe stands where it must not be. Also what a policy of a newer collector means.
    #[serde(other)]
    Dropped,
}

impl Residency {
    /// Whether it is the default.
    pub fn travels(&self) -> bool {
        *self == Residency::Travels
    }
}

/// What stands in evidence for content that was taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// It is on the probe, which finds it by this: the SHA-256 of a random salt and the content, 64 hexadecimal
    /// digits. The salt is with the content, so that nobody else can try out what the content might be.
    Kept(String),
    /// The content, encrypted by the collector with a region's key; base64.
    Sealed(String),
}

impl Withheld {
    /// Whether a probe may send it: the hash of what it keeps. Sealing is the collector's.
    pub fn is_from_probe(&self) -> bool {
        match self {
            Withheld::Kept(hash) => {
                hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            Withheld::Sealed(_) => false,
        }
    }
}

/// What stands for a region's name that is none of the configuration's. No id looks like this.
pub const UNLISTED: &str = "(unlisted)";
/// What stands for the address of a redirect.
pub const WITHHELD_URL: &str = "(withheld)";

/// What the target may have written into a sample.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// [`Evidence::summary`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// [`Evidence::excerpt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// [`crate::sample::Hop::url`] of each redirect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<String>,
    /// [`crate::sample::AddressResult::summary`] of those that have one, with their addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<(String, String)>,
    /// [`Sample::served_by`] and those of its steps that name no region of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served_by: Vec<String>,
}

impl Content {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Content::default()
    }

    /// Takes the content out of a sample and leaves in its place what says no more than the outcome. `listed` knows the
    /// regions that an answer may name.
    ///
    /// What is in place already stays as it is, so that doing it twice is the same as doing it once. A run that was
    /// not made has nothing from its target: what it says is the probe's own.
    pub fn take(sample: &mut Sample, residency: Residency, listed: impl Fn(&str) -> bool) -> Content {
        let mut content = Content::default();
        let sentence = sentence(sample.outcome, residency);
        let own = matches!(sample.outcome, Outcome::Missed | Outcome::Unsupported);
        if let Some(evidence) = &mut sample.evidence {
            if !own && !is_sentence(&evidence.summary, sample.outcome) {
                content.summary = Some(std::mem::replace(&mut evidence.summary, sentence));
            }
            content.excerpt = evidence.excerpt.take();
        }
        for hop in sample.hops.iter_mut().filter(|hop| hop.url != WITHHELD_URL) {
            content.hops.push(std::mem::replace(&mut hop.url, WITHHELD_URL.to_owned()));
        }
        for result in &mut sample.addresses {
            content.addresses.extend(result.summary.take().map(|text| (result.address.clone(), text)));
        }
        let names = sample.steps.iter_mut().filter_map(|step| step.served_by.as_mut());
        for name in sample.served_by.iter_mut().chain(names) {
            if name != UNLISTED && !listed(name) {
                content.served_by.push(std::mem::replace(name, UNLISTED.to_owned()));
            }
        }
        content
    }

    /// The evidence as it would be, had it travelled.
    pub fn into_evidence(self, rest: &Evidence) -> Evidence {
        Evidence {
            summary: self.summary.unwrap_or_else(|| rest.summary.clone()),
            step: rest.step.clone(),
            excerpt: self.excerpt,
            withheld: None,
        }
    }
}

/// The sentence that stands for a summary: it says the outcome and where the rest is, and nothing of the target.
pub fn sentence(outcome: Outcome, residency: Residency) -> String {
    let what = match outcome {
        Outcome::Ok => "The run took longer than its budget",
        Outcome::Missed => "The run was not made",
        Outcome::Unsupported => "This probe cannot run such a check",
        Outcome::Fail(FailClass::Dns) => "The name did not resolve",
        Outcome::Fail(FailClass::Connect) => "The connection failed",
        Outcome::Fail(FailClass::Tls) => "The TLS handshake or the certificate failed",
        Outcome::Fail(FailClass::Timeout) => "There was no answer in time",
        Outcome::Fail(FailClass::Protocol) => "The answer was malformed or cut short",
        Outcome::Fail(FailClass::Status) => "The status was not an expected one",
        Outcome::Fail(FailClass::Assertion) => "The answer was not as expected",
        Outcome::Fail(FailClass::Request) => "The request could not be made",
    };
    match residency {
        Residency::Travels => what.to_owned(),
        Residency::Encrypted => format!("{what}; the evidence is encrypted"),
        Residency::Stays => format!("{what}; the evidence stays on the probe"),
        Residency::Dropped => format!("{what}; the evidence may be kept nowhere here"),
    }
}

fn is_sentence(text: &str, outcome: Outcome) -> bool {
    [Residency::Encrypted, Residency::Stays, Residency::Dropped]
        .into_iter()
        .any(|residency| sentence(outcome, residency) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Micros,
        assignment::Target,
        sample::{AddressResult, Connection, Hop, Phases, StepResult, Trigger},
    };

    const MARK: &str = "MARKER-4711";

    /// A sample whose every text that the target can write holds [`MARK`].
    fn full(outcome: Outcome) -> Sample {
        let text = |name: &str| format!("{name} {MARK}");
        Sample {
            check: "home".parse().expect("an id"),
            target: Target::Public,
            scheduled: Micros(1),
            started: Micros(2),
            total_us: 3,
            outcome,
            slow: false,
            phases: Phases::default(),
            trigger: Trigger::Confirm,
            attempt: 1,
            address: Some("192.0.2.1:443".into()),
            connection: Connection::default(),
            hops: vec![Hop {
                url: text("url"),
                status: 302,
                address: None,
                total_us: 1,
                phases: Phases::default(),
            }],
            addresses: vec![AddressResult {
                address: "192.0.2.1:443".into(),
                outcome,
                total_us: 1,
                phases: Phases::default(),
                status: None,
                summary: Some(text("address")),
            }],
            status: Some(500),
            served_by: Some(text("header")),
            bytes: Some(9),
            certificate_expires: None,
            flags: vec![],
            trace_id: Some("00".into()),
            evidence: Some(Evidence {
                summary: text("summary"),
                step: Some("pay".into()),
                excerpt: Some(text("excerpt")),
                withheld: None,
            }),
            steps: vec![StepResult {
                name: "pay".into(),
                elsewhere: None,
                outcome,
                total_us: 1,
                phases: Phases::default(),
                status: None,
                served_by: Some(text("step")),
                attempts: 1,
                until_us: None,
            }],
        }
    }

    fn json(sample: &Sample) -> String {
        serde_json::to_string(sample).expect("JSON")
    }

    #[test]
    fn everything_that_the_target_can_write_is_taken_and_the_rest_stays() {
        let fails = [
            FailClass::Dns,
            FailClass::Connect,
            FailClass::Tls,
            FailClass::Timeout,
            FailClass::Protocol,
            FailClass::Status,
            FailClass::Assertion,
            FailClass::Request,
        ];
        for outcome in fails.into_iter().map(Outcome::Fail).chain([Outcome::Ok]) {
            let mut sample = full(outcome);
            assert_eq!(json(&sample).matches(MARK).count(), 6, "the test must cover every text");
            let content = Content::take(&mut sample, Residency::Stays, |_| false);
            assert!(!json(&sample).contains(MARK), "{}", json(&sample));
            assert_eq!(serde_json::to_string(&content).expect("JSON").matches(MARK).count(), 6);
            assert_eq!((sample.status, sample.bytes, sample.hops[0].status), (Some(500), Some(9), 302));
            let evidence = sample.evidence.clone().expect("it stays");
            assert_eq!(evidence.step.as_deref(), Some("pay"));
            assert_eq!(evidence.summary, sentence(outcome, Residency::Stays));
            assert_eq!(content.clone().into_evidence(&evidence), full(outcome).evidence.expect("it was"));
            // Again, here or by the collector, whatever it thinks of it: there is nothing more to take.
            let before = sample.clone();
            assert!(Content::take(&mut sample, Residency::Encrypted, |_| false).is_empty());
            assert_eq!(sample, before);
        }
    }

    #[test]
    fn a_region_of_the_configuration_may_be_named() {
        let mut sample = full(Outcome::Ok);
        sample.served_by = Some("eu".into());
        let content = Content::take(&mut sample, Residency::Dropped, |name| name == "eu");
        assert_eq!(sample.served_by.as_deref(), Some("eu"));
        assert_eq!(sample.steps[0].served_by.as_deref(), Some(UNLISTED));
        assert_eq!(content.served_by.len(), 1);
    }

    #[test]
    fn what_a_probe_says_of_itself_is_no_content() {
        for outcome in [Outcome::Missed, Outcome::Unsupported] {
            let mut sample = full(outcome);
            let content = Content::take(&mut sample, Residency::Stays, |_| false);
            assert_eq!(content.summary, None);
            assert_eq!(sample.evidence.expect("it stays").excerpt, None);
        }
    }

    #[test]
    fn a_policy_of_the_future_is_the_strictest() {
        let read = |text: &str| serde_json::from_str::<Residency>(text).expect("a policy");
        for residency in [Residency::Travels, Residency::Encrypted, Residency::Stays, Residency::Dropped] {
            assert_eq!(read(&serde_json::to_string(&residency).expect("JSON")), residency);
        }
        assert_eq!(read("\"on_the_moon\""), Residency::Dropped);
        assert!(Residency::Travels < Residency::Encrypted && Residency::Stays < Residency::Dropped);
    }

    #[test]
    fn probes_send_hashes_only() {
        assert!(Withheld::Kept("0f".repeat(32)).is_from_probe());
        for bad in ["", "0F", &"0F".repeat(32), &"0".repeat(65), &"g".repeat(64)] {
            assert!(!Withheld::Kept(bad.to_string()).is_from_probe(), "{bad}");
        }
        assert!(!Withheld::Sealed("0f".repeat(32)).is_from_probe());
    }
}
