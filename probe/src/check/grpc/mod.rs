//! The gRPC check: `grpc.health.v1.Health/Check` over HTTP/2 (gRPC Health Checking Protocol).
//!
//! `http://` means HTTP/2 with prior knowledge (RFC 9113, 3.3), `https://` means TLS with ALPN `h2`. Phases are those
//! of an HTTP request. The endpoint's path is not used: gRPC has paths of its own.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;

use super::{
    Trace,
    dial::{self, Destination},
    exchange,
    fault::Fault,
    record::{Phase, Record, Recorder},
    tcp,
    way::Way,
    words,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use http_body_util::Full;
use url::{Position, Url};
use wire::{assignment::Grpc, sample::FailClass};

const PATH: &str = "/grpc.health.v1.Health/Check";
const ALPN: dial::Alpn = &["h2"];

/// Asks for the health of a service.
pub(super) async fn check(
    grpc: &Grpc,
    url: &str,
    trace: &Trace,
    way: &Way<'_>,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let url = tcp::parse(url)?;
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        other => {
            let other = words::quote(other);
            return Err(Fault::request(format!("the endpoint's scheme is {other}, not http or https")));
        }
    };
    let to = Destination::of(&url)?;
    let request = request(grpc, &url, &trace.parent(0))?;
    let mut line = dial::line(&to, secure.then_some(ALPN), way, recorder).await?;
    if secure && !line.h2 {
        let why = "the server does not offer HTTP/2 (ALPN h2), which gRPC needs";
        return Err(Fault::new(FailClass::Protocol, why));
    }
    line.h2 = true;
    recorder.enter(Phase::Send);
    exchange::over(line, request, recorder).await?;
    recorder.note(|record| judge(grpc, record))
}

fn request(grpc: &Grpc, url: &Url, traceparent: &str) -> Result<http::Request<Full<Bytes>>, Fault> {
    let refuse = |error: http::Error| Fault::request(format!("the request cannot be sent: {error}"));
    let uri = Uri::builder()
        .scheme(url.scheme())
        .authority(&url[Position::BeforeHost..Position::AfterPort])
        .path_and_query(PATH)
        .build()
        .map_err(refuse)?;
    http::Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, concat!("sextant/", env!("CARGO_PKG_VERSION")))
        .header("traceparent", traceparent)
        .body(Full::new(health::question(&grpc.service)?))
        .map_err(refuse)
}

/// Is the answer gRPC, a success, and does it say `SERVING`?
fn judge(grpc: &Grpc, record: &mut Record) -> Result<(), Fault> {
    let status = record.status.unwrap_or_default();
    if status != 200 {
        return Err(Fault::new(FailClass::Status, format!("expected status 200, saw {status}")));
    }
    let kind = record.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if !kind.starts_with("application/grpc") {
        let kind = words::quote(&kind);
        return Err(Fault::new(
            FailClass::Protocol,
            format!("the answer is not gRPC: its content type is {kind}"),
        ));
    }
    // What follows is binary: of no use to a person.
    let body = std::mem::take(&mut record.body);
    let service = if grpc.service.is_empty() { "the server".to_owned() } else { words::quote(&grpc.service) };
    let field = |name: &str| record.trailers.get(name).or_else(|| record.headers.get(name));
    let code = field("grpc-status").ok_or_else(|| {
        Fault::new(FailClass::Protocol, "the answer has no grpc-status: it was cut short, or is not gRPC")
    })?;
    if code != "0" {
        let code = health::code(&String::from_utf8_lossy(code.as_bytes()));
        let message = field("grpc-message").map(HeaderValue::as_bytes).map(health::unescape);
        let message = message.map_or_else(String::new, |text| format!(": {}", words::line(&text, 120)));
        return Err(Fault::assertion(format!(
            "expected {service} to be SERVING, the call failed with {code}{message}"
        )));
    }
    match health::answer(&body) {
        Ok(1) => Ok(()),
        Ok(other) => {
            let seen = health::serving(other);
            Err(Fault::assertion(format!("expected {service} to be SERVING, it is {seen}")))
        }
        Err(why) => {
            Err(Fault::new(FailClass::Protocol, format!("the answer is not a HealthCheckResponse: {why}")))
        }
    }
}
