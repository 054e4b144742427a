//! Journeys and requests: what they may say, and what is said of mistakes in them.

use super::{bad, good, with_checks};
use crate::config::assignment;
use std::collections::BTreeSet;
use wire::assignment::{
    CheckKind, Content, Journey, Must, Part, Place, Request, Rule, Server, Source, Timing, When,
};

fn kind(check: &str) -> CheckKind {
    good(&with_checks(&format!("  c: {{service: shop, {check}}}\n"))).checks[&"c".parse().expect("an id")]
        .kind
        .clone()
}

fn http(request: &str) -> Request {
    match kind(&format!("http: {request}")) {
        CheckKind::Http(request) => request,
        other => panic!("{other:?}"),
    }
}

fn journey(text: &str) -> Journey {
    match kind(&format!("journey: {text}")) {
        CheckKind::Journey(journey) => journey,
        other => panic!("{other:?}"),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn requests_have_queries_forms_and_files() {
    let request =
        http("{method: PURGE, query: {q: 'tea & cake', page: 2, tag: [a, b]}, form: {user: ann, n: 1}}");
    assert_eq!(request.method, "PURGE");
    assert_eq!(
        request.query,
        [pair("q", "tea & cake"), pair("page", "2"), pair("tag", "a"), pair("tag", "b")]
    );
    assert_eq!(request.content, Content::Form(vec![pair("user", "ann"), pair("n", "1")]));
    let request = http("{multipart: {note: hi, data: {value: 'a,b', filename: x.csv, type: text/csv}}}");
    let file = Part {
        name: "data".into(),
        value: "a,b".into(),
        filename: Some("x.csv".into()),
        content_type: Some("text/csv".into()),
    };
    let note = Part { name: "note".into(), value: "hi".into(), ..Part::default() };
    assert_eq!(request.content, Content::Multipart(vec![note, file]));
    let request = http("{method: POST, json: {id: '{{ uuid() }}', n: 1}}");
    assert_eq!(request.content, Content::Json);
    assert_eq!(request.body.as_deref(), Some(r#"{"id":"{{ uuid() }}","n":1}"#));
}

#[test]
fn every_expectation_is_read() {
    let expect = http(
        "{expect: {status: 200, headers: {X-Cache: HIT, x-debug: {exists: false}}, cookies: {sid: {matches: '^[a-z]+$'}}, \
         json: {$.a: 1, $.b: {above: 1.5, below: 3}, $.c: {length: {at_least: 2}}}, body: {lacks: oops, at_most: 65536, \
         sha256: 'E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}, css: {h1: Hello, 'input[name=t]': \
         {attribute: value, exists: true}}, served_by: [a, b], phases: {tls: 50ms, total: 1s}, valid_for: 14d}}",
    )
    .expect;
    assert_eq!(expect.json, [pair("$.a", "1")].into());
    assert_eq!(
        expect.served_by,
        Some(Server::Among(vec!["a".parse().expect("an id"), "b".parse().expect("an id")]))
    );
    let number = |n: f64| serde_json::Number::from_f64(n).expect("finite");
    let css = |selector: &str, attribute: Option<&str>| Source::Css {
        selector: selector.into(),
        attribute: attribute.map(str::to_owned),
    };
    let wanted = [
        (Source::Header("x-cache".into()), Must::Equal("HIT".into())),
        (Source::Header("x-debug".into()), Must::Exist(false)),
        (Source::Cookie("sid".into()), Must::Match("^[a-z]+$".into())),
        (Source::Body, Must::Lack("oops".into())),
        (
            Source::Sha256,
            Must::Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into()),
        ),
        (Source::Size, Must::AtMost(65536.into())),
        (Source::Json("$.b".into()), Must::Above(number(1.5))),
        (Source::Json("$.b".into()), Must::Below(3.into())),
        (Source::Json("$.c".into()), Must::Length { least: 2, most: u32::MAX }),
        (css("h1", None), Must::Equal("Hello".into())),
        (css("input[name=t]", Some("value")), Must::Exist(true)),
        (Source::Time(Timing::Tls), Must::AtMost(50_000.into())),
        (Source::Time(Timing::Total), Must::AtMost(1_000_000.into())),
        (Source::Certificate, Must::AtLeast((14 * 86_400).into())),
    ];
    let wanted: Vec<Rule> = wanted.into_iter().map(|(of, must)| Rule { of, must }).collect();
    assert_eq!(expect.rules, wanted);
    for (text, server) in [
        ("here", Server::Here),
        ("other", Server::Other),
        ("{not: here}", Server::Other),
        ("{not: [b]}", Server::Not(vec!["b".parse().expect("an id")])),
    ] {
        assert_eq!(http(&format!("{{expect: {{served_by: {text}}}}}")).expect.served_by, Some(server));
    }
}

#[test]
fn steps_wait_decide_and_clean_up() {
    let journey = journey(
        "{set: {order: '{{ uuid() }}', label: 'o-{{ order }}'}, cleanup: 3s, steps: [\
         {name: one, post: /a, timeout: 2s, capture: {code: status, who: served_by, t: {cookie: sid}, n: {regex: \
         'x(\\d)', secret: true}, whole: {regex: 'x', group: 0}, f: {css: input, attribute: value}}}, \
         {name: two, get: '/{{ n }}', when: \"{{ code == '201' }}\", wait: 1s, in: public, set: {m: '{{ n | upper }}'}}, \
         {name: three, delete: '/{{ m }}', always: true}, {name: four, get: /, when: failed, in: nearest}]}",
    );
    assert_eq!(journey.set, [pair("order", "{{ uuid() }}"), pair("label", "o-{{ order }}")]);
    assert_eq!(journey.cleanup_us, 3_000_000);
    let [one, two, three, four] = journey.steps.as_slice() else { panic!("four") };
    assert_eq!((one.timeout_us, one.capture.len()), (Some(2_000_000), 6));
    assert_eq!(one.capture["code"], Source::Status);
    assert_eq!(one.capture["n"], Source::Pattern { pattern: r"x(\d)".into(), group: 1 });
    assert_eq!(one.capture["whole"], Source::Pattern { pattern: "x".into(), group: 0 });
    assert_eq!(one.secret, BTreeSet::from(["n".to_owned()]));
    assert_eq!((&two.when, &two.place), (&When::If("code == '201'".into()), &Place::Public));
    assert_eq!((two.wait_us, two.set.as_slice()), (1_000_000, [pair("m", "{{ n | upper }}")].as_slice()));
    assert_eq!((&three.when, &four.when, &four.place), (&When::Always, &When::Failed, &Place::Nearest));
}

#[test]
fn mistakes_in_requests() {
    let cases = [
        ("{query: [a]}", "expected a mapping"),
        ("{query: {a: {b: 1}}}", "expected a text, a number"),
        ("{form: {a: 1}, json: {}}", "`json` and `form` exclude each other"),
        ("{multipart: {}}", "at least one part"),
        ("{multipart: {a: {filename: x}}}", "`value` is missing"),
        ("{multipart: {a: {value: x, filenam: y}}}", "did you mean `filename`?"),
        ("{multipart: {a: x}, headers: {content-type: a/b}}", "brings its own content-type"),
        ("{method: get}", "expected a method in capitals"),
        ("{method: PSOT}", "there is no method PSOT; did you mean POST?"),
        ("{json: {'{{ uuid() }}': 1}}", "not in the keys of a JSON body"),
        ("{json: {a: ['{{ uid() }}']}}", "http.json.a[0]: there is no function `uid`; did you mean `uuid`?"),
        ("{path: '/{{ uuid }}'}", "`uuid` is a function: write `uuid()`"),
        ("{body: '{{ x'}", "`{{` without `}}`"),
        ("{expect: {headers: {'a b': x}}}", "no name of a header"),
        ("{expect: {headers: {a: {}}}}", "at least one condition"),
        ("{expect: {headers: {a: {matchs: x}}}}", "unknown key `matchs`; did you mean `matches`?"),
        ("{expect: {headers: {a: {matches: '('}}}}", "unclosed group"),
        ("{expect: {headers: {a: {exists: maybe}}}}", "expected `true` or `false`"),
        ("{expect: {cookies: {'a;b': x}}}", "no name of a cookie"),
        ("{expect: {json: {$.a: {above: x}}}}", "expected a number"),
        ("{expect: {json: {$.a: {length: -1}}}}", "a whole number from 0"),
        ("{expect: {json: {'$.a[': 1}}}", "is wrong from character"),
        ("{expect: {css: {'h1[': x}}}", "expected a CSS selector"),
        ("{expect: {css: {h1: {attribute: id}}}}", "at least one condition"),
        ("{expect: {body: {sha256: abc}}}", "64 hexadecimal digits"),
        ("{expect: {phases: {tsl: 1s}}}", "did you mean `tls`?"),
        ("{expect: {served_by: c}}", "there is no region of the service `c`"),
        ("{expect: {served_by: {is: a}}}", "unknown key `is`"),
        ("{expect: {valid_for: 5s}}", "a duration from 1h"),
        ("{method: HEAD, expect: {css: {h1: x}}}", "an answer to HEAD has no body"),
    ];
    for (request, expected) in cases {
        let problems = bad(&with_checks(&format!("  c: {{service: shop, http: {request}}}\n")));
        let found = problems.iter().find(|problem| problem.contains(expected));
        assert!(found.is_some_and(|found| found.starts_with("6:")), "{request}: {problems:?}");
    }
}

#[test]
fn mistakes_in_steps() {
    let cases = [
        ("{name: x, get: /, when: maybe}", "`succeeded`, `failed` or one expression"),
        ("{name: x, get: /, when: '{{ plan }}'}", "no earlier step captures `plan`"),
        ("{name: x, get: /, when: failed, always: true}", "`always` and `when` exclude each other"),
        ("{name: x, get: /, always: true}, {name: y, get: /}", "stands behind a step for cleaning up"),
        ("{name: x, get: /, wait: 6s}", "longer than the check's timeout"),
        ("{name: x, get: /, timeout: 6s}", "longer than the check's timeout"),
        ("{name: x, get: /, set: {uuid: a}}", "is built in"),
        ("{name: x, get: /, set: {a: '{{ b }}'}}", "no earlier step captures `b`"),
        ("{name: x, get: /, capture: {here: status}}", "is built in"),
        ("{name: x, get: /, capture: {a: statu}}", "or a place such as"),
        ("{name: x, get: /, capture: {a: {regex: '(a)', group: 2}}}", "the expression has 1 groups"),
        ("{name: x, get: /, capture: {a: {json: $.a, group: 1}}}", "belongs to `regex`"),
        ("{name: x, get: /, capture: {a: {json: $.a, secret: 1}}}", "expected `true` or `false`"),
        ("{name: x, get: /, in: nearest}", ""),
    ];
    for (steps, expected) in cases {
        let text = with_checks(&format!("  c: {{service: shop, journey: {{steps: [{steps}]}}}}\n"));
        if expected.is_empty() {
            good(&text);
            continue;
        }
        let problems = bad(&text);
        assert_eq!(problems.len(), 1, "{steps}: {problems:?}");
        assert!(problems[0].contains(expected), "{steps}: {problems:?}");
    }
}

/// Two regions with a service, one vantage elsewhere.
fn far(a: &str, service: &str) -> String {
    format!(
        "version: 1\nregions: {{a: {{{a}}}, b: {{coordinates: [0, 90]}}, far: {{coordinates: [0, 80]}}}}\n\
         probes: {{p: {{region: far, token: {{env: T}}}}, q: {{region: a, token: {{env: U}}}}}}\n\
         services: {{s: {{{service} regions: {{a: http://a, b: http://b}}}}}}\n\
         checks: {{c: {{service: s, journey: {{steps: [{{name: x, get: /, in: nearest}}]}}}}}}\n"
    )
}

#[test]
fn the_nearest_region_is_found_for_each_vantage() {
    let config = good(&far("coordinates: [0, 0]", "public: http://s,"));
    let places = |probe: &str| {
        let assigned = assignment(&config, 1, &probe.parse().expect("an id")).expect("is configured");
        assigned.checks[0].places.clone()
    };
    let nearest = |probe: &str| places(probe).nearest.map(|region| region.to_string());
    assert_eq!((nearest("p").as_deref(), nearest("q").as_deref()), (Some("b"), Some("a")));
    assert_eq!(places("p").public.as_deref(), Some("http://s"));
    assert_eq!(places("p").vantage.map(|region| region.to_string()).as_deref(), Some("far"));
    let problems = bad(&far("", ""));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("in: needs the coordinates of a: add `coordinates:"), "{problems:?}");
}

#[test]
fn regions_are_recognised_by_cookies_and_addresses() {
    let rules = "region_cookie: lb, region_addresses: {a: [192.0.2.0/24, '2001:db8::1'], b: 198.51.100.7},";
    let config = good(&far("coordinates: [0, 0]", rules));
    let assigned = assignment(&config, 1, &"p".parse().expect("an id")).expect("is configured");
    let places = &assigned.checks[0].places;
    assert_eq!(places.region_cookie.as_deref(), Some("lb"));
    let networks: Vec<_> = places.region_addresses.values().flatten().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::1", "198.51.100.7"]);
    for (rules, expected) in [
        ("region_cookie: 'a b',", "the name of a cookie"),
        ("region_addresses: {a: 192.0.2.1/24},", "an address or a block of them"),
        ("region_addresses: {c: 192.0.2.1},", "there is no region of the service `c`"),
        ("region_addresses: {a: 192.0.2.1, b: 192.0.2.1},", "an address belongs to one region"),
        ("region_addresses: {a: []},", "an address, or a list of them"),
    ] {
        let problems = bad(&far("coordinates: [0, 0]", rules));
        assert_eq!(problems.len(), 1, "{rules}: {problems:?}");
        assert!(problems[0].contains(expected), "{rules}: {problems:?}");
    }
}
