//! Recordings written by hand, as browsers save them, and what they become.

use import::{Error, Imported, Options};
use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};
use proptest::prelude::*;
use serde_json::{Value, json};

const CHROME: &[u8] = include_bytes!("fixtures/chrome.har");
const FIREFOX: &[u8] = include_bytes!("fixtures/firefox.har");

/// The check that was made, as a tree.
fn check(imported: &Imported) -> Value {
    let document: Value = serde_saphyr::from_str(&imported.yaml).expect(&imported.yaml);
    let checks = document["checks"].as_object().expect("checks");
    assert_eq!(checks.len(), 1);
    checks.values().next().expect("one check").clone()
}

fn steps(imported: &Imported) -> Vec<Value> {
    check(imported)["journey"]["steps"].as_array().expect("steps").clone()
}

fn step(imported: &Imported, name: &str) -> Value {
    let steps = steps(imported);
    let found = steps.iter().find(|step| step["name"] == name);
    found.unwrap_or_else(|| panic!("no step {name} in {}", imported.yaml)).clone()
}

fn noted(imported: &Imported, words: &str) {
    assert!(imported.notes.iter().any(|note| note.contains(words)), "{words}: {:#?}", imported.notes);
}

#[test]
fn a_login_becomes_a_journey() {
    let imported = import::har(CHROME, &Options::default()).expect("a journey");
    let names: Vec<String> =
        steps(&imported).iter().filter_map(|s| s["name"].as_str().map(str::to_owned)).collect();
    assert_eq!(
        names,
        ["get-login", "post-login", "get-cart", "get-session", "post-orders", "get-orders-status"],
        "in the order of time"
    );
    assert_eq!(
        step(&imported, "get-login"),
        json!({ "name": "get-login", "get": "/login?next=%2Fcart", "expect": { "status": 200 } })
    );
    assert_eq!(
        step(&imported, "post-login"),
        json!({
            "name": "post-login",
            "post": "/login",
            "headers": { "content-type": "application/x-www-form-urlencoded", "origin": "https://www.shop.example.org" },
            "body": "csrf_token={{ secret.shop_csrf_token }}&email=probe%40example.org&password={{ secret.shop_password }}&next=%2Fcart",
            "expect": { "status": 302 }
        })
    );
    assert_eq!(
        step(&imported, "get-session")["capture"],
        json!({
            "access_token": { "json": "$.access_token" },
            "cart_id": { "json": "$.cart.id" },
            "sku": { "json": "$.skus[0].sku" }
        })
    );
    let order = step(&imported, "post-orders");
    assert_eq!(
        order["headers"],
        json!({
            "accept": "application/json",
            "authorization": "Bearer {{ access_token }}",
            "content-type": "application/json",
            "x-api-key": "{{ secret.shop_x_api_key }}",
            "idempotency-key": "{{ run.id }}"
        })
    );
    assert_eq!(order["capture"], json!({ "orders_id": { "json": "$.id" } }));
    let last = step(&imported, "get-orders-status");
    assert_eq!(last["get"], "/api/v1/orders/{{ orders_id }}/status?access_token={{ access_token }}");
    assert_eq!(last.get("expect"), None, "304 was the answer to a condition that the probe does not send");
    let check = check(&imported);
    assert_eq!((&check["service"], &check["impact"]), (&json!("shop"), &json!("degraded")));
}

#[test]
fn what_is_left_out_is_told() {
    let imported = import::har(CHROME, &Options::default()).expect("a journey");
    for words in [
        "left out 1 images, fonts, scripts and style sheets",
        "https://cdn.example.net (1)",
        "https://shop.example.org (1)",
        "wss://www.shop.example.org (1)",
        "POST www.shop.example.org/api/v1/photo: its body is a multipart form",
        "GET www.shop.example.org/api/v1/cancelled: no answer",
        "the cookies `legacy` of GET www.shop.example.org/cart",
        "{{ secret.shop_password }} stands for the form field `password` in POST www.shop.example.org/login",
        "secrets are named in the file that `sextant probe --secrets` reads",
        "{{ secret.shop_csrf_token }} was given by the page of GET www.shop.example.org/login",
    ] {
        noted(&imported, words);
    }
    let all = import::har(CHROME, &Options { all: true, ..Options::default() }).expect("a journey");
    assert_eq!(steps(&all).len(), 7);
}

#[test]
fn no_secret_is_written() {
    let options = Options { all: true, document: true, ..Options::default() };
    let secrets = [
        "kZ81sessionCookieQ7",
        "Tk3CsrfMarker99",
        "hunter2",
        "Acc3ssTokenMarker_x1",
        "apiKeyMarker42",
        "0ldCookieMarker",
        "AIzaThirdPartyKey",
        "987654",
        "v1s1torMarker",
        "4321",
    ];
    for bytes in [CHROME, FIREFOX] {
        let imported = import::har(bytes, &options).expect("a journey");
        let whole = format!("{}{:?}", imported.yaml, imported.notes);
        for secret in secrets {
            assert!(!whole.contains(secret), "{secret} in {whole}");
        }
    }
}

#[test]
fn firefox_saves_less() {
    let imported = import::har(FIREFOX, &Options::default()).expect("a journey");
    assert_eq!(
        steps(&imported),
        [
            json!({
                "name": "get-products",
                "get": "/products",
                "headers": { "cookie": "visitor={{ secret.localhost_cookie_visitor }}" },
                "expect": { "status": 200 }
            }),
            json!({
                "name": "put-profile",
                "put": "/profile?name=J%C3%BCrgen&q=%7B{x}}",
                "headers": { "content-type": "application/x-www-form-urlencoded" },
                "body": "nick=j+%26+k&pin={{ secret.localhost_pin }}",
                "expect": { "status": 409 }
            })
        ]
    );
    noted(&imported, "left out the header `x-note`");
    noted(&imported, "was answered with 409");
}

#[test]
fn a_document_has_all_that_is_needed() {
    let id = |text: &str| text.parse().expect("an id");
    let options = Options {
        name: Some("order".parse().expect("an id")),
        service: Some(id("store")),
        document: true,
        ..Options::default()
    };
    let imported = import::har(FIREFOX, &options).expect("a journey");
    let document: Value = serde_saphyr::from_str(&imported.yaml).expect("YAML");
    assert_eq!(document["services"], json!({ "store": { "regions": { "home": "http://localhost:8080" } } }));
    assert_eq!(document["checks"]["order"]["service"], "store");
    let fragment = import::har(FIREFOX, &Options::default()).expect("a journey").yaml;
    let fragment: Value = serde_saphyr::from_str(&fragment).expect("YAML");
    assert_eq!(fragment.as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn another_host_can_be_chosen() {
    let host = |host: &str| {
        let options = Options { host: Some(host.to_owned()), ..Options::default() };
        import::har(CHROME, &options)
    };
    assert_eq!(steps(&host("shop.example.org").expect("a journey")).len(), 1);
    let unknown = host("nowhere.example.org").expect_err("no such host").to_string();
    assert!(unknown.contains("cdn.example.net, shop.example.org, www.shop.example.org"), "{unknown}");
    // Only a script, which is left out.
    assert!(matches!(host("cdn.example.net"), Err(Error::Nothing(_))));
}

#[test]
fn what_is_no_har_is_refused_without_its_values() {
    for (text, word) in [
        ("", "no HAR file"),
        ("{}", "missing field `log`"),
        (
            r#"{"log":{"entries":[{"request":{"method":"GET","url":"x","headers":"hunter2"}}]}}"#,
            "wrong kind at line 1",
        ),
        (r#"{"log":{"entries":[]}}"#, "nothing to make a step of"),
    ] {
        let error = import::har(text.as_bytes(), &Options::default()).expect_err(text).to_string();
        assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_journey_has_at_most_fifty_steps() {
    let entry = |n: usize| json!({ "request": { "method": "GET", "url": format!("https://a.example/p{n}") }, "response": { "status": 200 } });
    let entries: Vec<Value> = (0..60).map(entry).collect();
    let har = json!({ "log": { "entries": entries } }).to_string();
    let imported = import::har(har.as_bytes(), &Options::default()).expect("a journey");
    assert_eq!(steps(&imported).len(), import::MOST_STEPS);
    noted(&imported, "kept the first 50");
}

/// A file with one request.
fn post(body: &str, kind: &str) -> String {
    let data = json!({ "mimeType": kind, "text": body });
    let request = json!({ "method": "POST", "url": "https://a.example/x", "headers": [], "postData": data });
    json!({ "log": { "entries": [{ "request": request, "response": { "status": 200 } }] } }).to_string()
}

#[test]
fn large_and_binary_bodies_are_refused() {
    let long = "x".repeat(64 << 10);
    for (body, kind, words) in [
        (long.as_str(), "text/plain", "fit into a step"),
        ("a\u{0}b", "text/plain", "binary"),
        ("abc", "application/octet-stream", "binary"),
    ] {
        let error =
            import::har(post(body, kind).as_bytes(), &Options::default()).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// What the probe sends for a body.
fn rendered(imported: &Imported) -> String {
    let step = steps(imported).remove(0);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    syntax.block_delimiters("\u{0}{%", "%}\u{0}").comment_delimiters("\u{0}{#", "#}\u{0}");
    environment.set_syntax(syntax.build().expect("a syntax"));
    environment.render_str(step["body"].as_str().unwrap_or_default(), context! {}).expect(&imported.yaml)
}

proptest! {
    #[test]
    fn any_body_survives(body in "([{}%#'\":\\\\ \n\t-]|\\{\\{|raw|[a-z]|\\PC){1,60}", json in any::<bool>()) {
        let body = if json { json!({ "a": body }).to_string() } else { body };
        let har = post(&body, if json { "application/json" } else { "text/plain" });
        match import::har(har.as_bytes(), &Options::default()) {
            Ok(imported) => prop_assert_eq!(rendered(&imported), body),
            Err(error) => prop_assert!(body.contains('\u{fffd}'), "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = import::har(&bytes, &Options::default());
        let _ = import::curl(&String::from_utf8_lossy(&bytes), &Options::default());
    }

    #[test]
    fn any_entry_is_read_or_refused(
        method in "GET|POST|\\PC{0,5}",
        url in "https?://[a-z.]{1,8}(:[0-9]{1,5})?/\\PC{0,20}|\\PC{0,20}",
        headers in proptest::collection::vec(("\\PC{0,12}|cookie|authorization", "\\PC{0,30}"), 0..5),
        status in -2i64..1000,
        time in "\\PC{0,12}|2026-11-21T03:0[0-9]:00Z",
        answer in "\\PC{0,30}|\\{\"id\":\"[a-z0-9]{0,12}\"\\}",
    ) {
        let headers: Vec<Value> = headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let entry = json!({
            "startedDateTime": time,
            "request": { "method": method, "url": url, "headers": headers, "postData": { "text": answer } },
            "response": { "status": status, "headers": headers, "content": { "text": answer } }
        });
        let har = json!({ "log": { "entries": [entry.clone(), entry] } }).to_string();
        if let Ok(imported) = import::har(har.as_bytes(), &Options { document: true, ..Options::default() }) {
            prop_assert!(!steps(&imported).is_empty());
        }
    }
}

#[test]
fn a_session_is_found_where_it_stands_besides() {
    let request =
        |method: &str, url: &str, headers: Value| json!({ "method": method, "url": url, "headers": headers });
    let entries = json!([
        {
            "request": request("GET", "https://a.example/start", json!([])),
            "response": {
                "status": 303,
                "headers": [
                    { "name": "set-cookie", "value": "sid=s3ss10nMarker; Path=/" },
                    { "name": "location", "value": "/orders/l0cat10n-99" }
                ]
            }
        },
        {
            "request": request(
                "GET",
                "https://a.example/orders/l0cat10n-99?trace=s3ss10nMarker",
                json!([{ "name": "cookie", "value": "sid=s3ss10nMarker" }])
            ),
            "response": { "status": 200 }
        }
    ]);
    let har = json!({ "log": { "entries": entries } }).to_string();
    let imported = import::har(har.as_bytes(), &Options::default()).expect("a journey");
    let second = steps(&imported).remove(1);
    assert_eq!(second["get"], "/orders/l0cat10n-99?trace={{ secret.a_cookie_sid }}");
    assert_eq!(second.get("headers"), None, "the journey has the cookie by itself");
    noted(&imported, "give the probes that run this check a secret `a_cookie_sid`");
    let whole = format!("{}{:?}", imported.yaml, imported.notes);
    assert!(!whole.contains("s3ss10nMarker"), "{whole}");
}

#[test]
fn secrets_are_found_in_depth_and_in_any_writing() {
    let entry = |body: &str, kind: &str, answer: Value| {
        let data = json!({ "mimeType": kind, "text": body });
        json!({
            "request": { "method": "POST", "url": "https://a.example/x", "headers": [], "postData": data },
            "response": { "status": 200, "content": { "mimeType": "application/json", "text": answer.to_string() } }
        })
    };
    let entries = [
        entry(
            r#"{"credentials":[{"type":"pw","value":"k3ycl0ak"}],"password":"p\"ss w0rd"}"#,
            "application/json",
            json!({ "by": { "s3ss10nKeyMarker77": { "cart": "c4rt99887766" } } }),
        ),
        entry("pass=p%22ss+w0rd&cart=c4rt99887766", "application/x-www-form-urlencoded", json!({})),
        entry("again p\"ss w0rd", "text/plain", json!({})),
    ];
    let har = json!({ "log": { "entries": entries } }).to_string();
    let imported = import::har(har.as_bytes(), &Options::default()).expect("a journey");
    let bodies: Vec<String> =
        steps(&imported).iter().filter_map(|s| s["body"].as_str().map(str::to_owned)).collect();
    assert_eq!(
        bodies,
        [
            "{\"credentials\":[{\"type\":\"{{ secret.a_type }}\",\"value\":\"{{ secret.a_value }}\"}],\
             \"password\":\"{{ secret.a_password }}\"}",
            "pass={{ secret.a_pass }}&cart=c4rt99887766",
            "again {{ secret.a_password_2 }}"
        ]
    );
    let whole = format!("{}{:?}", imported.yaml, imported.notes);
    for secret in ["k3ycl0ak", "ss w0rd", "ss+w0rd", "s3ss10nKeyMarker77"] {
        assert!(!whole.contains(secret), "{secret} in {whole}");
    }
    noted(&imported, "a secret `a_password_2`");
}
