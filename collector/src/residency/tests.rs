//! What a report looks like when it is stored.

use super::*;
use crate::config::parse;
use wire::{
    Micros,
    assignment::Target,
    residency::sentence,
    sample::{Connection, FailClass, Hop, Outcome, Phases, Trigger},
};

const MARK: &str = "MARKER-4711";

/// Regions whose evidence travels, is encrypted (with a new and an old key), and stays.
const DOCUMENT: &str = "version: 1
regions:
  free: {}
  sealed: { evidence: encrypted, evidence_key: [{ file: NEW }, { file: OLD }] }
  home: { evidence: stays }
probes:
  p-free: { region: free, token: { env: A } }
  p-sealed: { region: sealed, token: { env: B } }
  p-home: { region: home, token: { env: C } }
services:
  shop: { public: http://shop, regions: { free: http://a, sealed: http://b, home: http://c } }
checks:
  get: { service: shop, http: }
  door: { service: shop, http: , to: public }
";

struct Scene {
    folder: tempfile::TempDir,
    residency: Residency,
}

/// A residency over [`DOCUMENT`], changed, with keys of these bytes.
fn scene(change: impl FnOnce(String) -> String, new: u8, old: u8) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let mut document = DOCUMENT.to_owned();
    for (name, byte) in [("NEW", new), ("OLD", old)] {
        let path = folder.path().join(name);
        std::fs::write(&path, EvidenceKey::text([byte; 32])).expect("written");
        document = document.replace(name, &path.display().to_string());
    }
    let config = Arc::new(parse(&change(document), "test.yaml").expect("a good document"));
    let residency = Residency::read(&config, Random::seeded(1)).expect("the keys are there");
    Scene { folder, residency }
}

fn same(text: String) -> String {
    text
}

fn sample(check: &str, target: &str, outcome: Outcome) -> Sample {
    Sample {
        check: check.parse().expect("an id"),
        target: target.parse::<Target>().expect("a target"),
        scheduled: Micros(1),
        started: Micros(2),
        total_us: 3,
        outcome,
        slow: false,
        phases: Phases::default(),
        trigger: Trigger::Schedule,
        attempt: 1,
        address: Some("192.0.2.1:80".into()),
        connection: Connection::default(),
        hops: vec![Hop {
            url: format!("http://x/{MARK}"),
            status: 302,
            address: None,
            total_us: 1,
            phases: Phases::default(),
        }],
        addresses: vec![],
        status: Some(500),
        served_by: Some("free".into()),
        bytes: Some(9),
        certificate_expires: None,
        flags: vec![],
        trace_id: None,
        evidence: outcome.is_fail().then(|| Evidence {
            summary: format!("got {MARK}"),
            step: None,
            excerpt: Some(format!("<p>{MARK}")),
            withheld: None,
        }),
        steps: vec![],
    }
}

fn report(probe: &str, samples: Vec<Sample>) -> Report {
    Report { probe: probe.parse().expect("an id"), sequence: 7, samples, mesh: vec![] }
}

const FAILED: Outcome = Outcome::Fail(FailClass::Status);

/// One failing sample as it is stored.
fn stored(residency: &Residency, probe: &str, check: &str, target: &str) -> (bool, Sample) {
    let mut report = report(probe, vec![sample(check, target, FAILED)]);
    let changed = residency.apply(&mut report);
    (changed, report.samples.remove(0))
}

fn has_mark(sample: &Sample) -> bool {
    serde_json::to_string(sample).expect("JSON").contains(MARK)
}

#[test]
fn nothing_is_touched_where_evidence_travels() {
    let scene = scene(same, 1, 2);
    for target in ["free", "public"] {
        let check = if target == "public" { "door" } else { "get" };
        let (changed, sample_now) = stored(&scene.residency, "p-free", check, target);
        assert!(!changed);
        assert_eq!(sample_now, sample(check, target, FAILED));
    }
    let open = super::tests::scene(
        |text| text.replace("{ evidence: stays }", "{}").replace("encrypted", "travels"),
        1,
        2,
    );
    assert!(open.residency.rules.is_none());
    // But nobody else may say that something is sealed.
    for residency in [&scene.residency, &open.residency] {
        let mut lie = sample("get", "free", FAILED);
        lie.evidence.as_mut().expect("it failed").withheld = Some(Withheld::Sealed("AAAA".into()));
        let mut sent = report("p-free", vec![lie]);
        assert!(residency.apply(&mut sent));
        assert_eq!(sent.samples, [sample("get", "free", FAILED)]);
    }
}

#[test]
fn what_is_encrypted_comes_back_with_the_key_only() {
    let scene = scene(same, 1, 2);
    for (probe, target) in [("p-free", "sealed"), ("p-sealed", "free"), ("p-sealed", "public")] {
        let check = if target == "public" { "door" } else { "get" };
        let (changed, stored) = stored(&scene.residency, probe, check, target);
        assert!(changed && !has_mark(&stored), "{stored:?}");
        let evidence = stored.evidence.expect("it stays");
        assert_eq!(evidence.summary, sentence(FAILED, Policy::Encrypted));
        let (opened, label) = scene.residency.open(&evidence).expect("the key is here");
        assert_eq!(opened, sample(check, target, FAILED).evidence.expect("it was"));
        let label = label.expect("it was sealed");
        assert_eq!((label.probe.as_str(), label.sequence, label.ordinal), (probe, 7, 0));
        assert_eq!((label.check.as_str(), label.target.to_string().as_str()), (check, target));
        // What is open already has nothing to open.
        assert_eq!(scene.residency.open(&opened), Ok((opened.clone(), None)));
        let other = super::tests::scene(same, 3, 4);
        assert!(matches!(other.residency.open(&evidence), Err(OpenError::NoKey(_))));
    }
}

#[test]
fn keys_are_rotated_by_putting_the_new_one_first() {
    let (before, after) = (scene(same, 1, 9), scene(same, 2, 1));
    let old = stored(&before.residency, "p-sealed", "get", "sealed").1.evidence.expect("it stays");
    let new = stored(&after.residency, "p-sealed", "get", "sealed").1.evidence.expect("it stays");
    assert!(after.residency.open(&old).is_ok(), "older keys open");
    assert!(before.residency.open(&new).is_err(), "the first one seals");
}

#[test]
fn what_must_not_be_here_is_taken_out_whoever_sent_it() {
    let scene = scene(same, 1, 2);
    for (probe, target, expected) in [
        ("p-home", "home", Policy::Stays),
        ("p-home", "free", Policy::Stays),
        ("p-free", "home", Policy::Dropped),
        // A region that is configured no more, and a probe that is not.
        ("p-free", "gone", Policy::Dropped),
        ("p-gone", "free", Policy::Dropped),
    ] {
        let (changed, stored) = stored(&scene.residency, probe, "get", target);
        assert!(changed && !has_mark(&stored), "{probe} {target}: {stored:?}");
        let evidence = stored.evidence.expect("it stays");
        assert_eq!(evidence.summary, sentence(FAILED, expected), "{probe} {target}");
        assert_eq!(evidence.withheld, None);
    }
    // A good run has nothing to show; what its redirects say is left out all the same.
    let mut good = report("p-sealed", vec![sample("get", "sealed", Outcome::Ok)]);
    assert!(scene.residency.apply(&mut good));
    assert!(!has_mark(&good.samples[0]) && good.samples[0].evidence.is_none());
}

#[test]
fn what_a_probe_withheld_stays_as_it_is_and_what_it_cannot_say_goes() {
    let scene = scene(same, 1, 2);
    let kept = Some(Withheld::Kept("ab".repeat(32)));
    let sent = |withheld: &Option<Withheld>| {
        let mut sample = sample("get", "home", FAILED);
        Content::take(&mut sample, Policy::Stays, |_| true);
        let evidence = sample.evidence.as_mut().expect("it failed");
        evidence.withheld.clone_from(withheld);
        report("p-home", vec![sample])
    };
    let mut report = sent(&kept);
    assert!(!scene.residency.apply(&mut report), "nothing is left to take");
    assert_eq!(report, sent(&kept));
    for lie in [Withheld::Sealed("AAAA".into()), Withheld::Kept(MARK.into())] {
        let mut report = sent(&Some(lie));
        assert!(scene.residency.apply(&mut report));
        assert_eq!(report, sent(&None));
    }
}

#[test]
fn each_sample_has_a_label_of_its_own() {
    let scene = scene(same, 1, 2);
    let samples = vec![
        sample("get", "free", FAILED),
        sample("get", "sealed", Outcome::Ok),
        sample("get", "sealed", FAILED),
    ];
    let mut report = report("p-sealed", samples);
    assert!(scene.residency.apply(&mut report));
    let labels: Vec<_> = report
        .samples
        .iter()
        .filter_map(|sample| sample.evidence.as_ref())
        .map(|evidence| scene.residency.open(evidence).expect("the key is here").1.expect("sealed").ordinal)
        .collect();
    assert_eq!(labels, [0, 2]);
    // A resend is sealed anew, and is a duplicate all the same.
    let mut again = super::tests::report("p-sealed", vec![sample("get", "free", FAILED)]);
    scene.residency.apply(&mut again);
    assert_ne!(again.samples[0].evidence, report.samples[0].evidence);
}

#[test]
fn any_document_is_revealed() {
    let scene = scene(same, 1, 2);
    let evidence = stored(&scene.residency, "p-sealed", "get", "sealed").1.evidence.expect("it stays");
    let mut document = serde_json::json!({ "items": [{ "id": 1, "evidence": evidence }, { "withheld": { "sealed": "AQ==" } }] });
    let key = EvidenceKey::new([1; 32]);
    let done = reveal(std::slice::from_ref(&key), &mut document);
    assert_eq!((done.opened, done.refused), (1, 1));
    let opened = &document["items"][0]["evidence"]["opened"];
    assert_eq!(opened["content"]["summary"], format!("got {MARK}"));
    assert_eq!(opened["label"]["probe"], "p-sealed");
    assert!(document["items"][1]["error"].as_str().expect("a text").contains("no sealed evidence"));
}

#[test]
fn keys_that_are_missing_are_all_told() {
    let scene = scene(same, 1, 2);
    for name in ["NEW", "OLD"] {
        std::fs::write(scene.folder.path().join(name), "evidence_short").expect("written");
    }
    let document = DOCUMENT.replace("NEW", &scene.folder.path().join("NEW").display().to_string());
    let config = Arc::new(parse(&document, "test.yaml").expect("a good document"));
    let problems = Residency::read(&config, Random::seeded(1)).expect_err("both are wrong");
    let said: Vec<String> = problems.iter().map(|(id, error)| format!("{id}: {error}")).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("sextant secret evidence") && said[1].contains("cannot read"), "{said:?}");
}
