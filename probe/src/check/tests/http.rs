//! Plain HTTP and TCP: phases, failures, expectations.

use super::*;
use std::net::{IpAddr, Ipv4Addr};
use wire::assignment::{Expect, Tcp};

#[tokio::test]
async fn a_known_delay_shows_in_wait() {
    let server = Server::start(|_, _, mut stream| async move {
        pause(50).await;
        let text = answer("200 OK", "x-region: eu\r\n", "hello");
        stream.write_all(text.as_bytes()).await.expect("client reads");
    })
    .await;
    let found = run_http(get("/a?b"), server.url()).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.wait.expect("waited") >= 50_000, "{found:?}");
    assert!(found.phases.transfer < found.phases.wait, "{found:?}");
    assert!(found.phases.connect.is_some() && found.phases.send.is_some());
    assert_eq!((found.phases.dns, found.phases.tls), (None, None));
    assert_eq!((found.status, found.bytes, found.served_by.as_deref()), (Some(200), Some(5), Some("eu")));
    assert_eq!(found.address, Some(server.address.to_string()));
    assert_eq!(found.trace_id, Some("ab".repeat(16)));
}

#[tokio::test]
async fn a_slow_body_shows_in_transfer() {
    let server = Server::start(|_, _, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na").await.expect("client reads");
        pause(80).await;
        stream.write_all(b"b").await.expect("client reads");
    })
    .await;
    let found = run_http(get("/"), server.url()).await;
    assert_eq!((found.outcome, found.bytes), (Outcome::Ok, Some(2)));
    assert!(found.phases.transfer.expect("read") >= 50_000, "{found:?}");
}

#[tokio::test]
async fn a_slow_reader_shows_in_send() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("client connects");
        pause(200).await;
        let mut sink = vec![0; 65_536];
        let mut left = 32 << 20;
        while left > 0 {
            let read = stream.read(&mut sink).await.expect("client writes");
            left -= read.min(left);
        }
        stream.write_all(answer("200 OK", "", "").as_bytes()).await.expect("client reads");
        pause(1_000).await;
    });
    let request = Request { method: "POST".into(), body: Some("x".repeat(32 << 20)), ..get("/") };
    let found = run_http(request, url).await;
    server.abort();
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.send.expect("sent") >= 100_000, "{found:?}");
}

#[tokio::test]
async fn the_request_is_complete_and_its_own_headers_win() {
    let server = Server::saying(answer("200 OK", "", "")).await;
    let host = server.address;
    let request = Request {
        method: "post".into(),
        headers: [("Accept", "text/html"), ("X-A", "ü")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        body: Some("{}".into()),
        ..get("/x y?q=1")
    };
    run_http(request, server.url()).await;
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /x%20y?q=1 HTTP/1.1\r\n"), "{seen}");
    for line in [
        format!("host: {host}"),
        "connection: close".to_owned(),
        "accept: text/html".to_owned(),
        "x-a: ü".to_owned(),
        "content-length: 2".to_owned(),
        format!("user-agent: sextant/{}", env!("CARGO_PKG_VERSION")),
        format!("traceparent: 00-{}-0000000000000007-01", "ab".repeat(16)),
    ] {
        assert!(seen.contains(&format!("\r\n{line}\r\n")), "{line} in {seen}");
    }
    assert!(seen.ends_with("\r\n\r\n{}"));

    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let request = Request { headers: [("TraceParent".to_owned(), own.to_owned())].into(), ..get("/") };
    let found = run_http(request, server.url()).await;
    assert!(server.seen()[1].contains(own));
    assert_eq!(found.trace_id, None);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::saying(answer("302 Found", "location: /elsewhere\r\n", "")).await;
    let found = run_http(get("/"), server.url()).await;
    assert_eq!((found.outcome, found.status), (Outcome::Ok, Some(302)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        listener.local_addr().expect("bound")
    };
    let found = run_http(get("/"), format!("http://{address}")).await;
    failed(&found, FailClass::Connect, "refused");
    assert!(found.phases.connect.is_some() && found.phases.send.is_none());
    assert_eq!((found.address, found.trace_id), (Some(address.to_string()), None));
    let found = run_one(&check(CheckKind::Tcp(Tcp::default())), format!("tcp://{address}")).await;
    failed(&found, FailClass::Connect, "refused");
}

#[tokio::test]
async fn tcp_checks_only_connect() {
    let server = Server::saying("").await;
    let found = run_one(&check(CheckKind::Tcp(Tcp::default())), format!("tcp://{}", server.address)).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert_eq!(found.phases.named().map(|(name, _)| name).collect::<Vec<_>>(), ["connect"]);
    assert_eq!((found.trace_id, found.bytes), (None, None));
    let found = run_one(&check(CheckKind::Tcp(Tcp::default())), "tcp://127.0.0.1").await;
    failed(&found, FailClass::Request, "no port");
}

#[tokio::test]
async fn names_have_a_dns_phase_unless_pinned() {
    let server = Server::saying(answer("204 No Content", "", "")).await;
    let port = server.address.port();
    let found = run_http(get("/"), format!("http://localhost:{port}")).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.dns.is_some());

    let pinned = net(&[&format!("shop.test:80=127.0.0.1:{port}")]);
    let found =
        run(&check(CheckKind::Http(get("/"))), &here("http://Shop.Test"), &pinned, &trace_run()).await;
    assert_eq!((found.outcome, found.phases.dns), (Outcome::Ok, None));
    assert!(server.seen()[1].contains("\r\nhost: shop.test\r\n"));

    // Too long for a label, so that it fails without asking the network.
    let name = format!("{}.invalid", "x".repeat(64));
    let found = run_http(get("/"), format!("http://{name}")).await;
    failed(&found, FailClass::Dns, "did not resolve");
    assert!(found.phases.dns.is_some() && found.phases.connect.is_none());
}

#[tokio::test]
async fn forbidden_addresses_are_not_connected_to() {
    for url in
        ["http://169.254.169.254/latest", "http://[::ffff:a9fe:a9fe]/", "http://0.0.0.0/", "http://[::]/"]
    {
        let found = run_http(get("/"), url).await;
        failed(&found, FailClass::Request, "denied");
        assert_eq!((found.phases.connect, found.address), (None, None));
    }
    let sly = net(&["shop.test:80=169.254.169.254:80"]);
    let found = run(&check(CheckKind::Http(get("/"))), &here("http://shop.test"), &sly, &trace_run()).await;
    failed(&found, FailClass::Request, "denied");
    assert!(crate::net::denied(IpAddr::V4(Ipv4Addr::LOCALHOST)).is_none());
}

#[tokio::test]
async fn silence_is_a_timeout_with_its_phase() {
    let server = Server::start(|_, _, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let quick = AssignedCheck { timeout_us: 150_000, ..check(CheckKind::Http(get("/"))) };
    let begun = std::time::Instant::now();
    let found = run_one(&quick, server.url()).await;
    assert!(begun.elapsed() >= Duration::from_millis(150), "it was cut too early");
    failed(&found, FailClass::Timeout, "no answer within 150 ms, in wait");
    assert!(found.phases.wait.expect("billed") > 100_000, "{found:?}");
    // The limit counts from before the watch, which starts when the request is ready.
    assert!(found.total_us >= 140_000 && found.status.is_none());

    let server = Server::start(|_, _, mut stream| async move {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-region: eu\r\n\r\nhalf";
        stream.write_all(half).await.expect("client reads");
        std::future::pending::<()>().await;
    })
    .await;
    let found = run_one(&quick, server.url()).await;
    failed(&found, FailClass::Timeout, "no complete answer within 150 ms, in transfer");
    assert_eq!((found.status, found.bytes, found.served_by.as_deref()), (Some(200), Some(4), Some("eu")));
    assert_eq!(found.evidence.and_then(|evidence| evidence.excerpt).as_deref(), Some("half"));
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    for garbage in ["\0\u{1}\u{2}garbage", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/9.9 200 OK\r\n\r\n", ""] {
        let server = Server::saying(garbage).await;
        let found = run_http(get("/"), server.url()).await;
        failed(&found, FailClass::Protocol, "answer");
        assert_eq!(found.status, None);
    }
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await;
    let found = run_http(get("/"), server.url()).await;
    failed(&found, FailClass::Protocol, "cut short");
    assert_eq!((found.status, found.bytes), (Some(200), Some(5)));
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    let found = run_http(get("/"), Server::saying(head).await.url()).await;
    assert!(found.outcome.is_fail());
}

#[tokio::test]
async fn a_server_that_speaks_first_is_no_http_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("client connects");
        stream.write_all(b"220 mail.test ESMTP\r\n").await.expect("client reads");
        pause(5_000).await;
    });
    let found = run_http(get("/"), url).await;
    server.abort();
    failed(&found, FailClass::Protocol, "");
}

#[tokio::test]
async fn a_reset_before_the_answer_is_a_connect_failure() {
    let server = Server::start(|_, _, stream| async move {
        let stream = stream.into_std().expect("a socket");
        // Closing with zero linger sends RST.
        socket_linger_zero(stream);
    })
    .await;
    let found = run_http(get("/"), server.url()).await;
    failed(&found, FailClass::Connect, "reset");
}

fn socket_linger_zero(stream: std::net::TcpStream) {
    let stream = TcpStream::from_std(stream).expect("a nonblocking socket");
    stream.set_zero_linger().expect("SO_LINGER is known");
}

#[tokio::test]
async fn expectations_decide() {
    let server = Server::saying(answer("500 Internal Server Error", "", "stack trace")).await;
    let found = run_http(get("/"), server.url()).await;
    failed(&found, FailClass::Status, "saw 500");
    assert_eq!(found.evidence.and_then(|evidence| evidence.excerpt).as_deref(), Some("stack trace"));

    let server = Server::saying(answer("200 OK", "", r#"{"status":"ok","n":1}"#)).await;
    let json = |path: &str, want: &str| {
        let expect = Expect { json: [(path.to_owned(), want.to_owned())].into(), ..Expect::default() };
        Request { expect, ..get("/") }
    };
    let text = |text: &str| {
        let expect = Expect { body_contains: Some(text.into()), ..Expect::default() };
        Request { expect, ..get("/") }
    };
    assert_eq!(run_http(json("$.n", "1"), server.url()).await.outcome, Outcome::Ok);
    assert_eq!(run_http(text("ok"), server.url()).await.outcome, Outcome::Ok);
    failed(&run_http(json("$.status", "up"), server.url()).await, FailClass::Assertion, "saw \"ok\"");
    failed(&run_http(text("nope"), server.url()).await, FailClass::Assertion, "\"nope\"");
    failed(&run_http(json("$[", "1"), server.url()).await, FailClass::Request, "JSONPath");
}

#[tokio::test]
async fn a_huge_body_is_bounded() {
    let server = Server::start(|_, _, mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbegin";
        let _gone = stream.write_all(head).await;
        // Ends when the client hangs up.
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let found = run_http(get("/"), server.url()).await;
    assert_eq!((found.outcome, found.bytes), (Outcome::Ok, Some(1 << 20)), "{:?}", found.evidence);
    let expect = Expect { body_contains: Some("end".into()), ..Expect::default() };
    failed(
        &run_http(Request { expect, ..get("/") }, server.url()).await,
        FailClass::Assertion,
        "the rest was not read",
    );
}

#[tokio::test]
async fn slow_runs_are_marked_and_explained() {
    let server = Server::start(|_, _, mut stream| async move {
        pause(60).await;
        stream.write_all(answer("200 OK", "", "body").as_bytes()).await.expect("client reads");
    })
    .await;
    let tight = AssignedCheck { budget_us: Some(20_000), ..check(CheckKind::Http(get("/"))) };
    let found = run_one(&tight, server.url()).await;
    assert!(found.slow && found.outcome == Outcome::Ok);
    let evidence = found.evidence.expect("slow runs have evidence");
    assert!(evidence.summary.contains("budget 20 ms (wait "), "{}", evidence.summary);
    assert_eq!(evidence.excerpt.as_deref(), Some("body"));
    let loose = AssignedCheck { budget_us: Some(4 * SECOND), ..tight };
    assert!(!run_one(&loose, server.url()).await.slow);
}

#[tokio::test]
async fn request_secrets_do_not_reach_evidence() {
    let server = Server::start(|_, request, mut stream| async move {
        let text = answer("401 Unauthorized", "", &request);
        stream.write_all(text.as_bytes()).await.expect("client reads");
    })
    .await;
    let headers =
        [("Authorization", "Bearer abc123xyz"), ("X-Api-Key", "key-4711"), ("Cookie", "sid=s3ss10n")];
    let request = Request { headers: headers.map(|(k, v)| (k.to_owned(), v.to_owned())).into(), ..get("/") };
    let found = format!("{:?}", run_http(request, server.url()).await);
    assert!(found.contains("[redacted]"));
    for secret in ["abc123xyz", "key-4711", "s3ss10n"] {
        assert!(!found.contains(secret), "{found}");
    }
    assert!(server.seen()[0].contains("Bearer abc123xyz"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_request_failure() {
    let with = |name: &str, value: &str| Request {
        headers: [(name.to_owned(), value.to_owned())].into(),
        ..get("/")
    };
    for (request, word) in [
        (with("x", "a\r\nInjected: yes"), "character"),
        (with("no good", "a"), "header name"),
        (with("host", "a b"), "cannot be sent"),
        (Request { method: "GE T".into(), ..get("/") }, "method"),
        (Request { method: "connect".into(), ..get("/") }, "method"),
        (get("/\n"), "control character"),
    ] {
        let found = run_http(request, "https://127.0.0.1:9").await;
        if word == "cannot be sent" {
            // Only found out with a connection, since HTTP/1.1 would take such a host.
            assert!(found.outcome.is_fail());
        } else {
            failed(&found, FailClass::Request, word);
            assert_eq!(found.phases.sum(), 0);
        }
    }
    failed(&run_http(get("/"), "nonsense").await, FailClass::Request, "URL");
    failed(&run_http(get("/"), "tcp://127.0.0.1:1").await, FailClass::Request, "scheme");
}

#[tokio::test]
async fn the_socket_closes_with_the_run() {
    let (closed, mut told) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |_, _, mut stream| {
        let closed = closed.clone();
        async move {
            let end = stream.read(&mut [0; 1]).await;
            closed.send(end.map_or(0, |n| n)).await.expect("the test waits");
        }
    })
    .await;
    let quick = AssignedCheck { timeout_us: 50_000, ..check(CheckKind::Http(get("/"))) };
    run_one(&quick, server.url()).await;
    assert_eq!(told.recv().await, Some(0));
    // Dropping the future early closes it, too.
    let slow = check(CheckKind::Http(get("/")));
    let (endpoint, network) = (here(server.url()), net(&[]));
    let dropped =
        tokio::time::timeout(Duration::from_millis(50), run(&slow, &endpoint, &network, &trace_run())).await;
    assert!(dropped.is_err());
    assert_eq!(told.recv().await, Some(0));
}

#[tokio::test]
async fn a_run_can_be_spawned() {
    let server = Server::saying(answer("200 OK", "", "")).await;
    let (check, endpoint, network) = (check(CheckKind::Http(get("/"))), here(server.url()), net(&[]));
    let run = tokio::spawn(async move { run(&check, &endpoint, &network, &trace_run()).await });
    assert_eq!(run.await.expect("it does not panic").outcome, Outcome::Ok);
}
