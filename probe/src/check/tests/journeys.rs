//! Journeys of several steps against several servers.

use super::*;
use wire::assignment::{Expect, Journey, Place, Source, Step};

pub(super) fn step(name: &str, request: Request) -> Step {
    Step { name: name.into(), request, ..Step::default() }
}

pub(super) fn expecting(path: &str, json: &str, want: &str) -> Request {
    let expect = Expect { json: [(json.to_owned(), want.to_owned())].into(), ..Expect::default() };
    Request { expect, ..get(path) }
}

pub(super) fn journey(steps: Vec<Step>) -> AssignedCheck {
    check(CheckKind::Journey(Journey { steps, set: Vec::new(), cleanup_us: SECOND }))
}

fn with_regions(mut check: AssignedCheck, regions: &[(&str, &Server)]) -> AssignedCheck {
    check.regions = regions.iter().map(|(id, server)| (id.parse().expect("an id"), server.url())).collect();
    check
}

pub(super) fn captures(pairs: &[(&str, Source)]) -> std::collections::BTreeMap<String, Source> {
    pairs.iter().map(|(name, from)| ((*name).to_owned(), from.clone())).collect()
}

#[tokio::test]
async fn values_and_cookies_travel_to_another_region() {
    let home = Server::saying(answer(
        "201 Created",
        "set-cookie: sid=abc123; Path=/; HttpOnly\r\nx-token: t-9\r\nx-region: eu\r\n",
        r#"{"order":{"id":42}}"#,
    ))
    .await;
    let away = Server::saying(answer("200 OK", "x-region: us\r\n", r#"{"id":42}"#)).await;
    let login = Request {
        method: "POST".into(),
        body: Some(r#"{"run":"{{ run.id }}","at":"{{ region }}"}"#.into()),
        ..get("/login")
    };
    let mut login = step("login", login);
    login.capture = captures(&[
        ("order", Source::Json("$.order.id".into())),
        ("token", Source::Header("X-Token".into())),
    ]);
    let mut read = expecting("/orders/{{ order }}", "$.id", "{{ order }}");
    read.headers.insert("authorization".into(), "Bearer {{ token }}".into());
    let read = Step { place: Place::Other, ..step("read", read) };
    let back = Step { place: Place::Region("eu".parse().expect("an id")), ..step("back", get("/")) };
    let check = with_regions(journey(vec![login, read, back]), &[("eu", &home), ("us", &away)]);

    let found = run_one(&check, home.url()).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    let names: Vec<_> = found.steps.iter().map(|step| (step.name.as_str(), step.attempts)).collect();
    assert_eq!(names, [("login", 1), ("read", 1), ("back", 1)]);
    assert_eq!(found.steps[1].served_by.as_deref(), Some("us"));
    assert_eq!((found.status, found.served_by.as_deref()), (Some(201), Some("eu")));
    assert_eq!(found.phases, Default::default());
    assert!(found.steps.iter().map(|step| step.total_us).sum::<u32>() <= found.total_us);

    let (first, second) = (&home.seen()[0], &away.seen()[0]);
    assert!(first.contains(&format!(r#"{{"run":"{}","at":"eu"}}"#, "ab".repeat(16))), "{first}");
    assert!(second.starts_with("GET /orders/42 "), "{second}");
    assert!(
        second.contains("\r\ncookie: sid=abc123\r\n") && second.contains("\r\nauthorization: Bearer t-9\r\n")
    );
    assert!(first.contains("0000000000000007-01") && second.contains("0000000000000008-01"));
}

#[tokio::test]
async fn a_journey_stops_at_the_first_failure_and_names_it() {
    let server = Server::saying(answer("404 Not Found", "", "no such page")).await;
    let check = journey(vec![step("one", get("/")), step("two", get("/"))]);
    let found = run_one(&check, server.url()).await;
    failed(&found, FailClass::Status, "saw 404");
    assert_eq!((found.steps.len(), server.seen().len()), (1, 1));
    let evidence = found.evidence.expect("a failure");
    assert_eq!(evidence.step.as_deref(), Some("one"));
    assert_eq!(evidence.excerpt.as_deref(), Some("no such page"));
}

#[tokio::test]
async fn a_step_is_repeated_within_its_time() {
    let server = Server::start(|number, _, mut stream| async move {
        let body = if number < 2 { r#"{"seen":false}"# } else { r#"{"seen":true}"# };
        stream.write_all(answer("200 OK", "", body).as_bytes()).await.expect("client reads");
    })
    .await;
    let mut read = step("read", expecting("/", "$.seen", "true"));
    read.within_us = Some(3 * SECOND);
    let found = run_one(&journey(vec![read.clone()]), server.url()).await;
    assert_eq!((found.outcome, found.steps[0].attempts), (Outcome::Ok, 3), "{found:?}");
    assert!(found.steps[0].total_us >= 300_000, "pauses of 100 and 200 ms");

    let stale = Server::saying(answer("200 OK", "", r#"{"seen":false}"#)).await;
    read.within_us = Some(250_000);
    let found = run_one(&journey(vec![read.clone()]), stale.url()).await;
    failed(&found, FailClass::Assertion, "not within 250 ms (2 attempts): expected $.seen");
    assert_eq!(found.steps[0].attempts, 2);

    let dead = Server::start(|number, _, mut stream| async move {
        if number > 0 {
            std::future::pending::<()>().await;
        }
        stream.write_all(answer("200 OK", "", r#"{"seen":false}"#).as_bytes()).await.expect("client reads");
    })
    .await;
    read.within_us = Some(250_000);
    let found = run_one(&journey(vec![read]), dead.url()).await;
    failed(&found, FailClass::Assertion, "not within 250 ms (2 attempts): expected $.seen");
}

#[tokio::test]
async fn the_timeout_cuts_in_the_middle_of_a_request() {
    let server = Server::start(|number, _, mut stream| async move {
        if number > 0 {
            std::future::pending::<()>().await;
        }
        stream.write_all(answer("200 OK", "", "").as_bytes()).await.expect("client reads");
    })
    .await;
    let mut check = journey(vec![step("one", get("/")), step("two", get("/")), step("three", get("/"))]);
    check.timeout_us = 300_000;
    let found = run_one(&check, server.url()).await;
    failed(&found, FailClass::Timeout, "the journey was cut after 300 ms, here in wait");
    assert!((300_000..1_300_000).contains(&found.total_us), "{found:?}");
    assert_eq!(found.steps.len(), 2);
    assert_eq!(found.steps[1].outcome, Outcome::Fail(FailClass::Timeout));
    assert!(found.steps[1].phases.wait.expect("billed") > 50_000);
    assert_eq!(found.evidence.and_then(|evidence| evidence.step).as_deref(), Some("two"));

    // A repeated step cannot outlast the journey either.
    let stale = Server::saying(answer("500 Oops", "", "")).await;
    let mut poll = step("poll", get("/"));
    poll.within_us = Some(60 * SECOND);
    let check = AssignedCheck { timeout_us: 250_000, ..journey(vec![poll]) };
    let found = run_one(&check, stale.url()).await;
    failed(
        &found,
        FailClass::Timeout,
        "the journey was cut after 250 ms, here repeating (2 attempts): expected status",
    );
    assert_eq!(found.steps[0].status, Some(500));

    let hanging = Server::start(|number, _, mut stream| async move {
        if number > 0 {
            std::future::pending::<()>().await;
        }
        stream.write_all(answer("500 Oops", "", "").as_bytes()).await.expect("client reads");
    })
    .await;
    let found = run_one(&check, hanging.url()).await;
    failed(&found, FailClass::Timeout, "here repeating (2 attempts): expected status");
    assert!(found.steps[0].phases.wait.expect("the second request waited") > 50_000, "{found:?}");
}

#[tokio::test]
async fn captured_values_cannot_inject_headers() {
    let server =
        Server::saying(answer("200 OK", "", r#"{"v":"a\r\nEvil: yes\r\n\r\nGET / HTTP/1.1"}"#)).await;
    let mut first = step("first", get("/"));
    first.capture = captures(&[("v", Source::Json("$.v".into()))]);
    let mut header = get("/");
    header.headers.insert("x-v".into(), "{{ v }}".into());
    for request in [header, get("/{{ v }}")] {
        let before = server.seen().len();
        let found = run_one(&journey(vec![first.clone(), step("second", request)]), server.url()).await;
        failed(&found, FailClass::Request, "character");
        assert_eq!(found.evidence.and_then(|evidence| evidence.step).as_deref(), Some("second"));
        assert_eq!(server.seen().len(), before + 1, "the second request was never sent");
    }
}

#[tokio::test]
async fn mistakes_in_a_journey_are_explained() {
    let server = Server::saying(answer("200 OK", "", "{}")).await;
    let mut path = step("s", get("/"));
    path.capture = captures(&[("v", Source::Json("$..[".into()))]);
    let mut missing = path.clone();
    missing.capture = captures(&[("v", Source::Json("$.v".into()))]);
    let other = Step { place: Place::Other, ..step("s", get("/")) };
    let nowhere = Step { place: Place::Region("mars".parse().expect("an id")), ..step("s", get("/")) };
    for (step, class, word) in [
        (step("s", get("/{{ nope }}")), FailClass::Request, "undefined value"),
        (path, FailClass::Request, "JSONPath"),
        (missing, FailClass::Assertion, "nothing to capture as `v`"),
        (other, FailClass::Request, "no other region"),
        (nowhere, FailClass::Request, "region mars"),
    ] {
        failed(&run_one(&journey(vec![step]), server.url()).await, class, word);
    }
    failed(&run_one(&journey(vec![]), server.url()).await, FailClass::Request, "no steps");
}

#[tokio::test]
async fn slow_journeys_name_their_slowest_step() {
    let server = Server::start(|number, _, mut stream| async move {
        pause(if number == 1 { 80 } else { 0 }).await;
        stream.write_all(answer("200 OK", "", "").as_bytes()).await.expect("client reads");
    })
    .await;
    let check = AssignedCheck {
        budget_us: Some(40_000),
        ..journey(vec![step("one", get("/")), step("pay", get("/")), step("three", get("/"))])
    };
    let found = run_one(&check, server.url()).await;
    assert!(found.slow && found.outcome == Outcome::Ok, "{found:?}");
    let evidence = found.evidence.expect("slow");
    assert!(evidence.summary.contains("budget 40 ms (step `pay` "), "{}", evidence.summary);
    assert_eq!(evidence.step.as_deref(), Some("pay"));
}
