//! Reports that are well formed and meant badly: extreme numbers, and texts that want to be HTML.

use super::place::{Collector, NORTH, Place, SOUTH, batch, now, sample};
use serde_json::{Value, json};

const LOWEST: i64 = i64::MIN;
const HIGHEST: i64 = i64::MAX;

/// A run with extreme times.
fn extreme(outcome: &str, started: i64, scheduled: i64) -> Value {
    let mut sample = sample("health", "north", outcome);
    sample["started"] = json!(started);
    sample["scheduled"] = json!(scheduled);
    sample["total_us"] = json!(u32::MAX);
    sample["bytes"] = json!(u32::MAX);
    sample["slow"] = json!(true);
    sample["phases"] = json!({ "dns": u32::MAX, "connect": u32::MAX, "transfer": u32::MAX });
    sample
}

async fn survives(place: &Place, batches: &[Value]) -> anyhow::Result<()> {
    let mut collector = place.collector().await;
    for batch in batches {
        collector.accept(NORTH, batch).await?;
    }
    collector.still_decides().await?;
    collector.get("/api/v1/overview").await?;
    collector.html().await?;
    // What was taken stays in the log and in the state: the next process must be able to live with it.
    collector.program.kill().await;
    let mut next: Collector = place.collector().await;
    next.still_decides().await?;
    next.get("/api/v1/overview").await?;
    Ok(())
}

#[tokio::test]
async fn extreme_start_times() -> anyhow::Result<()> {
    let mut batches = Vec::new();
    for (started, scheduled) in
        [(LOWEST, HIGHEST), (HIGHEST, LOWEST), (0, 0), (-1, 1), (LOWEST + 1, HIGHEST - 1)]
    {
        for outcome in ["timeout", "ok"] {
            batches.push(batch("probe-north", vec![extreme(outcome, started, scheduled)]));
        }
    }
    survives(&Place::new(), &batches).await
}

#[tokio::test]
async fn extreme_send_times() -> anyhow::Result<()> {
    let mut batches = Vec::new();
    for sent in [LOWEST, HIGHEST, 0, -1, LOWEST + 1, HIGHEST - 1] {
        for started in [LOWEST, HIGHEST, now()] {
            let mut batch = batch("probe-north", vec![extreme("timeout", started, started)]);
            batch["sent"] = json!(sent);
            batches.push(batch);
        }
    }
    survives(&Place::new(), &batches).await
}

#[tokio::test]
async fn extreme_counters() -> anyhow::Result<()> {
    let mut batches = Vec::new();
    for sequence in [LOWEST, -1, 0, HIGHEST] {
        let mut batch = batch("probe-north", vec![extreme("ok", now(), now())]);
        batch["reports"][0]["sequence"] = json!(sequence);
        batch["lost"] = json!(u64::MAX);
        batches.push(batch);
    }
    survives(&Place::new(), &batches).await
}

/// Texts that would run, or break out of an attribute, if a page took them for HTML.
const SCRIPT: &str = "<script>alert('summary')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}\u{202e}\u{0}";

#[tokio::test]
async fn hostile_texts_are_only_texts() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let mut hostile = sample("health", "north", "assertion");
    hostile["evidence"] = json!({ "summary": SCRIPT, "step": SCRIPT, "excerpt": SCRIPT });
    hostile["address"] = json!(SCRIPT);
    hostile["trace_id"] = json!(SCRIPT);
    let mut public = sample("public", "public", "ok");
    public["served_by"] = json!(SCRIPT);
    collector.accept(NORTH, &batch("probe-north", vec![hostile.clone(), public])).await?;
    collector.accept(SOUTH, &batch("probe-south", vec![hostile])).await?;
    let page = collector
        .eventually("the summary on the page", async |collector| {
            let page = collector.html().await?;
            Ok(page.contains("alert(&#").then_some(page))
        })
        .await?;
    // The page's own script is the only one, and it comes from a file.
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains("<script src=\"/assets/"), "{page}");
    assert!(!page.contains("<img src=x"), "{page}");
    let timeline = collector.get("/api/v1/timeline").await?.to_string();
    assert!(timeline.contains("alert('summary')"), "the API tells it as it is: {timeline}");
    collector.still_decides().await
}
