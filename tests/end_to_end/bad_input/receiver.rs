//! A receiver that cannot be told: the collector goes on, keeps the plan, and says what to check.

use super::place::{NORTH, Place, SOUTH, batch, sample};
use serde_json::Value;

#[tokio::test]
async fn an_unreachable_receiver_is_explained_and_tried_again() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    for (token, probe) in [(NORTH, "probe-north"), (SOUTH, "probe-south")] {
        let samples = vec![sample("health", "north", "ok"), sample("health", "south", "ok")];
        collector.accept(token, &batch(probe, samples)).await?;
    }
    let plan: Value = collector
        .eventually("second attempt", async |collector| {
            let service = collector.get("/api/v1/services/shop").await?;
            let plan = service["plan"].clone();
            Ok((plan["deliveries"][0]["attempts"].as_i64() >= Some(2)).then_some(plan))
        })
        .await?;
    let delivery = &plan["deliveries"][0];
    assert_eq!(delivery["state"], "pending", "{plan}");
    assert!(delivery["next_attempt"].is_string() && delivery["acknowledged"].is_null(), "{plan}");
    let error = delivery["last_error"].as_str().unwrap_or_default();
    for word in ["http://127.0.0.1:1/steer", "cannot be reached", "refused", "check that the receiver runs"] {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
    assert_eq!((&plan["generation"], &plan["proof"]["state"]), (&1.into(), &"waiting".into()), "{plan}");

    let told = collector
        .eventually("word in the timeline", async |collector| {
            let timeline = collector.get("/api/v1/timeline").await?;
            let entries = timeline["items"].as_array().cloned().unwrap_or_default();
            Ok(entries.into_iter().find(|entry| entry["kind"] == "delivery"))
        })
        .await?;
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(told["title"] == "entrance cannot be told" && detail.contains("tried again"), "{told}");
    let page = collector.html().await?;
    assert!(page.contains("cannot be reached") && page.contains("data-state=\"pending\""), "{page}");
    collector.still_decides().await
}
