//! Expectations and captures.

use super::*;
use crate::check::record::Record;
use std::collections::BTreeSet;
use wire::{
    Micros,
    assignment::{Must, Rule, Server, Target, Timing},
    sample::{FailClass, Phases},
};

fn record(status: u16, body: &str) -> Record {
    Record { status: Some(status), body: body.into(), ..Record::default() }
}

fn target() -> Target {
    "eu".parse().expect("an id")
}

fn holds(expect: &Expect, record: &Record) -> Result<(), Fault> {
    judge(expect, &Answer::new(record, None, &target(), Micros(0)), None)
}

fn fault(expect: &Expect, record: &Record) -> String {
    let fault = holds(expect, record).expect_err("must not hold");
    format!("{}: {}", fault.class, fault.summary)
}

fn with(path: &str, want: &str) -> Expect {
    Expect { json: [(path.to_owned(), want.to_owned())].into(), ..Expect::default() }
}

fn rule(of: Source, must: Must) -> Expect {
    Expect { rules: vec![Rule { of, must }], ..Expect::default() }
}

#[test]
fn no_expectations_accept_success_and_redirects() {
    let none = Expect::default();
    for (code, good) in [(199, false), (200, true), (302, true), (399, true), (400, false), (503, false)] {
        assert_eq!(holds(&none, &record(code, "")).is_ok(), good, "{code}");
    }
    assert_eq!(
        fault(&none, &record(503, "")),
        "status: expected status 200 to 399, saw 503 Service Unavailable"
    );
    let some = Expect { status: vec![200, 204], ..Expect::default() };
    assert_eq!(fault(&some, &record(404, "")), "status: expected status 200 or 204, saw 404 Not Found");
}

#[test]
fn text_and_json_are_compared() {
    let text = Expect { body_contains: Some("bc".into()), ..Expect::default() };
    assert!(holds(&text, &record(200, "abcd")).is_ok());
    assert_eq!(
        fault(&text, &record(200, "ab")),
        "assertion: expected the body to contain \"bc\", saw 2 bytes that do not"
    );
    let body = record(200, r#"{"a":[{"b":"x"},{"b":2.5}],"t":true,"n":null}"#);
    for (path, want) in
        [("$.a[0].b", "x"), ("$..b", "x"), ("$.a[1].b", "2.5"), ("$.t", "true"), ("$.n", "null")]
    {
        assert!(holds(&with(path, want), &body).is_ok(), "{path}");
    }
    assert_eq!(fault(&with("$.t", "false"), &body), "assertion: expected $.t to be \"false\", saw \"true\"");
    assert!(fault(&with("$.z", "1"), &body).contains("no such value"));
    assert!(fault(&with("$.z", "1"), &record(200, "<p>")).starts_with("assertion: expected a JSON body"));
    assert!(fault(&with("$[", "1"), &record(200, "<p>")).starts_with("request: "));
    assert!(fault(&with(&"$[".repeat(9_999), "1"), &body).starts_with("request: "));
    // Parsing stays quick however a path is nested.
    for nested in [
        "$[?(((((((((((((((((((((((((((((((1",
        "$[?!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(@.a",
        "$[?a(a(a(a(a(a(a(a(a(a(a(",
    ] {
        assert!(fault(&with(nested, "1"), &body).starts_with("request: "));
    }
    let deep = record(200, &"[".repeat(200_000));
    assert!(fault(&with("$", "1"), &deep).starts_with("assertion: "));
}

#[test]
fn every_condition_has_a_sentence() {
    let json = |path: &str| Source::Json(path.into());
    let css = |selector: &str| Source::Css { selector: selector.into(), attribute: None };
    let body = record(200, r#"{"n":2.5,"s":"abc","l":[1,2],"null":null,"html":"<h1>Hi</h1>"}"#);
    let digest =
        words::hex(&sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&body.body)));
    let number = |n: f64| serde_json::Number::from_f64(n).expect("finite");
    for (of, good, bad, sentence) in [
        (json("$.n"), Must::Above(number(2.0)), Must::Above(number(2.5)), "$.n to be above 2.5, saw \"2.5\""),
        (json("$.n"), Must::Below(3.into()), Must::Below(2.into()), "$.n to be below 2, saw \"2.5\""),
        (
            json("$.n"),
            Must::AtLeast(number(2.5)),
            Must::AtLeast(3.into()),
            "$.n to be at least 3, saw \"2.5\"",
        ),
        (
            json("$.s"),
            Must::Match("^a.c$".into()),
            Must::Match("^b".into()),
            "$.s to match /^b/, saw \"abc\"",
        ),
        (json("$.s"), Must::Differ("x".into()), Must::Differ("abc".into()), "$.s not to be \"abc\", saw"),
        (
            json("$.s"),
            Must::Lack("x".into()),
            Must::Lack("b".into()),
            "$.s not to contain \"b\", saw \"abc\"",
        ),
        (json("$.null"), Must::Exist(true), Must::Exist(false), "$.null not to be there, saw \"null\""),
        (json("$.x"), Must::Exist(false), Must::Exist(true), "$.x to be there, the body has no such value"),
        (json("$.x"), Must::Lack("x".into()), Must::Above(0.into()), "the body has no such value"),
        (
            json("$.l"),
            Must::Length { least: 2, most: 2 },
            Must::Length { least: 3, most: u32::MAX },
            "$.l to have a length of at least 3, saw 2",
        ),
        (Source::Sha256, Must::Equal(digest.clone()), Must::Equal("00".into()), "of the body to be 00, saw "),
        (
            Source::Size,
            Must::AtLeast(1.into()),
            Must::AtMost(3.into()),
            "size of the body to be at most 3, saw",
        ),
        (css("h1"), Must::Equal("Hi".into()), Must::Equal("Ho".into()), "element h1 to be \"Ho\", saw \"Hi"),
        (
            css("h2"),
            Must::Exist(false),
            Must::Exist(true),
            "element h2 to be there, the page has no such element",
        ),
        (
            Source::Header("X-Cache".into()),
            Must::Equal("HIT".into()),
            Must::Equal("MISS".into()),
            "header X-Cache to be \"MISS\", saw \"HIT\"",
        ),
        (
            Source::Cookie("sid".into()),
            Must::Match("^[a-z]+$".into()),
            Must::Equal("x".into()),
            "cookie sid to be \"x\", saw \"abcd\"",
        ),
        (
            Source::Time(Timing::Tls),
            Must::AtMost(50_000.into()),
            Must::AtMost(20_000.into()),
            "expected tls to take at most 20 ms, it took 40 ms",
        ),
    ] {
        let mut answer = Record { status: Some(200), body: body.body.clone(), ..Record::default() };
        answer.headers.insert("x-cache", "HIT".parse().expect("a value"));
        answer.headers.insert("set-cookie", "sid=abcd; Path=/".parse().expect("a value"));
        answer.phases = Phases { tls: Some(40_000), ..Phases::default() };
        assert_eq!(holds(&rule(of.clone(), good), &answer), Ok(()), "{sentence}");
        let why = fault(&rule(of, bad), &answer);
        assert!(why.starts_with("assertion: expected ") && why.contains(sentence), "{why}");
    }
    let dns = rule(Source::Time(Timing::Dns), Must::AtMost(1.into()));
    assert_eq!(holds(&dns, &body), Ok(()), "a phase that did not happen took no time");
}

#[test]
fn certificates_must_last() {
    let day = 86_400_000_000;
    let record = Record { certificate_expires: Some(Micros(3 * day)), ..record(200, "") };
    let fortnight = rule(Source::Certificate, Must::AtLeast((14 * 86_400).into()));
    assert_eq!(
        fault(&fortnight, &record),
        "tls: expected the certificate to stay valid for 14 days, it expires in 3 days"
    );
    let two = rule(Source::Certificate, Must::AtLeast((2 * 86_400).into()));
    assert_eq!(holds(&two, &record), Ok(()));
}

#[test]
fn the_server_is_compared() {
    let record = record(200, "");
    let region = |id: &str| id.parse().expect("an id");
    let judged = |server: Server, seen: Option<&str>, target: &str| {
        let (expect, target) =
            (Expect { served_by: Some(server), ..Expect::default() }, target.parse().expect("an id"));
        judge(&expect, &Answer::new(&record, seen, &target, Micros(0)), None).map_err(|fault| fault.summary)
    };
    assert_eq!(judged(Server::Here, Some("eu"), "eu"), Ok(()));
    assert_eq!(judged(Server::Other, Some("us"), "eu"), Ok(()));
    assert_eq!(judged(Server::Not(vec![region("us")]), Some("eu"), "public"), Ok(()));
    for (server, seen, target, sentence) in [
        (Server::Here, Some("us"), "eu", "expected to be served by this region, saw us (here is eu)"),
        (Server::Other, Some("eu"), "eu", "expected to be served by another region, saw eu (here is eu)"),
        (
            Server::Among(vec![region("eu"), region("uk")]),
            Some("us"),
            "public",
            "expected to be served by eu or uk, saw us",
        ),
        (
            Server::Not(vec![region("us")]),
            Some("us"),
            "eu",
            "expected to be served by a region other than us, saw us",
        ),
        (Server::Here, None, "eu", "expected to be served by this region, the answer does not say by which"),
        (
            Server::Here,
            Some("eu"),
            "public",
            "`served_by` asks for here, and the public entrance is no region",
        ),
    ] {
        assert_eq!(judged(server, seen, target), Err(sentence.to_owned()));
    }
}

#[test]
fn notes_hold_every_expectation() {
    let expect = Expect { status: vec![201], ..with("$.a", "1") };
    let record = record(200, r#"{"a":1}"#);
    let mut notes = Vec::new();
    let target = target();
    let judged = judge(&expect, &Answer::new(&record, None, &target, Micros(0)), Some(&mut notes));
    assert_eq!(judged.expect_err("the status is another").class, FailClass::Status);
    let notes: Vec<_> =
        notes.iter().map(|note| (note.expected.as_str(), note.saw.as_str(), note.pass)).collect();
    assert_eq!(notes, [("status 201", "saw 200 OK", false), ("$.a to be \"1\"", "saw \"1\"", true)]);
}

#[test]
fn captures_are_text_and_know_secrets() {
    let mut record = record(200, r#"{"id":7,"name":"n","access_token":"t"}<input name=q value=v>"#);
    record.headers.insert("location", "/x/7".parse().expect("a header value"));
    record.headers.insert("set-cookie", "sid=abc; Path=/".parse().expect("a header value"));
    let css = Source::Css { selector: "input".into(), attribute: Some("value".into()) };
    let pattern = Source::Pattern { pattern: r#""id":(\d)"#.into(), group: 1 };
    let mut step = Step {
        capture: [
            ("at", Source::Header("Location".into())),
            ("cookie", Source::Cookie("sid".into())),
            ("field", css),
            ("id", pattern),
            ("code", Source::Status),
            ("size", Source::Size),
        ]
        .map(|(name, from)| (name.to_owned(), from))
        .into(),
        secret: BTreeSet::from(["id".to_owned()]),
        ..Step::default()
    };
    let target = target();
    let keep = |step: &Step, record: &Record| {
        let kept = capture(step, &Answer::new(record, None, &target, Micros(0)))?;
        let kept = kept.into_iter().map(|(name, kept)| (name, kept.value, kept.secret));
        Ok::<Vec<_>, Fault>(kept.collect())
    };
    let kept = keep(&step, &record).expect("all are there");
    let kept: Vec<_> = kept.iter().map(|(name, value, secret)| (&**name, &**value, *secret)).collect();
    assert_eq!(
        kept,
        [
            ("at", "/x/7", false),
            ("code", "200", false),
            ("cookie", "abc", true),
            ("field", "v", false),
            ("id", "7", true),
            ("size", "60", false)
        ]
    );
    record.body = br#"{"id":7,"name":"n","access_token":"t"}"#.into();
    step.capture = [("t".to_owned(), Source::Json("$.access_token".into()))].into();
    assert_eq!(keep(&step, &record).ok(), Some(vec![("t".to_owned(), "t".to_owned(), true)]));
    step.capture = [("x".to_owned(), Source::Header("x".into()))].into();
    let why = keep(&step, &record).expect_err("missing");
    assert_eq!(
        (why.class, &*why.summary),
        (FailClass::Assertion, "nothing to capture as `x`: the answer has no header x")
    );
}
