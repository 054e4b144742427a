//! Journeys that decide, wait, and clean up after themselves.

use super::{
    journeys::{captures, expecting, journey, step},
    *,
};
use wire::assignment::{Expect, Must, Place, Rule, Source, Step, When};

fn always(name: &str, path: &str) -> Step {
    Step { when: When::Always, ..step(name, Request { method: "DELETE".into(), ..get(path) }) }
}

fn names(found: &Measured) -> Vec<(&str, bool)> {
    found.steps.iter().map(|step| (step.name.as_str(), step.outcome == Outcome::Ok)).collect()
}

/// Answers 500 to GET /bad, hangs at GET /hang, and says yes to the rest.
async fn moody() -> Server {
    Server::start(|_, request, mut stream| async move {
        if request.starts_with("GET /hang") {
            std::future::pending::<()>().await;
        }
        let bad = request.starts_with("GET /bad") || request.starts_with("DELETE /bad");
        let status = if bad { "500 Oops" } else { "200 OK" };
        let body = r#"{"id":"x7","plan":"gold"}"#;
        let _gone = stream.write_all(answer(status, "", body).as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn clean_up_runs_after_a_failure_and_does_not_hide_it() {
    let server = moody().await;
    let mut create = step("create", get("/"));
    create.capture = captures(&[("id", Source::Json("$.id".into()))]);
    let failed_only = Step { when: When::Failed, ..step("report", get("/report")) };
    let steps = vec![
        create,
        step("bad", get("/bad")),
        step("never", get("/")),
        failed_only.clone(),
        always("drop", "/things/{{ id }}"),
        always("drop two", "/bad"),
        always("nothing to drop", "/{{ never_captured }}"),
    ];
    let found = run_one(&journey(steps), server.url()).await;
    assert_eq!(
        names(&found),
        [("create", true), ("bad", false), ("report", true), ("drop", true), ("drop two", false)]
    );
    failed(
        &found,
        FailClass::Status,
        "expected status 200 to 399, saw 500 Internal Server Error; step `drop two`",
    );
    assert_eq!(found.evidence.as_ref().and_then(|e| e.step.as_deref()), Some("bad"));
    assert_eq!(found.status, Some(500));
    assert!(server.seen()[3].starts_with("DELETE /things/x7 "), "{:?}", server.seen());

    let well = vec![step("one", get("/")), failed_only, always("drop", "/")];
    let found = run_one(&journey(well), server.url()).await;
    assert_eq!((found.outcome, names(&found)), (Outcome::Ok, vec![("one", true), ("drop", true)]));
    let alone = vec![step("one", get("/")), always("drop", "/bad")];
    let found = run_one(&journey(alone), server.url()).await;
    failed(&found, FailClass::Status, "saw 500");
    assert_eq!(found.evidence.and_then(|e| e.step).as_deref(), Some("drop"));
}

#[tokio::test]
async fn clean_up_has_time_of_its_own() {
    let server = moody().await;
    let steps = vec![step("hang", get("/hang")), always("drop", "/"), always("hang too", "/")];
    let mut check = journey(steps);
    check.timeout_us = 200_000;
    let found = run_one(&check, server.url()).await;
    failed(&found, FailClass::Timeout, "the journey was cut after 200 ms, here in wait");
    assert_eq!(names(&found), [("hang", false), ("drop", true), ("hang too", true)]);
    let clean: u32 = found.steps[1..].iter().map(|step| step.total_us).sum();
    assert!(found.total_us >= 200_000 && clean > 0);

    // That time ends too.
    let endless = Step { when: When::Always, ..step("hang too", get("/hang")) };
    let CheckKind::Journey(journey) = &mut check.kind else { unreachable!("is one") };
    journey.cleanup_us = 100_000;
    journey.steps = vec![step("hang", get("/hang")), endless.clone(), endless];
    let found = run_one(&check, server.url()).await;
    let summary = found.evidence.expect("failed").summary;
    assert!(summary.starts_with("the journey was cut after 200 ms"), "{summary}");
    assert!(summary.contains("`hang too` failed too: the clean-up was cut after 100 ms"), "{summary}");
}

#[tokio::test]
async fn conditions_decide_and_waits_wait() {
    let server = moody().await;
    let mut create = step("create", get("/"));
    create.capture = captures(&[("plan", Source::Json("$.plan".into()))]);
    let when =
        |name: &str, expression: &str| Step { when: When::If(expression.into()), ..step(name, get("/")) };
    let waiting = Step { wait_us: 60_000, ..step("later", get("/")) };
    let steps = vec![create, when("gold", "plan == 'gold'"), when("iron", "plan == 'iron'"), waiting];
    let found = run_one(&journey(steps), server.url()).await;
    assert_eq!(names(&found), [("create", true), ("gold", true), ("later", true)], "{found:?}");
    let in_steps: u32 = found.steps.iter().map(|step| step.total_us).sum();
    assert!(found.total_us - in_steps >= 60_000, "the wait is no part of the step");
    let broken = run_one(&journey(vec![when("x", "nothing > 1")]), server.url()).await;
    failed(&broken, FailClass::Request, "condition `when`");
    let mut cut = journey(vec![Step { wait_us: 5 * SECOND, ..step("too late", get("/")) }]);
    cut.timeout_us = 100_000;
    failed(&run_one(&cut, server.url()).await, FailClass::Timeout, "cut after 100 ms, here waiting");
}

#[tokio::test]
async fn a_step_has_its_own_timeout() {
    let server = moody().await;
    let quick = Step { timeout_us: Some(80_000), ..step("quick", get("/hang")) };
    let found = run_one(&journey(vec![quick]), server.url()).await;
    failed(&found, FailClass::Timeout, "no answer within 80 ms, in wait");
    assert!(found.total_us < SECOND, "not the journey's five seconds");
}

#[tokio::test]
async fn the_time_until_it_was_right_is_told() {
    let server = Server::start(|number, _, mut stream| async move {
        let body = if number < 1 { r#"{"seen":false}"# } else { r#"{"seen":true}"# };
        stream.write_all(answer("200 OK", "", body).as_bytes()).await.expect("client reads");
    })
    .await;
    let read = Step { within_us: Some(3 * SECOND), ..step("read", expecting("/", "$.seen", "true")) };
    let found = run_one(&journey(vec![read, step("once", get("/"))]), server.url()).await;
    let until = found.steps[0].until_us.expect("it was right");
    assert!((100_000..=found.steps[0].total_us).contains(&until), "{found:?}");
    assert_eq!(found.steps[1].until_us, None);
}

#[tokio::test]
async fn places_are_public_nearest_and_told() {
    let (home, door) = (moody().await, Server::saying(answer("200 OK", "", "")).await);
    let steps = [Place::Public, Place::Nearest].map(|place| Step {
        place: place.clone(),
        ..step(if place == Place::Public { "public" } else { "nearest" }, get("/"))
    });
    let mut check = journey(steps.to_vec());
    failed(&run_one(&check, home.url()).await, FailClass::Request, "no public address");
    check.places.public = Some(door.url());
    failed(&run_one(&check, home.url()).await, FailClass::Request, "not told which region is nearest");
    check.places.nearest = Some("us".parse().expect("an id"));
    check.regions = [("us".parse().expect("an id"), door.url())].into();
    let found = run_one(&check, home.url()).await;
    let elsewhere: Vec<_> =
        found.steps.iter().map(|step| step.elsewhere.as_ref().map(|r| r.as_str())).collect();
    assert_eq!((found.outcome, elsewhere), (Outcome::Ok, vec![Some("public"), Some("us")]));
    assert_eq!((home.seen().len(), door.seen().len()), (0, 3));
}

#[tokio::test]
async fn values_are_stable_within_a_run_and_new_in_the_next() {
    let server = moody().await;
    let mut repeated = step("again", expecting("/{{ order }}/{{ part }}", "$.id", "other"));
    repeated.set = vec![("part".into(), "{{ random_hex(8) }}".into())];
    repeated.within_us = Some(150_000);
    let mut check = journey(vec![step("one", get("/{{ order }}")), repeated]);
    let CheckKind::Journey(journey) = &mut check.kind else { unreachable!("is one") };
    journey.set = vec![("order".into(), "{{ uuid() }}".into())];
    run_one(&check, server.url()).await;
    let path = |text: &String| text.split(' ').nth(1).expect("a path").to_owned();
    let paths: Vec<String> = server.seen().iter().map(path).collect();
    assert_eq!(paths[0].len(), 37, "{paths:?}");
    assert!(paths.len() >= 3 && paths[1] == paths[2] && paths[1].starts_with(&paths[0]), "{paths:?}");
    let mut other = trace_run();
    other.trace.span_id = [9; 8];
    run(&check, &here(server.url()), &net(&[]), &other).await;
    assert_ne!(path(&server.seen()[paths.len()]), paths[0]);
}

#[tokio::test]
async fn secrets_are_in_no_evidence_and_no_trail() {
    let server = Server::start(|number, request, mut stream| async move {
        let first = r#"{"access":"aaaa-1111","plain":"cccc-3333","marked":"dddd-4444"}"#;
        let echo = format!("{request} bbbb-2222");
        let (status, body) = if number == 0 { ("200 OK", first) } else { ("500 Oops", &*echo) };
        let cookie = "set-cookie: sid=bbbb-2222; Path=/\r\nx-session-token: eeee-5555\r\n";
        stream.write_all(answer(status, cookie, body).as_bytes()).await.expect("client reads");
    })
    .await;
    let mut login = step("login", Request { method: "POST".into(), ..get("/") });
    login.request.content = wire::assignment::Content::Form(vec![("password".into(), "ffff 6666".into())]);
    login.capture = captures(&[
        ("access_token", Source::Json("$.access".into())),
        ("plain", Source::Json("$.plain".into())),
        ("marked", Source::Json("$.marked".into())),
        ("t", Source::Header("x-session-token".into())),
    ]);
    login.secret = ["marked".to_owned()].into();
    let echo = step("echo", get("/{{ access_token }}/{{ plain }}/{{ marked }}/{{ t }}"));
    let mut context = trace_run();
    context.explain = true;
    let found = run(&journey(vec![login, echo]), &here(server.url()), &net(&[]), &context).await;
    let evidence = found.evidence.as_ref().expect("the echo fails");
    assert!(evidence.excerpt.as_ref().is_some_and(|text| text.contains("cccc-3333")), "{evidence:?}");
    let shown = format!("{evidence:?} {:?}", found.trail);
    for secret in ["aaaa", "bbbb", "dddd", "eeee", "ffff", "6666"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let [login, echo] = found.trail.as_slice() else { panic!("two: {found:?}") };
    assert_eq!((login.status, echo.status), (Some(200), Some(500)));
    assert!(login.captures.contains(&("plain".into(), "cccc-3333".into())), "{login:?}");
    assert!(login.captures.contains(&("marked".into(), "[redacted]".into())), "{login:?}");
    assert_eq!(login.sent_body.as_deref(), Some("password=[redacted]"));
    assert!(echo.assertions.iter().any(|note| !note.pass) && echo.fault.is_some());

    context.explain = false;
    let quiet = run(&journey(vec![step("one", get("/"))]), &here(server.url()), &net(&[]), &context).await;
    assert!(quiet.trail.is_empty(), "nothing is collected unless somebody asks");
}

#[tokio::test]
async fn single_checks_have_templates_queries_and_rules() {
    let server = Server::start(|_, request, mut stream| async move {
        let body = format!("<h1>Hi</h1><pre>{request}</pre>");
        stream.write_all(answer("200 OK", "", &body).as_bytes()).await.expect("client reads");
    })
    .await;
    let css = Source::Css { selector: "h1".into(), attribute: None };
    let rules = vec![
        Rule { of: css.clone(), must: Must::Equal("Hi".into()) },
        Rule { of: Source::Body, must: Must::Contain("a%20b".into()) },
        Rule { of: Source::Body, must: Must::Contain("in eu".into()) },
    ];
    let request = Request {
        query: vec![("q".into(), "a b".into())],
        headers: [("x-where".to_owned(), "in {{ region }}".to_owned())].into(),
        expect: Expect { rules, ..Expect::default() },
        ..get("/s")
    };
    let found = run_http(request.clone(), server.url()).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    let rules = vec![Rule { of: css, must: Must::Equal("Ho".into()) }];
    let other = Request { expect: Expect { rules, ..Expect::default() }, ..request };
    failed(
        &run_http(other, server.url()).await,
        FailClass::Assertion,
        "expected element h1 to be \"Ho\", saw \"Hi\"",
    );
    failed(&run_http(get("/{{ nope }}"), server.url()).await, FailClass::Request, "undefined value");
}
