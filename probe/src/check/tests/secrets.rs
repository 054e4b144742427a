//! Secrets of the probe in checks, against a server that hands back all it hears.

use super::*;
use crate::secrets::Secrets;
use std::fs;
use wire::assignment::{Journey, Source, Step, Tcp, WebSocket};

const VALUE: &str = "pa\"ss/wörd & more";

/// A network with the secrets `shop-key` and `word`.
fn with_secrets() -> (tempfile::TempDir, Net) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.key"), format!("{VALUE}\n")).expect("written");
    let document = "shop-key: { file: shop.key }\nword: { command: [printf, 'open-sesame'] }\n\
                    elsewhere: { env: PATH, hosts: [shop.test] }\n";
    fs::write(folder.path().join("secrets.yaml"), document).expect("written");
    let secrets = Secrets::load(&folder.path().join("secrets.yaml")).expect("a right document");
    (folder, net(&[]).with_secrets(secrets))
}

/// Answers 500 with the request in several spellings.
async fn echo() -> Server {
    Server::start(|_, request, mut stream| async move {
        let json = serde_json::Value::from(request.as_str()).to_string();
        let encoded: String = url::form_urlencoded::byte_serialize(request.as_bytes()).collect();
        let last = request.lines().last().unwrap_or_default();
        let body = format!("{last}\n{request}\n{json}\n{encoded}");
        let region = request.lines().find_map(|line| line.strip_prefix("x-word: ")).unwrap_or("eu");
        let answer = answer("500 Oops", &format!("x-region: {region}\r\n"), &body);
        let _client_may_be_gone = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

async fn ask(kind: CheckKind, url: String, net: &Net) -> Measured {
    let check = check(kind);
    let found = run(&check, &here(url), net, &trace_run()).await;
    sound(&check, &found);
    found
}

/// Nothing that leaves the probe holds a value, in any spelling that this test can think of.
#[track_caller]
fn clean(found: &Measured) {
    let all = format!("{found:?}");
    for part in ["open-sesame", "b3Blbi1zZXNhbWU", "wörd", "w%C3%B6rd", "pa\\\\\"ss", "ss/w"] {
        assert!(!all.contains(part), "{part} in {all}");
    }
}

#[tokio::test]
async fn values_are_sent_and_never_kept() {
    let (_folder, net) = with_secrets();
    let server = echo().await;
    let mut request = get("/hook/{{ secret.word }}?a=b");
    request.method = "POST".into();
    request.headers.insert("x-word".into(), "{{secret.word}}".into());
    request.body = Some("key={{ secret.shop-key }}&other={{ region }}".into());
    let found = ask(CheckKind::Http(request), server.url(), &net).await;
    failed(&found, FailClass::Status, "saw 500");
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /hook/open-sesame?a=b"), "{seen}");
    assert!(seen.contains("x-word: open-sesame\r\n"), "{seen}");
    assert!(seen.ends_with(&format!("key={VALUE}&other=eu")), "{seen}");
    clean(&found);
    let excerpt = found.evidence.expect("failures have evidence").excerpt.expect("a body");
    assert!(excerpt.contains("key=[redacted]&other="), "{excerpt}");
    assert_eq!(found.served_by.as_deref(), Some("[redacted]"));
}

#[tokio::test]
async fn what_was_expected_is_kept_no_more_than_what_was_said() {
    let (_folder, net) = with_secrets();
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope").await;
    let mut request = get("/");
    request.expect.body_contains = Some("{{ secret.shop-key }} {{ secret.word }}".into());
    let found = ask(CheckKind::Http(request), server.url(), &net).await;
    failed(&found, FailClass::Assertion, "[redacted]");
    clean(&found);
}

#[tokio::test]
async fn other_kinds_use_secrets_too() {
    let (_folder, net) = with_secrets();
    let server = Server::start(|_, request, mut stream| async move {
        let _client_may_be_gone = stream.write_all(format!("you said {request}").as_bytes()).await;
    })
    .await;
    let tcp = Tcp {
        send: Some("AUTH {{ secret.word }}\r\n\r\n".into()),
        expect: Some("+OK".into()),
        starttls: None,
    };
    let found = ask(CheckKind::Tcp(tcp), format!("tcp://{}", server.address), &net).await;
    failed(&found, FailClass::Assertion, "it said \"you said AUTH [redacted]");
    clean(&found);
    assert_eq!(server.seen(), ["AUTH open-sesame\r\n\r\n"]);

    let socket = WebSocket {
        path: "/live?t={{ secret.word }}".into(),
        headers: [("authorization".to_owned(), "Bearer {{ secret.word }}".to_owned())].into(),
        send: None,
        expect: None,
    };
    let server = echo().await;
    let found = ask(CheckKind::WebSocket(socket), server.url(), &net).await;
    failed(&found, FailClass::Status, "saw 500");
    assert!(server.seen()[0].contains("Bearer open-sesame"), "{:?}", server.seen());
    clean(&found);
}

#[tokio::test]
async fn journeys_use_secrets_in_their_templates() {
    let (_folder, net) = with_secrets();
    let server = echo().await;
    let mut request = get("/{{ secret.word }}/{{ secret.shop-key|length }}");
    request.headers.insert("x-word".into(), "{{ secret.word|upper }}{{ secret }}".into());
    request.expect.status = vec![500];
    let mut again = get("/{{ heard }}");
    again.headers.insert("x-word".into(), "{{ secret.word }}".into());
    let step = |name: &str, request, capture| Step { name: name.into(), request, capture, ..Step::default() };
    let capture = [
        ("heard".to_owned(), Source::Header("x-region".into())),
        ("secret".to_owned(), Source::Header("x-region".into())),
    ];
    let steps = vec![step("one", request, capture.into()), step("two", again, Default::default())];
    let found =
        ask(CheckKind::Journey(Journey { steps, set: Vec::new(), cleanup_us: SECOND }), server.url(), &net)
            .await;
    failed(&found, FailClass::Status, "saw 500");
    let seen = server.seen();
    assert!(seen[0].starts_with(&format!("GET /open-sesame/{} HTTP", VALUE.chars().count())), "{seen:?}");
    assert!(seen[0].contains("x-word: OPEN-SESAME[redacted]\r\n"), "{seen:?}");
    assert!(seen[1].contains("x-word: open-sesame\r\n"), "{seen:?}");
    clean(&found);
}

#[tokio::test]
async fn a_probe_without_the_secret_says_nothing_of_the_target() {
    let (_folder, net) = with_secrets();
    let server = echo().await;
    let mut request = get("/");
    request.headers.insert("x-key".into(), "{{ secret.shopkey }}".into());
    let found = ask(CheckKind::Http(request.clone()), server.url(), &net).await;
    assert_eq!(found.outcome, Outcome::Unsupported, "{found:?}");
    let summary = found.evidence.expect("it says why").summary;
    assert_eq!(
        summary,
        "this probe has no secret `shopkey`: add it to the probe's secrets file; there are elsewhere, shop-key, word"
    );
    let none = ask(CheckKind::Http(request), server.url(), &super::net(&[])).await;
    assert_eq!(none.outcome, Outcome::Unsupported, "{none:?}");
    assert!(none.evidence.is_some_and(|evidence| evidence.summary.contains("--secrets FILE")));
    let found = ask(CheckKind::Http(get("/{{ secret.elsewhere }}")), server.url(), &net).await;
    assert_eq!(found.outcome, Outcome::Unsupported, "{found:?}");
    let summary = found.evidence.expect("it says why").summary;
    let expected = "this probe does not send the secret `elsewhere` to 127.0.0.1: the secrets file allows it for shop.test";
    assert!(summary.starts_with(expected), "{summary}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_takes_no_secret_elsewhere() {
    let (_folder, net) = with_secrets();
    let other = echo().await;
    let to = other.url();
    let here_again = Server::start(move |_, request, mut stream| {
        let to = to.clone();
        async move {
            let place =
                if request.starts_with("POST /inside") { "/end".to_owned() } else { format!("{to}/end") };
            let text = answer("307 Elsewhere", &format!("location: {place}\r\n"), "");
            let text = if request.starts_with("POST /end") { answer("200 OK", "", "") } else { text };
            let _client_may_be_gone = stream.write_all(text.as_bytes()).await;
        }
    })
    .await;
    let ask_at = async |path: &str, body: &str, header: &str| {
        let mut request = get(path);
        request.method = "POST".into();
        request.body = Some(body.into());
        request.headers.insert("x-plain".into(), header.into());
        let mut check = check(CheckKind::Http(request));
        check.reach.redirects = 3;
        run(&check, &here(here_again.url()), &net, &trace_run()).await
    };
    for (body, header) in [("word={{ secret.word }}", "x"), ("word", "{{ secret.word }}")] {
        let found = ask_at("/outside", body, header).await;
        assert_eq!(found.outcome, Outcome::Fail(FailClass::Request), "{found:?}");
        let why = found.evidence.as_ref().map(|evidence| evidence.summary.clone()).unwrap_or_default();
        assert!(why.contains("another origin") && why.contains("secret"), "{why}");
        clean(&found);
        let inside = ask_at("/inside", body, header).await;
        assert_eq!(inside.outcome, Outcome::Ok, "{inside:?}");
    }
    assert!(other.seen().is_empty(), "{:?}", other.seen());
    ask_at("/outside", "plain", "x").await;
    assert_eq!(other.seen().len(), 1, "without a secret it is followed");
}
