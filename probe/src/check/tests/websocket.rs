//! The WebSocket check against servers of our own.

use super::*;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use wire::assignment::WebSocket;

type Peer = WebSocketStream<TcpStream>;

/// Accepts one connection, shakes hands, and does `talk`.
async fn serving<Done>(talk: impl FnOnce(Peer) -> Done + Send + 'static) -> String
where
    Done: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("client connects");
        talk(accept_async(stream).await.expect("a good handshake")).await;
    });
    format!("http://{address}")
}

fn socket(send: Option<&str>, expect: Option<&str>) -> WebSocket {
    WebSocket {
        path: "/live?x=1".into(),
        headers: [("authorization".to_owned(), "Bearer s3cr3t-t0ken".to_owned())].into(),
        send: send.map(str::to_owned),
        expect: expect.map(str::to_owned),
    }
}

async fn talk(socket: WebSocket, url: impl Into<String>) -> Measured {
    let check = AssignedCheck { timeout_us: 400_000, ..check(CheckKind::WebSocket(socket)) };
    run_one(&check, url).await
}

async fn echo(mut peer: Peer) {
    while let Some(Ok(message)) = peer.next().await {
        if message.is_text() {
            peer.send(Message::Ping(Vec::new().into())).await.expect("client reads");
            peer.send(message).await.expect("client reads");
        }
    }
}

#[tokio::test]
async fn a_handshake_is_enough_and_is_closed_politely() {
    let (told, end) = tokio::sync::oneshot::channel();
    let url = serving(|mut peer| async move {
        let last = peer.next().await.expect("something comes").expect("a message");
        told.send(last.is_close()).expect("the test waits");
    })
    .await;
    let found = talk(socket(None, None), url).await;
    assert_eq!((found.outcome, found.status), (Outcome::Ok, Some(101)), "{found:?}");
    assert!(found.phases.send.is_some() && found.phases.wait.is_some() && found.phases.transfer.is_none());
    assert!(found.trace_id.is_some());
    assert_eq!(end.await, Ok(true));
}

#[tokio::test]
async fn messages_are_compared() {
    let found = talk(socket(Some("hello you"), Some("you")), serving(echo).await).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.transfer.is_some());
    let found = talk(socket(Some("hello"), Some("bye")), serving(echo).await).await;
    failed(&found, FailClass::Assertion, r#"expected a message with "bye", the first one is "hello""#);
    let found = talk(socket(None, Some("bye")), serving(echo).await).await;
    failed(&found, FailClass::Timeout, r#"no message with "bye" within 400 ms, in transfer"#);
    let closing = |mut peer: Peer| async move { peer.close(None).await.expect("client reads") };
    let found = talk(socket(None, Some("bye")), serving(closing).await).await;
    failed(&found, FailClass::Assertion, "the server closed the connection");
}

#[tokio::test]
async fn messages_are_bounded() {
    let flood = |mut peer: Peer| async move {
        let _cut = peer.send(Message::text("x".repeat(100_000))).await;
        std::future::pending().await
    };
    let found = talk(socket(None, Some("y")), serving(flood).await).await;
    failed(&found, FailClass::Protocol, "beyond the limit");
    let pings =
        |mut peer: Peer| async move { while peer.send(Message::Ping(Vec::new().into())).await.is_ok() {} };
    let found = talk(socket(None, Some("y")), serving(pings).await).await;
    failed(&found, FailClass::Assertion, "100 without any content");
}

#[tokio::test]
async fn what_is_no_websocket_is_said_so() {
    let server = Server::saying(answer("403 Forbidden", "", "no entry for Bearer s3cr3t-t0ken")).await;
    let found = talk(socket(None, None), server.url()).await;
    failed(&found, FailClass::Status, "expected status 101, saw 403 Forbidden");
    let excerpt = found.evidence.expect("failed").excerpt.expect("there is a body");
    assert!(excerpt.contains("no entry") && !excerpt.contains("s3cr3t"), "{excerpt}");
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /live?x=1 HTTP/1.1\r\n"), "{seen:?}");

    let bad = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: no\r\n\r\n";
    let server = Server::saying(format!("HTTP/1.1 101 Switching Protocols\r\n{bad}")).await;
    failed(&talk(socket(None, None), server.url()).await, FailClass::Protocol, "not valid WebSocket");
    let server = Server::saying("220 mail.test\r\n\r\n").await;
    failed(&talk(socket(None, None), server.url()).await, FailClass::Protocol, "not valid WebSocket");

    failed(&talk(socket(None, None), "http://169.254.169.254").await, FailClass::Request, "denied");
    failed(&talk(socket(None, None), "ws://127.0.0.1:1").await, FailClass::Request, "not http or https");
}

#[tokio::test]
async fn https_means_wss() {
    let (port, certificate) = super::tls::serve(&["h2", "http/1.1"]).await;
    let check = check(CheckKind::WebSocket(socket(None, None)));
    let net = super::tls::trusting(certificate);
    let found = run(&check, &here(format!("https://localhost:{port}")), &net, &trace_run()).await;
    sound(&check, &found);
    failed(&found, FailClass::Status, "saw 404");
    assert!(found.phases.tls.is_some() && found.certificate_expires.is_some());
}
