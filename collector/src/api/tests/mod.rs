//! The questions about history, asked of a collector that runs, over HTTP.

mod away;
pub(crate) mod running;
mod wrong;

use crate::history::{
    SeriesKey,
    query::tests::world::{Place, T0, key, row},
};
use running::Running;
use serde_json::{Value, json};
use series::{HOUR_US, Row, kept_start};
use wire::{
    Micros,
    sample::{FailClass, Outcome},
};

/// A run each minute for three hours: of `health` by two probes, one in ten of the second one's times out; and of a
/// check that is not configured any more.
fn history() -> Vec<(SeriesKey, Row)> {
    let mut rows = Vec::new();
    for minute in 0..180 {
        let at = T0 + minute * 60_000_000;
        let ms = 1_000 * (1 + minute as u32 % 10);
        rows.push((key("health", "probe-north", "north", ""), row(at, Outcome::Ok, ms)));
        let outcome = if minute % 10 == 3 { Outcome::Fail(FailClass::Timeout) } else { Outcome::Ok };
        rows.push((key("health", "probe-south", "north", ""), row(at, outcome, 2 * ms)));
        rows.push((key("health", "probe-south", "south", "open"), row(at, Outcome::Ok, 7)));
        rows.push((key("of-old", "probe-gone", "mars-1", ""), row(at, Outcome::Ok, 42)));
    }
    rows
}

fn instant(us: i64) -> String {
    Micros(us).to_string()
}

/// The range of [`history`].
fn range() -> String {
    format!("from={}&to={}", instant(T0), instant(T0 + 3 * HOUR_US))
}

async fn sealed() -> Running {
    let folder = Running::folder();
    let place = Place::open(Running::store(&folder).await).await;
    let logged = place.log(&history());
    place.seal(&logged, true).await;
    place.store.close().await;
    Running::start(folder).await
}

#[tokio::test]
async fn history_is_told_in_buckets_and_groups() {
    let collector = sealed().await;
    let range = range();
    let whole = collector.json(&format!("history?check=health&buckets=3&{range}&quantiles=0.94,0.5")).await;
    assert_eq!((&whole["from"], &whole["to"]), (&json!(instant(T0)), &json!(instant(T0 + 3 * HOUR_US))));
    assert_eq!((&whole["bucket_us"], &whole["series"]), (&json!(HOUR_US), &json!(2)), "{whole}");
    assert_eq!(whole["resolution"], "hourly");
    let group = &whole["groups"][0];
    assert_eq!(group["whole"]["runs"], 360);
    assert_eq!(group["whole"]["failures"], json!({ "timeout": 18 }));
    assert_eq!(group["whole"]["availability"], json!(0.95));
    assert_eq!((&group["whole"]["min_us"], &group["whole"]["max_us"]), (&json!(1_000), &json!(20_000)));
    let near = |value: &Value, exact: f64| {
        let told = value.as_f64().unwrap_or_default();
        assert!((told - exact).abs() <= exact * 0.0055 + 1.0, "{told} instead of {exact}");
    };
    near(&group["whole"]["p99_us"], 20_000.0);
    near(&group["whole"]["quantiles"]["0.5"], 7_000.0);
    near(&group["whole"]["quantiles"]["0.94"], 18_000.0);
    let buckets = group["buckets"].as_array().expect("a list");
    let starts: Vec<&Value> = buckets.iter().map(|bucket| &bucket["at"]).collect();
    assert_eq!(starts, [0, 1, 2].map(|n| json!(instant(T0 + n * HOUR_US))).iter().collect::<Vec<_>>());
    assert!(buckets.iter().all(|bucket| bucket["runs"] == 120), "{buckets:?}");

    let fine = collector.json(&format!("history?service=shop&group=vantage,target&buckets=36&{range}")).await;
    assert_eq!((&fine["resolution"], &fine["bucket_us"]), (&json!("raw"), &json!(300_000_000)));
    let names: Vec<_> = fine["groups"].as_array().expect("a list").iter().map(|g| &g["vantage"]).collect();
    assert_eq!(names, ["north", "south"]);
    assert!(fine["groups"].as_array().is_some_and(|groups| groups.iter().all(|g| g["target"] == "north")));
    assert_eq!(fine["groups"][0]["buckets"][0]["runs"], 5);

    let steps = collector.json(&format!("history?check=health&part=open&buckets=1&{range}")).await;
    assert_eq!(steps["groups"][0]["whole"]["max_us"], 7);
    let parts = collector.json(&format!("history?check=health&group=part&buckets=1&{range}")).await;
    let parts: Vec<_> = parts["groups"].as_array().expect("a list").iter().map(|g| &g["part"]).collect();
    assert_eq!(parts, ["", "open"]);
    let old = collector.json(&format!("history?check=of-old&group=check,probe&buckets=1&{range}")).await;
    assert_eq!(
        (&old["groups"][0]["check"], &old["groups"][0]["whole"]["runs"]),
        (&json!("of-old"), &json!(180))
    );
    let none = collector.json("history?check=from-north").await;
    assert_eq!((&none["series"], &none["groups"]), (&json!(0), &json!([])), "nothing is told, and no zero");
    collector.stop().await;
}

#[tokio::test]
async fn runs_are_listed_newest_first_page_by_page() {
    let collector = sealed().await;
    let ask = format!("samples?check=health&probe=probe-south&target=north&limit=70&{}", range());
    let mut runs: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = collector.json(&format!("{ask}{cursor}")).await;
        runs.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => cursor.clear(),
        }
    }
    assert!(cursor.is_empty() && runs.len() == 180, "{cursor} {}", runs.len());
    for (n, run) in runs.iter().enumerate() {
        let minute = 179 - n as i64;
        assert_eq!(run["at"], json!(instant(T0 + minute * 60_000_000)));
        let failed = minute % 10 == 3;
        assert_eq!(run["outcome"], if failed { json!({ "fail": "timeout" }) } else { json!("ok") });
        assert_eq!(run["total_us"], json!(2_000 * (1 + minute % 10)));
    }
    assert_eq!(runs[0]["phases"], json!({ "wait": 20_000 }));
    assert_eq!((&runs[0]["status"], &runs[0]["trigger"]), (&json!(200), &json!("schedule")));
    collector.stop().await;
}

#[tokio::test]
async fn evidence_is_listed_newest_first_page_by_page() {
    let collector = Running::start(Running::folder()).await;
    // Starts are kept in steps.
    let now = kept_start(Micros(running::now()));
    let sample = |n: i64, target: &str, outcome: Value| {
        json!({
            "check": "health", "target": target, "scheduled": now - n * 100, "started": now - n * 100, "total_us": 2_000_000,
            "outcome": outcome, "slow": outcome == "ok", "status": 503, "address": "192.0.2.1:80",
            "evidence": { "summary": format!("story {n}"), "step": null, "excerpt": "<html>" },
        })
    };
    let samples = vec![
        sample(5, "north", json!({ "fail": "status" })),
        sample(4, "south", json!({ "fail": "timeout" })),
        sample(3, "north", json!("ok")),
        sample(3, "south", json!({ "fail": "status" })),
        json!({ "check": "health", "target": "north", "scheduled": now, "started": now, "total_us": 1, "outcome": "ok" }),
    ];
    collector.report(1, samples).await;
    let stories = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|item| item["summary"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let all = collector.json("evidence").await;
    assert_eq!(stories(&all), ["story 3", "story 3", "story 4", "story 5"]);
    let newest = &all["items"][0];
    assert_eq!((&newest["outcome"], &newest["target"]), (&json!({ "fail": "status" }), &json!("south")));
    assert_eq!((&newest["status"], &newest["excerpt"]), (&json!(503), &json!("<html>")));
    assert_eq!((&newest["at"], &newest["check"]), (&json!(instant(now - 300)), &json!("health")));
    assert_eq!(all["items"][1]["outcome"], "ok");

    assert_eq!(stories(&collector.json("evidence?class=timeout").await), ["story 4"]);
    assert_eq!(stories(&collector.json("evidence?class=slow,timeout").await), ["story 3", "story 4"]);
    assert_eq!(
        stories(&collector.json("evidence?target=north&probe=probe-north").await),
        ["story 3", "story 5"]
    );
    assert_eq!(stories(&collector.json("evidence?check=from-north").await), [""; 0]);
    let before = format!("evidence?from={}&to={}", instant(now - 500), instant(now - 400));
    assert_eq!(stories(&collector.json(&before).await), ["story 5"], "the end is not in it");
    let first = collector.json("evidence?service=shop&limit=2").await;
    let next = first["next_cursor"].as_str().expect("a full page has a cursor").to_owned();
    assert_eq!(stories(&first), ["story 3", "story 3"]);
    let second = collector.json(&format!("evidence?service=shop&limit=2&cursor={next}")).await;
    assert_eq!(stories(&second), ["story 4", "story 5"]);
    collector.stop().await;
}
