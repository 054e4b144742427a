//! What is wrong is reported, all of it, where it stands.

use super::{bad, parse, with_checks};

/// Twenty mistakes in one document.
const BROKEN: &str = r#"version: 2
regions:
  us-east-1: { name: N. Virginia, coordinates: [98.9, -77.4] }
  EU: {}
  public: {}
probes:
  probe-1: { region: us-east-2, token: { env: 1BAD } }
  probe-2: { region: us-east-1, token: abc123 }
services:
  shop:
    public: http://user:pw@shop.example.com
    regions:
      us-east-1: ftp://shop
    receivers: [entrence]
    colour: red
checks:
  health:
    service: shop
    http: { path: health, method: FETCH }
    intervall: 2s
  port:
    service: shopp
    tcp: {}
    timeout: 5
    from: [probe-3]
receivers:
  entrance: { webhook: https://e.example.com, secret: whsec_c2VjcmV0 }
regions: {}
steering: { failback: { steps: [10, 5, 100] } }
"#;

#[test]
fn all_problems_at_once_with_their_places() {
    let expected = [
        "1:10 version: this Sextant reads version 1 of the document's shape",
        "3:49 regions.us-east-1.coordinates[0]: expected a number from -90 to 90, found 98.9",
        "4:3 regions.EU: is no id: use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a \
         letter or digit",
        "5:3 regions.public: `public` has a meaning of its own in checks; give the region another id",
        "7:22 probes.probe-1.region: there is no region `us-east-2`; did you mean `us-east-1`?",
        "7:47 probes.probe-1.token.env: expected the name of an environment variable, such as SHOP_SECRET",
        "8:40 probes.probe-2.token: secrets do not belong into the document, which is stored and shown; put it into a \
         file and write `{ file: path }`, or into an environment variable and write `{ env: NAME }`",
        "11:13 services.shop.public: holds a user name or password (or an `@`), which would be stored and shown; remove it",
        "13:18 services.shop.regions.us-east-1: expected a URL such as https://shop.example.com, found \"ftp://shop\"",
        "14:17 services.shop.receivers[0]: there is no receiver `entrence`; did you mean `entrance`?",
        "15:5 services.shop: unknown key `colour`; known here: name, public, region_header, regions, receivers",
        "19:19 checks.health.http.path: expected a path that begins with /, found \"health\"",
        "19:35 checks.health.http.method: expected `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`, \
         found \"FETCH\"",
        "20:5 checks.health: unknown key `intervall`; did you mean `interval`?",
        "22:14 checks.port.service: there is no service `shopp`; did you mean `shop`?",
        "24:14 checks.port.timeout: expected a duration such as 250ms, 2s, 5m or 1h30m, found 5",
        "25:12 checks.port.from[0]: there is no probe or region `probe-3`; did you mean `probe-1`?",
        "27:55 receivers.entrance.secret: secrets do not belong into the document, which is stored and shown; put it \
         into a file and write `{ file: path }`, or into an environment variable and write `{ env: NAME }`",
        "28:1 regions: this key stands already on line 2; keep one of them",
        "29:32 steering.failback.steps: expected percentages that ascend and end in 100, such as [5, 25, 50, 100]",
    ];
    assert_eq!(bad(BROKEN), expected);
}

#[test]
fn the_printed_report_shows_lines_and_no_secrets() {
    let report = parse(BROKEN, "shop.yaml").expect_err("refused").to_string();
    assert!(report.contains(
        "shop.yaml:20:5: checks.health: unknown key `intervall`; did you mean `interval`?\n    20 |     intervall: \
         2s\n       |     ^\n"
    ));
    assert!(report.ends_with("\n20 problems in shop.yaml"), "{report}");
    for secret in ["abc123", "c2VjcmV0", "user:pw"] {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
}

#[test]
fn a_misplaced_secret_is_never_repeated() {
    for entry in [
        "receivers: {r: {webhook: 'http://h', secret: hunter2}}",
        "receivers: {r: {webhook: 'http://h', secret: {env: hunter2/hunter2}}}",
        "receivers: {r: {webhook: 'http://me:hunter2@h:port', secret: {env: A}}}",
        "receivers: {r: {webhook: 'http:///me:hunter2@h', secret: {env: A}}}",
        "receivers:\n  r:\n    webhook: http://h\n    secret:\n      hunter2",
        "receivers: {r: {webhook: 'http://h', secret: hunter2",
        "probes: {p: {region: a, token: {sha256: hunter2}}}",
    ] {
        let text = format!("version: 1\nregions: {{a: {{}}}}\n{entry}\n");
        let report = parse(&text, "x").expect_err("refused").to_string();
        assert!(!report.contains("hunter2"), "{report}");
    }
    let number = parse("version: 1\nprobes: {p: {token: 4711}}", "x").expect_err("refused").to_string();
    assert!(!number.contains("4711"), "{number}");
}

#[test]
fn a_syntax_error_is_the_only_problem() {
    assert_eq!(
        bad("version: 1\nregions: {a: [}\n"),
        ["2:14 : not well-formed YAML: mismatched bracket '[' closed by '}'"]
    );
    assert_eq!(bad(""), ["1:1 : the document is empty; begin with `version: 1`"]);
    assert_eq!(bad("- version: 1"), ["1:1 : expected a mapping, found a list"]);
}

/// Checks of a service with regions a and b, each with what is said of it.
#[test]
fn mistakes_in_checks() {
    let cases = [
        (
            "service: shop",
            "checks.c: needs `http`, `tcp`, `tls`, `dns`, `icmp`, `grpc`, `websocket` or `journey`",
        ),
        ("{service: shop, tcp: {}, http: {}}", "`http` and `tcp` exclude each other"),
        ("{service: shop, tcp: {ports: 1}}", "unknown key `ports`; did you mean `port`?"),
        ("{tcp: {}}", "checks.c: `service` is missing"),
        ("{service: shop, tcp: {}, to: [c]}", "there is no region of the service `c`"),
        ("{service: shop, tcp: {}, to: [a, public]}", "`public` stands alone"),
        ("{service: shop, tcp: {}, to: []}", "expected `all`, `public`, or regions"),
        ("{service: shop, tcp: {}, to: public, impact: down}", "only `none` fits `to: public`"),
        ("{service: shop, tcp: {}, from: b}", "there is no probe in region `b`"),
        ("{service: shop, tcp: {}, from: []}", "expected `all`, or the ids of probes and regions"),
        ("{service: shop, tcp: {}, interval: 50ms}", "expected a duration from 100ms to 1h"),
        ("{service: shop, tcp: {}, timeout: 61s}", "expected a duration from 10ms to 1m"),
        ("{service: shop, tcp: {}, timeout: 2s, slower_than: 2s}", "cut after the timeout of 2s"),
        ("{service: shop, http: {body: x, json: {}}}", "`body` and `json` exclude each other"),
        ("{service: shop, http: {method: HEAD, expect: {body_contains: x}}}", "HEAD has no body"),
        (
            "{service: shop, http: {expect: {status: [200, 600]}}}",
            "expect.status[1]: expected a whole number",
        ),
        ("{service: shop, http: {expect: {json: {status: ok}}}}", "expected a JSONPath"),
        ("{service: shop, http: {expect: {json: {$.a: [1]}}}}", "http.expect.json[\"$.a\"]: expected a text"),
        ("{service: shop, http: {headers: {'a b': c}}}", "no name of a header"),
        ("{service: shop, http: {headers: {X-A: b, x-a: c}}}", "in these headers already"),
        ("{service: shop, http: {headers: {x-a: 1}}}", "put it in quotes"),
        ("{service: shop, http: {headers: {x-a: \"b\\nc\"}}}", "no value of a header"),
        ("{service: shop, http: {headers: {Content-Length: '5'}}}", "is set by the probe"),
        ("{service: shop, http: {path: /a b}}", "without spaces"),
        ("{service: shop, http: {json: {1: a}}}", "a key must be a text"),
        ("{service: shop, http: {json: {a: 1, a: 2}}}", "stands already on line"),
    ];
    for (check, expected) in cases {
        let problems = bad(&with_checks(&format!("  c: {check}\n").replace("c: service", "c:\n    service")));
        assert_eq!(problems.len(), 1, "{check}: {problems:?}");
        assert!(problems[0].contains(expected), "{check}: {problems:?}");
    }
}

#[test]
fn mistakes_in_journeys() {
    let cases = [
        ("[]", "a journey has 1 to 50 steps, this one has 0"),
        ("[{name: x, get: /a}, {name: x, get: /b}]", "steps[1].name: another step has this name"),
        ("[{get: /a}]", "`name` is missing"),
        ("[{name: x}]", "needs `get`, `post`"),
        ("[{name: x, get: /a, put: /b}]", "`get` and `put` exclude each other"),
        ("[{name: x, request: {path: /a}, json: {}}]", "move `json` into `request`"),
        ("[{name: x, get: '/a/{{ cart }}'}]", "no earlier step captures `cart`"),
        ("[{name: x, get: '/a/{{ b.c }}'}]", "the name of a captured value, not \"b.c\""),
        ("[{name: x, get: '/a/{{ b'}]", "`{{` without `}}`"),
        (
            "[{name: x, get: /a, capture: {cart: {json: $.c}}}, {name: y, get: '/{{ carts }}'}]",
            "mean `cart`?",
        ),
        ("[{name: x, get: /a, capture: {1a: {json: $.c}}}]", "no name for a value"),
        ("[{name: x, get: /a, capture: {a: {json: c}}}]", "expected a JSONPath"),
        ("[{name: x, get: /a, capture: {a: {}}}]", "needs `json` or `header`"),
        ("[{name: x, get: /a, within: 6s}]", "longer than the check's timeout"),
        ("[{name: x, get: /a, in: c}]", "there is no region of the service `c`"),
        ("[{name: x, post: /a, json: {v: {{ cart }} }}]", "need quotes, as in"),
    ];
    for (steps, expected) in cases {
        let problems = bad(&with_checks(&format!("  c: {{service: shop, journey: {{steps: {steps}}}}}\n")));
        assert_eq!(problems.len(), 1, "{steps}: {problems:?}");
        assert!(problems[0].contains(expected), "{steps}: {problems:?}");
    }
}

#[test]
fn mistakes_in_steering() {
    let checks = with_checks("  c: {service: shop, tcp: {}, interval: 10s, timeout: 5s}\n");
    let cases = [
        ("automation: sometimes", "expected `on`, `observe` or `off`"),
        ("fresh: 20s", "the evidence of check `c` would be forgotten before it counts: use at least 30s"),
        ("{hold: 10m, fresh: 31s}", "use at least 10m5s"),
        ("{hold: 1s, confirm_every: 2s}", "longer than the `hold` of 1s"),
        ("keep_regions: 3", "service `shop` has only 2 of the 3 regions"),
        ("max_evacuated: 0", "expected a whole number from 1 to 100"),
        ("proof: {max_share: 5}", "expected a share from 0% to 50%"),
        ("proof: {samples: many}", "expected a whole number from 1 to 200"),
        ("failback: {recover: 1h, recover_max: 30m}", "is shorter than `recover`, which is 1h"),
        ("failback: {steps: [50]}", "ascend and end in 100"),
    ];
    for (setting, expected) in cases {
        let setting = if setting.starts_with('{') { setting.to_owned() } else { format!("{{{setting}}}") };
        let problems = bad(&format!("{checks}steering: {setting}\n"));
        assert_eq!(problems.len(), 1, "{setting}: {problems:?}");
        assert!(problems[0].contains(expected), "{setting}: {problems:?}");
    }
}

#[test]
fn mistakes_in_services_and_probes() {
    let cases = [
        ("services: {s: {regions: {a: {url: http://h, weight: 0}}}}", "the weights add up to 0"),
        ("services: {s: {regions: {a: {url: http://h, weight: 101}}}}", "whole number from 0 to 100"),
        ("services: {s: {regions: {}}}", "at least one region"),
        ("services: {s: {}}", "services.s: `regions` is missing"),
        ("services: {s: {regions: {a: http://h?q=1}}}", "must end before `?`"),
        ("services: {s: {regions: {a: h.example.com}}}", "expected a URL such as"),
        ("services: {s: {regions: {a: 'http://'}}}", "expected a URL such as"),
        ("services: {s: {regions: {a: http:h}}}", "expected a URL such as"),
        ("services: {s: {regions: {b: http://h}}}", "services.s.regions.b: there is no region `b`"),
        ("probes: {p: {region: a}}", "`token` is missing"),
        ("probes: {p: {region: a, token: {}}}", "needs `file`, `env` or `sha256`"),
        ("probes: {p: {region: a, token: {sha256: abc}}}", "64 hexadecimal digits"),
        ("probes: {a: {region: a, token: {env: T}}}", "would have two meanings"),
        (
            "probes: {p: {region: a, token: {env: T}}, q: {region: a, token: {env: T}}}",
            "has the token of `p`",
        ),
        ("check: {}", "unknown key `check`; did you mean `checks`?"),
    ];
    for (section, expected) in cases {
        let problems = bad(&format!("version: 1\nregions: {{a: {{}}}}\n{section}\n"));
        assert_eq!(problems.len(), 1, "{section}: {problems:?}");
        assert!(problems[0].contains(expected), "{section}: {problems:?}");
    }
    let lonely = "version: 1\nregions: {a: }\nservices: {s: {regions: {a: http://h}}}\n\
                  checks:\n  c: {service: s, to: public, tcp: }\n  d: {service: s, journey: {steps: [\
                  {name: x, get: /, in: other}]}}\n";
    let problems = bad(lonely);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("no probe that could run them"), "{problems:?}");
    assert!(problems[1].contains("has no `public` address"), "{problems:?}");
    assert!(problems[2].contains("only one region"), "{problems:?}");
}

#[test]
fn a_wrong_entry_does_not_make_its_readers_wrong() {
    let problems = bad("version: 1\nregions: {a: {nam: x}}\nprobes: {p: {region: a, token: 5}}\n\
         services: {s: {regions: {a: http://h}, receivers: [r]}}\nreceivers: {r: {webhook: http://h}}\n\
         checks: {c: {service: s, from: a, to: a, tcp: {}}}\n");
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn there_is_an_end_to_problems() {
    let many = format!("version: 1\nregions:\n{}", "  - x\n".repeat(10)) + &"A: {}\n".repeat(20_000);
    let report = parse(&many, "x").expect_err("refused").to_string();
    assert!(report.ends_with("500 problems or more in x"), "{}", &report[report.len() - 100..]);
}
