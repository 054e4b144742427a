//! Redirects, hop by hop.

use super::*;
use wire::assignment::Expect;

fn following(redirects: u8, request: Request) -> AssignedCheck {
    AssignedCheck { reach: Reach { redirects, ..Reach::default() }, ..check(CheckKind::Http(request)) }
}

/// Answers by path; the path is the first word after the method.
async fn site(answers: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    let answers = Arc::new(answers);
    Server::start(move |_, request, mut stream| {
        let answers = answers.clone();
        async move {
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            if path.contains("slow") {
                pause(60).await;
            }
            let _client_may_be_gone = stream.write_all(answers(&path).as_bytes()).await;
        }
    })
    .await
}

fn to(status: &str, location: &str) -> String {
    answer(status, &format!("location: {location}\r\n"), "moved")
}

#[tokio::test]
async fn each_hop_has_phases_of_its_own_and_the_last_answer_counts() {
    let last = Server::saying(answer("200 OK", "x-region: eu\r\n", "arrived")).await;
    let end = format!("{}/end", last.url());
    let first = site(move |path| match path {
        "/start" => to("302 Found", "/slow?token=hush"),
        _ => to("301 Moved Permanently", &end),
    })
    .await;
    let expect = Expect { status: vec![200], body_contains: Some("arrived".into()), ..Expect::default() };
    let found = run_one(&following(5, Request { expect, ..get("/start") }), first.url()).await;
    assert_eq!((found.outcome, found.status), (Outcome::Ok, Some(200)), "{found:?}");
    assert_eq!(
        (found.served_by.as_deref(), found.address.clone()),
        (Some("eu"), Some(last.address.to_string()))
    );
    let [one, two] = found.hops.as_slice() else { panic!("two hops: {found:?}") };
    assert_eq!((one.url.as_str(), one.status), (&*format!("{}/start", first.url()), 302));
    assert_eq!((two.url.as_str(), two.status), (&*format!("{}/slow", first.url()), 301));
    for hop in [one, two] {
        assert!(hop.phases.connect.is_some() && hop.phases.wait.is_some(), "{hop:?}");
        assert_eq!(hop.address, Some(first.address.to_string()));
    }
    // Neither overwritten, nor summed up, nor counted twice: the slow hop is slow and nothing else is.
    assert!(two.phases.wait.is_some_and(|us| us >= 60_000), "{two:?}");
    assert!(found.phases.wait.is_some() && found.phases.sum() < found.total_us);
    assert_eq!(found.total_us, one.total_us + two.total_us + found.phases.sum());
}

#[tokio::test]
async fn as_many_as_are_allowed() {
    let endless = site(|path| to("302 Found", &format!("{path}x"))).await;
    let found = run_one(&following(2, get("/")), endless.url()).await;
    failed(&found, FailClass::Protocol, "more than 2 redirects: http://");
    assert_eq!((found.hops.len(), found.status, endless.seen().len()), (2, Some(302), 3));
    let circle = site(|_| to("307 Temporary Redirect", "/")).await;
    let found = run_one(&following(10, get("/")), circle.url()).await;
    failed(&found, FailClass::Protocol, "the redirects go in a circle: http://");
    assert_eq!(circle.seen().len(), 1);
    let found = run_one(&following(0, get("/")), circle.url()).await;
    assert_eq!((found.outcome, found.status, found.hops.len()), (Outcome::Ok, Some(307), 0));
}

#[tokio::test]
async fn cookies_come_along_and_credentials_do_not_leave() {
    let other = Server::saying(answer("200 OK", "", "")).await;
    // Another host: cookies do not care for ports (RFC 6265, 8.5).
    let end = format!("http://localhost:{}/end", other.address.port());
    let first = site(move |path| match path {
        "/" => answer("303 See Other", "location: /in\r\nset-cookie: session=s1\r\n", ""),
        _ => to("307 Temporary Redirect", &end),
    })
    .await;
    let headers = [("Authorization", "Bearer hush"), ("X-Shown", "yes")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let request = Request { method: "POST".into(), body: Some("b".into()), headers, ..get("/") };
    let found = run_one(&following(3, request), first.url()).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    let inside = first.seen().remove(1);
    assert!(inside.starts_with("GET /in ") && inside.contains("cookie: session=s1"), "{inside}");
    assert!(inside.contains("authorization: Bearer hush"));
    let outside = other.seen().remove(0);
    assert!(!outside.contains("hush") && !outside.contains("session"), "{outside}");
    assert!(outside.contains("x-shown: yes") && outside.starts_with("GET /end "));
}

#[tokio::test]
async fn every_hop_is_under_the_same_rules() {
    let first = site(|_| to("302 Found", "http://169.254.169.254/latest/meta-data")).await;
    let found = run_one(&following(3, get("/")), first.url()).await;
    failed(&found, FailClass::Protocol, "denied");
    assert_eq!(found.hops.len(), 1);
    let first = site(|_| to("302 Found", "http://[::1]:9/")).await;
    let mut check = following(3, get("/"));
    check.reach.family = wire::assignment::Family::V4;
    failed(&run_one(&check, first.url()).await, FailClass::Protocol, "is an IPv6 address");
    let slow = site(|path| to("302 Found", &format!("{path}slow"))).await;
    let check = AssignedCheck { timeout_us: 150_000, ..following(10, get("/slow")) };
    let begun = std::time::Instant::now();
    let found = run_one(&check, slow.url()).await;
    assert!(begun.elapsed() >= std::time::Duration::from_millis(150), "it was cut too early");
    failed(&found, FailClass::Timeout, "no answer within 150 ms, in wait");
    assert!(!found.hops.is_empty() && found.total_us >= 140_000);
}
