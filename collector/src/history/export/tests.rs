//! Exports beside a collector that runs, after it has stopped, and with some of the runs sealed.

use super::{Export, HOUR_US, Rollup, Row, Selector, SeriesKey};
use crate::{
    api::tests::running::{Running, now},
    history::query::selector::Part,
    store::{Place, Store},
};
use serde_json::{Value, json};
use series::kept_start;
use std::{collections::BTreeMap, ops::Range};
use wire::{Micros, sample::Outcome};

/// Runs, each 97 s before the other, up to `until`; one in seven failed, one in five was slow.
fn samples(until: i64, count: i64) -> Vec<Value> {
    let one = |n: i64| {
        let at = kept_start(Micros(until)) - n * 97_000_000;
        let outcome = if n % 7 == 3 { json!({ "fail": "tls" }) } else { json!("ok") };
        let target = if n % 2 == 0 { "north" } else { "south" };
        json!({
            "check": "health", "target": target, "scheduled": at - 500, "started": at, "total_us": 1_000 + n,
            "outcome": outcome, "slow": n % 5 == 0 && outcome == "ok", "status": 200, "phases": { "wait": 900 + n },
            "evidence": { "summary": format!("run {n}"), "step": null, "excerpt": null },
        })
    };
    (0..count).map(one).collect()
}

/// What of a run is compared: start, target, outcome, time.
type Run = (i64, String, bool, u32);

fn expected(samples: &[Value], range: &Range<i64>) -> Vec<Run> {
    let number = |value: &Value| value.as_i64().expect("a number");
    let run = |sample: &Value| {
        let target = sample["target"].as_str().expect("a text").to_owned();
        let total = u32::try_from(number(&sample["total_us"])).expect("small");
        (number(&sample["started"]), target, sample["outcome"] == "ok", total)
    };
    let mut runs: Vec<Run> = samples.iter().map(run).filter(|(at, ..)| range.contains(at)).collect();
    runs.sort();
    runs
}

async fn export(place: &Place, range: &Range<i64>, targets: &[&str]) -> Export {
    let store = Store::read_only(place).await.expect("it is there");
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    Export {
        store,
        selector: Selector { targets, part: Part::Every, ..Selector::default() },
        range: range.clone(),
    }
}

async fn runs(export: &Export) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let take = |key: &SeriesKey, row: &Row| {
        assert_eq!(
            (key.check.as_str(), key.probe.as_str(), key.part.as_str()),
            ("health", "probe-north", "")
        );
        assert_eq!((row.delay_us, row.status), (500, Some(200)));
        found.push((row.at, key.target.clone(), row.outcome == Outcome::Ok, row.total_us));
        Ok(())
    };
    let exported = export.samples(take).await.expect("exported");
    assert_eq!((exported.rows, exported.damaged), (found.len() as u64, 0));
    found.sort();
    found
}

async fn hours(export: &Export) -> BTreeMap<(String, i64), Rollup> {
    let mut found = BTreeMap::new();
    let take = |key: &SeriesKey, hour: i64, rollup: &Rollup| {
        let twice = found.insert((key.target.clone(), hour), rollup.clone());
        assert!(twice.is_none(), "an hour comes once");
        Ok(())
    };
    export.rollups(take).await.expect("exported");
    found
}

async fn compare(place: &Place, samples: &[Value], range: &Range<i64>) {
    let whole = export(place, range, &[]).await;
    assert_eq!(runs(&whole).await, expected(samples, range));
    let hours = hours(&whole).await;
    let next_hour = |at: i64| (at + HOUR_US - 1).div_euclid(HOUR_US) * HOUR_US;
    let whole_hours = next_hour(range.start)..next_hour(range.end);
    for ((target, hour), rollup) in &hours {
        let of = expected(samples, &(hour * HOUR_US..(hour + 1) * HOUR_US));
        let of: Vec<&Run> = of.iter().filter(|(_, of, ..)| of == target).collect();
        assert_eq!(rollup.runs(), of.len() as u64, "{target} {hour}");
        assert_eq!(rollup.ok, of.iter().filter(|(_, _, ok, _)| *ok).count() as u64);
        let times = of.iter().filter(|(_, _, ok, _)| *ok).map(|(.., us)| *us);
        assert_eq!((rollup.min_us, rollup.max_us), (times.clone().min(), times.max()));
    }
    let sum: u64 = hours.values().map(Rollup::runs).sum();
    assert_eq!(sum, expected(samples, &whole_hours).len() as u64);

    let mut stories: Vec<(i64, String)> = Vec::new();
    let take = |evidence: &crate::store::StoredEvidence| {
        stories.push((evidence.at, evidence.summary.clone()));
        Ok(())
    };
    whole.evidence(take).await.expect("exported");
    assert!(stories.is_sorted(), "oldest first");
    let told = |sample: &&Value| sample["outcome"] != "ok" || sample["slow"] == true;
    let told: Vec<Value> = samples.iter().filter(told).cloned().collect();
    assert_eq!(stories.len(), expected(&told, range).len());
    whole.store.close().await;

    let south = export(place, range, &["south"]).await;
    let expected: Vec<Run> = expected(samples, range).into_iter().filter(|run| run.1 == "south").collect();
    assert_eq!(runs(&south).await, expected);
    south.store.close().await;
}

#[tokio::test]
async fn every_run_is_exported_once_wherever_it_is() {
    let until = now() - 1_000_000;
    let mut sent = samples(until - 3 * HOUR_US, 300);
    // Across midnight, from within an hour to the end.
    let range = until - 20 * HOUR_US..until + 1;
    // Ends within an hour that goes on.
    let shorter = until - 6 * HOUR_US..until - 40 * 60_000_000;
    let collector = Running::start(Running::folder()).await;
    collector.report(1, sent.clone()).await;
    compare(&collector.place(), &sent, &range).await;
    compare(&collector.place(), &sent, &shorter).await;

    // It seals when it stops.
    let place = collector.place();
    let folder = collector.stop().await;
    compare(&place, &sent, &range).await;
    compare(&place, &sent, &shorter).await;

    let collector = Running::start(folder).await;
    let more = samples(until, 100);
    collector.report(2, more.clone()).await;
    sent.extend(more);
    compare(&collector.place(), &sent, &range).await;
    compare(&collector.place(), &sent, &shorter).await;
    collector.stop().await;
}

#[tokio::test]
async fn nothing_is_made_where_nothing_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("sextant.db");
    let error = Store::read_only(&Place::Sqlite(file.clone())).await.map(drop).expect_err("nothing is there");
    assert!(error.to_string().contains("sextant.db"), "{error}");
    assert!(!file.exists());
}
