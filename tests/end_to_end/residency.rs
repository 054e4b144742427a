//! Where evidence is kept, with real processes: a word that a region's server says in every way it can is looked for
//! in all that the collector and the probes wrote, said and exported. Beside it runs a region whose evidence travels,
//! so that the search is known to find something.

mod place;

use crate::harness::process::sextant;
use place::{FREE, Place, WITHHELD};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use wire::{
    residency::{Residency, UNLISTED, Withheld, sentence},
    sample::Outcome,
};

#[tokio::test]
async fn evidence_that_stays_is_on_the_probe_and_nowhere_else() {
    let mut place = Place::start("evidence: stays").await;
    let series = place.settle().await;
    for series in &series {
        let expected = match (series.probe.as_str(), series.target.to_string().as_str()) {
            ("north", _) => Residency::Stays,
            // The other jurisdiction may not keep what it fetched there.
            (_, "a") => Residency::Dropped,
            _ => {
                assert!(series.summary.contains(FREE), "{}", series.summary);
                continue;
            }
        };
        let summary = series.summary.trim_start_matches("step “use it”: ");
        assert_eq!(summary, sentence(series.outcome, expected), "{} {}", series.probe, series.target);
        if series.check.as_str() == "hop" {
            assert_eq!(series.served_by.as_deref(), Some(UNLISTED));
        }
    }
    place.search(&series, &["collector", "south"]).await;
    place.search_the_rest_of("north");
    let said = std::fs::read_to_string(place.path().join("collector-log.err")).expect("its log");
    assert!(!said.contains("evidence that must not be here was sent"), "the probes themselves withhold it");

    // What the collector has is the hash, and with it the probe's people find the evidence.
    let hashes = place.withheld().await.into_iter().map(|withheld| match withheld {
        Withheld::Kept(hash) => hash,
        Withheld::Sealed(_) => panic!("there is no key"),
    });
    let (hashes, data): (Vec<String>, _) = (hashes.collect(), place.data("north"));
    let kept = place.ask(&["probe", "evidence", "list", "--data", &data]).await;
    assert!(hashes.len() > 1 && hashes.iter().all(|hash| kept.contains(hash)), "{hashes:?}\n{kept}");
    let (mut bodies, mut summaries) = (0, 0);
    for hash in &hashes {
        let shown = place.ask(&["probe", "evidence", "show", hash, "--data", &data]).await;
        let says = |row: &str| {
            shown
                .lines()
                .any(|line| line.starts_with(row) && (line.contains(WITHHELD) || line.contains(FREE)))
        };
        bodies += usize::from(says("body"));
        summaries += usize::from(says("summary"));
    }
    assert_eq!((bodies, summaries), (hashes.len(), hashes.len()), "each shows all that was seen");
    let elsewhere = place.data("south");
    assert_eq!(place.ask(&["probe", "evidence", "list", "--data", &elsewhere]).await, "");
    place.stop().await;
    place.search(&series, &["collector", "south"]).await;
    place.search_the_rest_of("north");
}

#[tokio::test]
async fn evidence_that_is_encrypted_needs_the_key_of_the_region() {
    let mut place = Place::start("evidence: encrypted, evidence_key: { file: a.key }").await;
    let series = place.settle().await;
    for series in series.iter().filter(|series| series.target.to_string() == "a") {
        let summary = series.summary.trim_start_matches("step “use it”: ");
        assert_eq!(summary, sentence(series.outcome, Residency::Encrypted));
        assert!(matches!(series.outcome, Outcome::Fail(_)));
    }
    place.search(&series, &["collector"]).await;
    let document = serde_json::to_vec(&place.withheld().await).expect("JSON");
    let listed: Vec<serde_json::Value> = serde_json::from_slice(&document).expect("JSON");
    let document = serde_json::json!({ "items": listed.iter().map(|withheld| serde_json::json!({ "withheld": withheld })).collect::<Vec<_>>() });
    assert!(listed.len() > 1 && listed.iter().all(|withheld| withheld["sealed"].is_string()), "{document}");

    let open = |key: &str| {
        let (path, document) = (place.path().join(key), document.to_string());
        async move {
            let mut command = sextant();
            command.args(["evidence", "open", "--key-file"]).arg(path).kill_on_drop(true);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            let mut stdin = child.stdin.take().expect("it is piped");
            let feed = async move {
                stdin.write_all(document.as_bytes()).await.expect("it reads");
            };
            let (ended, ()) = tokio::join!(child.wait_with_output(), feed);
            let ended = ended.expect("it ends");
            (ended.status.success(), String::from_utf8(ended.stdout).expect("text"))
        }
    };
    let (opened, text) = open("a.key").await;
    assert!(opened, "{text}");
    let found = text.matches("\"opened\"").count();
    assert_eq!(found, listed.len());
    let excerpts = text.lines().filter(|line| line.contains("\"excerpt\"")).collect::<Vec<_>>();
    assert_eq!(excerpts.len(), found);
    assert!(excerpts.iter().all(|line| line.contains(WITHHELD) || line.contains(FREE)), "{excerpts:?}");
    // Another region's key opens nothing.
    let other = place.ask(&["secret", "evidence"]).await;
    std::fs::write(place.path().join("other.key"), other).expect("written");
    let (opened, text) = open("other.key").await;
    assert!(!opened && !text.contains(WITHHELD) && text.contains("which is not here"), "{text}");
    place.stop().await;
    place.search(&series, &["collector"]).await;
}
