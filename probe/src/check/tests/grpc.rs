//! The gRPC check against HTTP/2 servers of our own.

use super::{
    tls::{serve, trusting},
    *,
};
use ::http::{HeaderMap, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use wire::assignment::Grpc;

const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

/// Answers with `body` and trailers; the path, headers and body of the request must be right.
async fn serving(body: &'static [u8], trailers: &[(&'static str, &'static str)]) -> String {
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
        .collect();
    let answer = move |request: axum::extract::Request| async move {
        assert_eq!(request.headers()["te"], "trailers");
        assert!(request.headers().contains_key("traceparent"));
        let sent = request.into_body().collect().await.expect("a whole body").to_bytes();
        assert_eq!(sent.as_ref(), [&[0, 0, 0, 0, 6, 10, 4][..], b"shop"].concat());
        let body = Full::new(Bytes::from_static(body)).with_trailers(async move { Some(Ok(trailers)) });
        Response::builder()
            .header("content-type", "application/grpc")
            .body(axum::body::Body::new(body))
            .expect("a response")
    };
    routed(axum::Router::new().route("/grpc.health.v1.Health/Check", axum::routing::post(answer))).await
}

async fn routed(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn ask(url: String, net: &Net) -> Measured {
    let kind = CheckKind::Grpc(Grpc { service: "shop".into() });
    let check = AssignedCheck { timeout_us: 2 * SECOND, ..check(kind) };
    let found = run(&check, &here(url), net, &trace_run()).await;
    sound(&check, &found);
    found
}

async fn asked(url: String) -> Measured {
    ask(url, &net(&[])).await
}

#[tokio::test]
async fn a_service_that_serves_is_good() {
    let found = asked(serving(SERVING, &[("grpc-status", "0")]).await).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert_eq!(found.trace_id.as_deref(), Some("ab".repeat(16).as_str()));
    assert!(found.phases.send.is_some() && found.phases.wait.is_some() && found.phases.transfer.is_some());
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let down = asked(serving(&[0, 0, 0, 0, 2, 8, 2], &[("grpc-status", "0")]).await).await;
    failed(&down, FailClass::Assertion, "expected \"shop\" to be SERVING, it is NOT_SERVING");
    let unknown = serving(b"", &[("grpc-status", "5"), ("grpc-message", "no%20such service")]).await;
    failed(
        &asked(unknown).await,
        FailClass::Assertion,
        "the call failed with NOT_FOUND (5): no such service",
    );
    let cut = asked(serving(SERVING, &[]).await).await;
    failed(&cut, FailClass::Protocol, "no grpc-status");
    let odd = asked(serving(b"hello", &[("grpc-status", "0")]).await).await;
    failed(&odd, FailClass::Protocol, "not a HealthCheckResponse");
    assert_eq!(odd.evidence.expect("failed").excerpt, None);
}

#[tokio::test]
async fn what_is_not_grpc_is_said_so() {
    failed(&asked(routed(axum::Router::new()).await).await, FailClass::Status, "saw 404");
    let plain = axum::Router::new().fallback(|| async { "hello" });
    failed(&asked(routed(plain).await).await, FailClass::Protocol, "its content type is \"text/plain");
    let http1 = Server::saying(answer("200 OK", "", "")).await;
    assert!(asked(http1.url()).await.outcome.is_fail());
    failed(&asked("ftp://127.0.0.1:1".into()).await, FailClass::Request, "not http or https");
    failed(&asked("http://169.254.169.254".into()).await, FailClass::Request, "denied");
}

#[tokio::test]
async fn tls_must_lead_to_http2() {
    let (port, certificate) = serve(&["h2"]).await;
    let found = ask(format!("https://localhost:{port}"), &trusting(certificate)).await;
    failed(&found, FailClass::Status, "saw 404");
    assert!(found.certificate_expires.is_some());
    let (port, certificate) = serve(&[]).await;
    let found = ask(format!("https://localhost:{port}"), &trusting(certificate)).await;
    failed(&found, FailClass::Protocol, "does not offer HTTP/2");
}
