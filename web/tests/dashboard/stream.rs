//! The event stream. Time is paused: it moves only when everybody waits.

use crate::stage::{NOW, Stage, outage};
use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use web::BoardError;

/// An open page's stream.
struct Page {
    body: BodyDataStream,
    text: String,
}

/// One event: its name and data.
#[derive(Debug, PartialEq)]
struct Event(String, String);

impl Page {
    async fn open(router: Router) -> Self {
        let request = Request::get("/events").body(Body::empty()).expect("a request");
        let answer = router.oneshot(request).await.expect("routers do not fail");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        Self { body: answer.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines =
                        block.lines().filter_map(|l| l.strip_prefix(name).map(|l| l.trim_start_matches(' ')));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let event = Event(field("event:"), field("data:"));
                self.text = rest.to_owned();
                return Some(event);
            }
            let bytes = self.body.next().await?.expect("a readable stream");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }

    /// The names of the events up to the next pulse, or trouble, which included.
    async fn batch(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            let last = matches!(event.0.as_str(), "pulse" | "trouble");
            events.push(event);
            if last {
                break;
            }
        }
        events
    }
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|e| e.0.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_comes_first_and_then_only_what_changed() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    let first = page.batch().await;
    assert_eq!(
        names(&first),
        ["storage", "posture", "headline", "map", "services", "plan", "timeline", "probes", "mesh", "pulse"]
    );
    assert_eq!(first[8].1, NOW.to_string());

    let mut overview = stage.overview.lock().expect("not poisoned").clone().expect("an overview");
    overview.headline = "Something else.".into();
    stage.show(Ok(overview));
    let second = page.batch().await;
    assert_eq!(names(&second), ["headline", "pulse"]);
    assert!(second[0].1.contains("Something else."));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_reaches_the_page_as_the_fragment_that_the_page_is_made_of() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    page.batch().await;
    stage.show(Ok(outage()));
    let events = page.batch().await;
    let services = events.iter().find(|e| e.0 == "services").expect("services changed");
    assert!(services.1.contains(r#"data-verdict="shop/eu-west" data-state="down""#));
    let plan = events.iter().find(|e| e.0 == "plan").expect("the plan changed");
    assert!(plan.1.contains(r#"data-proof-state="verified" data-generation="12""#));
}

#[tokio::test(start_paused = true)]
async fn passing_time_alone_sends_pulses_and_no_fragments() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    page.batch().await;
    {
        let mut shown = stage.overview.lock().expect("not poisoned");
        let overview = shown.as_mut().expect("an overview");
        overview.now = overview.now.plus_us(2_000_000);
        // Seen from two seconds later, the same evidence is two seconds older.
        for vote in overview.services[0].regions.iter_mut().flat_map(|r| &mut r.verdict.votes) {
            vote.age_us = vote.age_us.map(|us| us + 2_000_000);
        }
        for probe in &mut overview.probes {
            probe.age_us = probe.age_us.map(|us| us + 2_000_000);
        }
    }
    let start = Instant::now();
    assert_eq!(names(&page.batch().await), ["pulse"]);
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_changes_is_drawn_at_most_five_times_a_second() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    page.batch().await;
    let start = Instant::now();
    let busy = tokio::spawn({
        let stage = stage.clone();
        async move {
            for n in 0..1000 {
                let mut overview = outage();
                overview.headline = format!("Change {n}.");
                stage.show(Ok(overview));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut batches = 0;
    loop {
        let events = page.batch().await;
        batches += 1;
        if events.iter().any(|e| e.1.contains("Change 999.")) {
            break;
        }
    }
    busy.await.expect("the writer ends");
    assert!(batches <= 7, "{batches} drawings in {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_and_the_stream_goes_on() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    page.batch().await;
    stage.show(Err(BoardError::new("the store does not answer", "check it")));
    assert_eq!(page.batch().await, [Event("trouble".into(), "the store does not answer; check it".into())]);
    stage.show(Ok(outage()));
    assert!(names(&page.batch().await).contains(&"headline"));
}

#[tokio::test(start_paused = true)]
async fn line_breaks_in_texts_cannot_forge_events() {
    let mut overview = outage();
    overview.services[0].regions[0].verdict.reason = "first\r\nevent: headline\rdata: forged\n\nlast".into();
    let mut page = Page::open(Stage::new(overview).router()).await;
    let first = page.batch().await;
    assert_eq!(names(&first).iter().filter(|n| **n == "headline").count(), 1);
    assert_eq!(first.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_demo_panel_is_part_of_the_stream() {
    let mut page = Page::open(Stage::healthy().demo()).await;
    assert!(names(&page.batch().await).contains(&"demo"));
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_open_streams() {
    let stage = Stage::healthy();
    let mut page = Page::open(stage.router()).await;
    page.batch().await;
    stage.stop.send_replace(true);
    let end = timeout(Duration::from_millis(100), page.next()).await;
    assert_eq!(end.expect("at once"), None);
    let mut late = Page::open(stage.router()).await;
    assert_eq!(late.next().await, None, "a stream opened during shutdown ends as well");
}
