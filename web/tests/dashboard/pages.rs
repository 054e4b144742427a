//! Whole pages and what surrounds them.

use crate::{
    fixture::{self, World},
    stage::{NOW, Stage, get, outage, send},
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use web::BoardError;
use wire::view::{DeliveryState, Overview, ProofState, StorageView, TimelineEntry, TimelineKind};

#[tokio::test]
async fn a_healthy_world_reads_as_such_without_a_script() {
    let page = get(Stage::healthy().router(), "/").await;
    assert_eq!(page.status, StatusCode::OK);
    for expected in [
        r#"<title>healthy: All 3 regions of Shop are healthy. · Sextant</title>"#,
        r#"data-verdict="shop/eu-west" data-state="healthy""#,
        r#"data-proof-state="verified" data-generation="11""#,
        r#"data-delivery="entrance" data-state="acknowledged""#,
        r#"data-automation="on""#,
        r#"data-probe="probe-us-east" data-state="eligible""#,
        "10 min</time>",
    ] {
        assert!(page.text.contains(expected), "{expected}");
    }
    for id in ["headline", "map", "services", "plan", "timeline", "probes", "mesh"] {
        assert!(page.text.contains(&format!(r#"id="{id}""#)), "{id}");
    }
    assert!(!page.text.contains(r#"id="demo""#), "no demo in production");
}

#[tokio::test]
async fn an_outage_shows_the_whole_loop() {
    let page = get(Stage::outage().router(), "/").await.text;
    for expected in [
        r#"data-verdict="shop/eu-west" data-state="down""#,
        r#"data-verdict="shop/us-east" data-state="healthy""#,
        r#"data-proof-state="verified" data-generation="12""#,
        "evacuate eu-west",
        "target eu-west",
        "3 of 3 down",
        "Loop closed: first failure to proof in 4.71 s",
        "timeout after 2.0 s in connect",
        r#"data-vote="down""#,
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    for step in ["samples", "votes", "verdict", "plan", "delivery", "proof"] {
        assert!(page.contains(&format!(r#"data-step="{step}" data-progress="done""#)), "{step}");
    }
}

#[tokio::test]
async fn an_open_loop_says_what_it_waits_for() {
    let mut overview = outage();
    let plan = overview.services[0].plan.as_mut().expect("a plan");
    plan.proof.state = ProofState::Waiting;
    plan.proof.at = None;
    plan.proof.samples = 0;
    plan.deliveries[0].state = DeliveryState::Pending;
    plan.deliveries[0].acknowledged = None;
    let page = get(Stage::new(overview).router(), "/").await.text;
    assert!(page.contains(r#"data-step="delivery" data-progress="active""#));
    assert!(page.contains(r#"data-step="proof" data-progress="waiting""#));
    assert!(page.contains("Loop open for"));
    assert!(page.contains(r#"data-delivery="entrance" data-state="pending""#));
}

#[tokio::test]
async fn the_loop_begins_with_the_oldest_suspicion_of_the_same_outage() {
    let mut overview = outage();
    let position =
        overview.timeline.iter().position(|e| e.kind == TimelineKind::Suspicion).expect("a suspicion");
    let first = overview.timeline[position].clone();
    let at = |seconds: i64, kind| TimelineEntry {
        at: first.at.plus_us(-seconds * 1_000_000),
        kind,
        id: first.id - 100 - seconds,
        ..first.clone()
    };
    let older =
        [at(1, TimelineKind::Suspicion), at(20, TimelineKind::Recovery), at(30, TimelineKind::Suspicion)];
    overview.timeline.splice(position + 1..position + 1, older);
    let page = get(Stage::new(overview).router(), "/").await.text;
    assert!(
        page.contains("first failure to proof in 5.71 s"),
        "one second more than from the second suspicion"
    );
}

#[tokio::test]
async fn a_step_back_counts_from_its_plan_and_tells_when_the_region_recovered() {
    let page = get(Stage::new(fixture::step_back(NOW, true)).router(), "/").await.text;
    assert!(page.contains("fail back eu-west to 25 %"));
    assert!(page.contains("Step back proved in 2.50 s"), "from the plan to the proof");
    for step in ["recovery", "plan", "delivery", "proof"] {
        assert!(page.contains(&format!(r#"data-step="{step}" data-progress="done""#)), "{step}");
    }
    for other in ["samples", "votes", "verdict"] {
        assert!(!page.contains(&format!(r#"data-step="{other}""#)), "{other} led to the plan before");
    }
    assert!(page.contains("56 s before") && page.contains("eu-west answers again"));

    let page = get(Stage::new(fixture::step_back(NOW, false)).router(), "/").await.text;
    assert!(page.contains("Step back under way for") && page.contains(">4 s</time></p>"), "since its plan");
}

#[tokio::test]
async fn a_region_without_a_service_has_no_state() {
    let page = get(Stage::new(fixture::step_back(NOW, true)).router(), "/").await.text;
    assert!(page.contains("Oregon, no service here"));
    assert!(!page.contains("Oregon unknown"));
}

#[tokio::test]
async fn a_long_timeline_leads_to_the_older_entries() {
    let mut overview = outage();
    assert!(!get(Stage::new(overview.clone()).router(), "/").await.text.contains("Older entries"));
    let model = overview.timeline[0].clone();
    overview.timeline = (1..=40).rev().map(|id| TimelineEntry { id, ..model.clone() }).collect();
    let page = get(Stage::new(overview).router(), "/").await.text;
    assert!(page.contains(r#"id="t-40""#) && page.contains(r#"id="t-11""#) && !page.contains(r#"id="t-10""#));
    assert!(page.contains(r#"Older entries: <a href="/api/v1/timeline?cursor=11">"#));
}

#[tokio::test]
async fn a_long_vote_can_be_opened_and_a_short_one_is_told_at_once() {
    let page = get(Stage::outage().router(), "/").await.text;
    assert!(page.contains("<p>timeout after 2.0 s in connect</p></details>"));
    let page = get(Stage::new(fixture::step_back(NOW, true)).router(), "/").await.text;
    assert!(page.contains("ago · ok</small>"));
}

#[tokio::test]
async fn what_was_held_back_since_the_plan_is_shown_with_it() {
    let mut overview = outage();
    let newest = overview.timeline[0].clone();
    let held = TimelineEntry {
        id: newest.id + 1,
        kind: TimelineKind::Held,
        title: "capacity refused a plan".into(),
        detail: "us-east would reach 130 %.".into(),
        ..newest
    };
    overview.timeline.insert(0, held);
    let plan_part = |page: &str| {
        let start = page.find(r#"id="plan-shop""#).expect("a plan card");
        let end = page.find(r#"id="timeline-title""#).expect("the timeline after it");
        page[start..end].to_owned()
    };
    let page = get(Stage::new(overview).router(), "/").await.text;
    assert!(plan_part(&page).contains("us-east would reach 130 %."));
}

#[tokio::test]
async fn a_silent_probe_is_unknown_and_not_down() {
    let silent = fixture::overview(NOW, World { broken_at: None, silent: true });
    let page = get(Stage::new(silent).router(), "/").await.text;
    assert!(page.contains(r#"data-probe="probe-ap-south" data-state="silent""#));
    assert!(page.contains(r#"data-vote="unknown""#));
    assert!(!page.contains(r#"data-vote="down""#));
    assert!(!page.contains(r#"data-state="down""#));
}

#[tokio::test]
async fn an_empty_world_says_what_to_do() {
    let empty = Overview {
        regions: Vec::new(),
        services: Vec::new(),
        probes: Vec::new(),
        mesh: Vec::new(),
        timeline: Vec::new(),
        ..outage()
    };
    let page = get(Stage::new(empty).router(), "/").await.text;
    for expected in [
        "No probe has reported",
        "sextant probe",
        "No plan yet",
        "No service is configured",
        "Nothing has happened",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[tokio::test]
async fn storage_that_fails_is_told_on_top() {
    let page = get(Stage::new(outage()).router(), "/").await.text;
    assert!(!page.contains("data-storage"), "nothing to tell");
    let what = "The disk is full & nothing is stored.".to_owned();
    let full = Overview { degraded: Some(StorageView { since: NOW, what }), ..outage() };
    let page = get(Stage::new(full).router(), "/").await.text;
    let banner = page.find(r#"data-storage="degraded""#).expect("the banner");
    assert!(banner < page.find("<main").expect("the rest"), "above everything else");
    assert!(page.contains("The disk is full &#38; nothing is stored."), "escaped, as it was told");
}

#[tokio::test]
async fn texts_from_outside_are_escaped() {
    const HOSTILE: &str = r#"<script>alert("x")</script>'"#;
    let mut overview = outage();
    overview.headline = HOSTILE.into();
    overview.regions[0].name = HOSTILE.into();
    let service = &mut overview.services[0];
    service.name = HOSTILE.into();
    service.public_url = Some(format!("javascript:{HOSTILE}"));
    let region = &mut service.regions[0];
    region.url = HOSTILE.into();
    region.verdict.reason = HOSTILE.into();
    region.verdict.located = HOSTILE.into();
    region.verdict.votes[0].detail = HOSTILE.into();
    let plan = service.plan.as_mut().expect("a plan");
    plan.plan.reason = HOSTILE.into();
    plan.guards[0].name = HOSTILE.into();
    plan.guards[0].detail = HOSTILE.into();
    plan.deliveries[0].last_error = HOSTILE.into();
    plan.deliveries[0].id = HOSTILE.into();
    plan.proof.detail = HOSTILE.into();
    overview.timeline[0].title = HOSTILE.into();
    overview.timeline[0].detail = HOSTILE.into();
    let stage = Stage::new(overview);
    for page in [get(stage.router(), "/").await, get(stage.demo(), "/").await] {
        assert!(!page.text.contains("<script>"), "only our own script element, which has attributes");
        assert!(!page.text.contains("href=\"javascript:"));
        assert!(page.text.contains("&#60;script&#62;"));
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let stage = Stage::healthy();
    for path in ["/", "/nowhere", "/assets/nothing.css"] {
        let answer = get(stage.router(), path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn pages_need_nothing_inline_and_nothing_from_elsewhere() {
    let page = get(Stage::outage().demo(), "/").await.text;
    for forbidden in
        [" style=", "<style", " onclick", " onload", "src=\"http", "<link rel=\"stylesheet\" href=\"http"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn assets_have_hashed_names_and_may_be_kept_for_ever() {
    let stage = Stage::healthy();
    let page = get(stage.router(), "/").await.text;
    let paths: Vec<_> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(paths.len() >= 4, "{paths:?}");
    for path in paths {
        let asset = get(stage.router(), path).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        assert!(!asset.text.is_empty());
    }
    assert_eq!(get(stage.router(), "/assets/sextant.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_paths_lead_back() {
    let answer = get(Stage::healthy().router(), "/no/such/page").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text.contains(r#"<a href="/">"#));
}

#[tokio::test]
async fn a_board_without_an_answer_gives_a_page_that_retries() {
    let stage = Stage::healthy();
    stage.show(Err(BoardError::new("the <store> does not answer", "check the database")));
    let answer = get(stage.router(), "/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("refresh"), "3");
    assert_eq!(answer.header("retry-after"), "3");
    assert!(answer.text.contains("the &#60;store&#62; does not answer"));
    assert!(answer.text.contains("check the database"));
}

#[tokio::test]
async fn posting_to_a_page_is_refused_with_a_page() {
    let request = Request::post("/").body(Body::empty()).expect("a request");
    let answer = send(Stage::healthy().router(), request).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.text.contains(r#"<a href="/">"#));
}

/// A window of the mesh; `more` are fields of its JSON.
fn window(from: &str, to: &str, method: &str, answered: u32, more: &str) -> wire::mesh::MeshWindow {
    let text = format!(
        r#"{{"ssid": 7, "from": "{from}", "from_region": "a", "to": "{to}", "to_region": "b", "method": "{method}",
            "started": {}, "ended": {}, "timeout_us": 3000000, "sent": 600, "answered": {answered},
            "loss": {{"lost": {}, "of": 600, "low": 0.0, "high": 1.0}}{more}}}"#,
        NOW.plus_us(-65_000_000).0,
        NOW.plus_us(-5_000_000).0,
        600 - answered,
    );
    serde_json::from_str(&text).expect("a window")
}

#[tokio::test]
async fn the_network_between_probes_is_shown_in_both_directions() {
    let rtt =
        r#", "rtt": {"min_ns": 40000000, "p50_ns": 43120000, "p90_ns": 1, "p99_ns": 1, "max_ns": 90000000}"#;
    let way = |lost: u32, one_way: &str| {
        format!(
            r#"{{"loss": {{"lost": {lost}, "of": 600, "low": 0.01, "high": 0.02}}, "variation": {{"p50_ns": 1, "p95_ns": 2,
                "p99_ns": 1700000, "p999_ns": 4, "jitter_ns": 250000}}{one_way}}}"#
        )
    };
    let bound = r#", "one_way": {"lower_ns": -1000000, "estimate_ns": 20000000, "upper_ns": 41000000}"#;
    let full = format!(r#"{rtt}, "forward": {}, "reverse": {}"#, way(0, bound), way(9, ""));
    let mut overview = outage();
    overview.mesh = vec![
        window("north-1", "south-1", "stamp", 591, &full),
        window("north-1", "west-1", "stamp", 0, ""),
        window("north-1", "west-1", "tcp", 600, rtt),
        window("south-1", "west-1", "stamp", 0, ""),
    ];
    let page = get(Stage::new(overview).router(), "/").await.text;
    // There: nothing lost, so the slowest are told; the way back: loss.
    assert!(
        page.contains(r#"data-loss="none""#) && page.contains("43.1 ms<small>+1.70 ms</small>"),
        "{page}"
    );
    assert!(page.contains(r#"data-loss="heavy""#) && page.contains("43.1 ms<small>1.5 % lost</small>"));
    assert!(page.contains("One way between −1.00 ms and 41.0 ms."));
    assert!(page.contains("One-way delay unknown"));
    assert!(page.contains("43.1 ms<small>by TCP</small>"), "a stand-in is named");
    assert!(
        page.contains(r#"data-loss="lost""#) && page.contains("600 packets sent by STAMP, none answered")
    );
    let cells = page.matches("data-loss=").count();
    assert_eq!(cells, 6, "every direction of three pairs");

    let page = get(Stage::new(outage()).router(), "/").await.text;
    assert!(page.contains("No window has arrived yet"));
}
