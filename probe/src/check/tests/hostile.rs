//! Whatever a server sends, there is a result, and soon.

use super::*;
use proptest::prelude::*;
use wire::assignment::{Expect, Journey, Source, Step};

/// A journey that uses everything of an answer: status, text, JSON, headers, cookies, captures.
fn greedy() -> AssignedCheck {
    let expect = Expect {
        status: Vec::new(),
        body_contains: Some("a".into()),
        json: [("$..a".to_owned(), "1".to_owned())].into(),
        ..Expect::default()
    };
    let step = Step {
        name: "s".into(),
        request: Request { expect, ..get("/") },
        capture: [("c".to_owned(), Source::Header("set-cookie".into()))].into(),
        ..Step::default()
    };
    let mut next = step.clone();
    next.request.headers.insert("x-c".into(), "{{ c }}".into());
    AssignedCheck {
        timeout_us: 300_000,
        ..check(CheckKind::Journey(Journey { steps: vec![step, next], set: Vec::new(), cleanup_us: SECOND }))
    }
}

/// Bytes that look like HTTP for a while, so that the deeper parts are reached.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max);
    let head = prop_oneof![
        Just(&b"HTTP/1.1 200 OK\r\n"[..]),
        Just(&b"HTTP/1.0 200\r\n"[..]),
        Just(&b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"[..]),
        Just(&b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n"[..]),
        Just(&b""[..]),
    ];
    let field = prop_oneof![
        Just(&b"transfer-encoding: chunked\r\n"[..]),
        Just(&b"content-length: 5\r\n"[..]),
        Just(&b"set-cookie: "[..]),
        Just(&b"x-region: "[..]),
        Just(&b""[..]),
    ];
    let body = prop_oneof![
        Just(&b"\r\n{\"a\":1}"[..]),
        Just(&b"\r\n5\r\n{\"a\"}\r\n"[..]),
        Just(&b"\r\nffffffffffffffff\r\n"[..]),
        Just(&b"\r\n\r\n"[..]),
    ];
    (head, field, bytes(40), body, bytes(200))
        .prop_map(|(head, field, middle, body, rest)| [head, field, &middle, b"\r\n", body, &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_gives_a_result(bytes in nearly_http()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::saying(bytes).await;
            run_one(&greedy(), server.url()).await;
            let single = AssignedCheck { timeout_us: 300_000, ..check(CheckKind::Http(get("/"))) };
            run_one(&single, server.url()).await;
        });
    }

    #[test]
    fn any_handshake_gives_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address = listener.local_addr().expect("bound");
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("client connects");
                let _gone = stream.write_all(&bytes).await;
            });
            let single = AssignedCheck { timeout_us: 300_000, ..check(CheckKind::Http(get("/"))) };
            let found = run_one(&single, format!("https://{address}")).await;
            assert!(found.outcome.is_fail());
        });
    }
}
