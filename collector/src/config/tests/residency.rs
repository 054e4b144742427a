//! Where evidence may be kept: what a document says, and what follows from it for each series.

use super::{bad, good};
use crate::config::{
    Config, ResidencyRule, SecretSource, assignment, residency, residency_of_stranger, warnings,
};
use wire::{RegionId, assignment::Target, residency::Residency};

/// Regions `eu`, `eu2`, `us` and `ch`, a probe in each, a service in each, and a check of everything from everywhere.
fn document(eu: &str, eu2: &str, us: &str, ch: &str) -> String {
    let regions = [("eu", eu), ("eu2", eu2), ("us", us), ("ch", ch)];
    let section = |line: &dyn Fn(&str, &str) -> String| -> String {
        regions.iter().map(|(id, more)| format!("  {id}: {}\n", line(id, more))).collect()
    };
    format!(
        "version: 1\nregions:\n{}probes:\n{}services:\n  shop:\n    public: http://shop\n    regions: {{eu: \
         http://eu, eu2: http://eu2, us: http://us, ch: http://ch}}\nchecks:\n  get: {{service: shop, http: }}\n  \
         door: {{service: shop, http: , to: public}}\n  tour: {{service: shop, to: us, journey: {{steps: [{{name: a, \
         get: /}}, {{name: b, in: ch, get: /}}]}}}}\n  other: {{service: shop, to: us, journey: {{steps: [{{name: a, in: \
         other, get: /}}]}}}}\n",
        section(&|_, more| format!("{{{more}}}")),
        section(&|id, _| format!("{{region: {id}, token: {{env: T_{id}}}}}"))
            .replace("  eu:", "  p-eu:")
            .replace("  eu2:", "  p-eu2:")
            .replace("  us:", "  p-us:")
            .replace("  ch:", "  p-ch:"),
    )
}

fn id(text: &str) -> RegionId {
    text.parse().expect("an id")
}

fn rule(config: &Config, from: &str, check: &str, to: &str) -> ResidencyRule {
    let target: Target = to.parse().expect("a target");
    residency(config, &id(from), &config.checks[&check.parse().expect("an id")], &target)
}

fn keep(config: &Config, from: &str, check: &str, to: &str) -> Residency {
    rule(config, from, check, to).residency
}

const KEY: &str = "evidence: encrypted, evidence_key: {env: K1}";
const KEY2: &str = "evidence: encrypted, evidence_key: [{env: K2}, {file: old.key}]";

#[test]
fn evidence_travels_unless_somebody_says_otherwise() {
    let config = good(&document("", "", "", ""));
    let region = &config.regions[&id("eu")];
    assert_eq!((region.evidence, region.jurisdiction.as_str()), (Residency::Travels, "eu"));
    for (check, to) in [("get", "us"), ("door", "public"), ("tour", "us")] {
        assert_eq!(rule(&config, "eu", check, to), ResidencyRule::default());
    }
    let assigned = assignment(&config, 1, &"p-eu".parse().expect("an id")).expect("is configured");
    assert!(assigned.checks.iter().all(|check| check.places.listed.is_empty()));
}

#[test]
fn the_strictest_of_vantage_and_target_holds() {
    let config = good(&document("evidence: stays", "", KEY, "evidence: travels"));
    for (from, to, expected) in [
        ("eu", "eu", Residency::Stays),
        ("eu", "us", Residency::Stays),
        ("us", "us", Residency::Encrypted),
        ("us", "ch", Residency::Encrypted),
        ("ch", "us", Residency::Encrypted),
        ("ch", "ch", Residency::Travels),
        // What was fetched there must not be stored here.
        ("us", "eu", Residency::Dropped),
        ("eu2", "eu", Residency::Dropped),
    ] {
        assert_eq!(keep(&config, from, "get", to), expected, "{from} to {to}");
    }
    // The public entrance has no region of its own.
    for (from, expected) in
        [("eu", Residency::Stays), ("us", Residency::Encrypted), ("ch", Residency::Travels)]
    {
        assert_eq!(keep(&config, from, "door", "public"), expected, "{from}");
    }
}

#[test]
fn probes_of_one_jurisdiction_keep_each_others_evidence() {
    let config =
        good(&document("evidence: stays, jurisdiction: EU", "jurisdiction: EU", "evidence: stays", ""));
    assert_eq!(keep(&config, "eu2", "get", "eu"), Residency::Stays);
    assert_eq!(keep(&config, "us", "get", "eu"), Residency::Dropped);
    assert_eq!(keep(&config, "eu2", "get", "ch"), Residency::Travels);
}

#[test]
fn a_journey_counts_every_region_that_it_goes_to() {
    let config = good(&document("", "", "", "evidence: stays"));
    assert_eq!(keep(&config, "eu", "get", "us"), Residency::Travels);
    assert_eq!(keep(&config, "eu", "tour", "us"), Residency::Dropped);
    assert_eq!(keep(&config, "ch", "tour", "us"), Residency::Stays);
    // The first other region of `us` is `ch`, in the order of ids.
    assert_eq!(keep(&config, "eu", "other", "us"), Residency::Dropped);
}

#[test]
fn the_key_is_the_targets_before_the_vantages() {
    let config = good(&document(KEY, "", KEY2, ""));
    let of = |from: &str, check: &str, to: &str| rule(&config, from, check, to).key_of;
    assert_eq!(of("eu", "get", "us"), Some(id("us")));
    assert_eq!(of("us", "get", "eu"), Some(id("eu")));
    assert_eq!(of("us", "get", "ch"), Some(id("us")));
    assert_eq!(of("us", "door", "public"), Some(id("us")));
    let keys = &config.regions[&id("us")].evidence_keys;
    assert_eq!(keys, &[SecretSource::Env("K2".into()), SecretSource::File("old.key".into())]);
}

#[test]
fn of_what_is_configured_no_more_the_strictest_is_believed() {
    let config = good(&document("evidence: stays", "", "", ""));
    let of = |from: &str, to: &str| {
        residency_of_stranger(&config, &id(from), &to.parse().expect("a target")).residency
    };
    assert_eq!(of("us", "eu"), Residency::Dropped);
    assert_eq!(of("us", "gone"), Residency::Dropped);
    assert_eq!(of("us", "ch"), Residency::Travels);
    let free = good(&document("", "", "", ""));
    let gone = residency_of_stranger(&free, &id("us"), &"gone".parse().expect("a target"));
    assert_eq!(gone.residency, Residency::Travels);
}

#[test]
fn a_probe_is_told_for_each_endpoint() {
    let config = good(&document("evidence: stays", "", KEY, ""));
    let assigned = assignment(&config, 1, &"p-us".parse().expect("an id")).expect("is configured");
    let get = assigned.checks.iter().find(|check| check.id.as_str() == "get").expect("it is its check");
    let told: Vec<_> = get.endpoints.iter().map(|e| (e.target.to_string(), e.evidence)).collect();
    let all = Residency::Encrypted;
    let expected = [("ch", all), ("eu", Residency::Dropped), ("eu2", all), ("us", all)];
    assert_eq!(told, expected.map(|(id, residency)| (id.to_owned(), residency)));
    assert_eq!(get.places.listed.len(), 4);
}

#[test]
fn what_is_wrong_is_said() {
    let long = format!(
        "evidence_key: [{}]",
        (0..17).map(|n| format!("{{env: K{n}}}")).collect::<Vec<_>>().join(", ")
    );
    for (eu, says) in [
        ("evidence: stay", "expected `travels`, `encrypted` or `stays`, found \"stay\""),
        ("evidence: dropped", "expected `travels`, `encrypted` or `stays`"),
        ("evidence: encrypted", "needs a key"),
        ("evidence: encrypted, evidence_key: evidence_c2VjcmV0", "secrets do not belong"),
        ("evidence: encrypted, evidence_key: [{env: K}, {env: K}]", "stands in this list already"),
        ("evidence: encrypted, evidence_key: []", "one key, or a list of 1 to 16"),
        (&long, "one key, or a list of 1 to 16"),
        ("jurisdiction: ''", "jurisdiction"),
        ("residency: stays", "unknown key `residency`"),
    ] {
        let problems = bad(&document(eu, "", "", "")).join("\n");
        assert!(problems.contains(says), "{eu}: {problems}");
        assert!(!problems.contains("c2VjcmV0"), "{problems}");
    }
}

#[test]
fn what_will_disappoint_is_warned_of() {
    let warned = |eu: &str, text: &str| {
        let document = document(eu, "", "", "");
        let document = document.replace("get: {service: shop", "get: {service: shop, from: p-us");
        let warnings = warnings(&good(&document));
        warnings.iter().any(|warning| warning.starts_with("regions.eu: ") && warning.contains(text))
    };
    assert!(warned("evidence_key: {env: K}", "is not encrypted"));
    assert!(!warned(KEY, "encrypted") && !warned("evidence: stays, evidence_key: {env: K}", "encrypted"));
    assert!(warned("evidence: stays", "kept nowhere"));
    assert!(!warned("evidence: stays, jurisdiction: us", "kept nowhere"));
}
