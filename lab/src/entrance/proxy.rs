//! Passes a request to the region that was drawn for it, and the answer back.

use super::{Inner, Upstream};
use crate::http::problem;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use std::sync::Arc;
use wire::RegionId;

/// Tells which region was tried when there is no answer of it.
pub(crate) const X_TRIED: HeaderName = HeaderName::from_static("x-entrance-tried");
/// The largest body in either direction, bytes.
const MAX_BODY: usize = 1 << 20;

/// Where requests for a region are sent.
pub(super) struct Target {
    /// Scheme, address to dial and base path.
    base: String,
    /// The host that users mean.
    host: HeaderValue,
}

impl Target {
    /// `None` when the URL is not plain HTTP with a host.
    pub fn new(upstream: &Upstream) -> Option<Target> {
        let url = reqwest::Url::parse(&upstream.url).ok()?;
        let host = url.host_str().filter(|_| url.scheme() == "http" && url.query().is_none())?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let dial = upstream.resolve.map_or_else(|| authority.clone(), |addr| addr.to_string());
        let base = format!("http://{dial}{}", url.path().trim_end_matches('/'));
        Some(Target { base, host: HeaderValue::from_str(&authority).ok()? })
    }
}

/// Why there is no answer.
enum Failure {
    Connect,
    Timeout,
    /// The region answered, but not with what can be passed on.
    Answer,
}

/// Handles every path but the entrance's own.
pub(super) async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let Ok(_room) = inner.room.try_acquire() else {
        let detail = "The entrance has too many requests under way: try again soon.";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail);
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let detail = "The entrance passes bodies of up to 1 MiB: send less.";
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail);
    };
    // The weights are never all zero, and name only regions with a target.
    let Some((region, target)) =
        inner.weights.draw().and_then(|region| inner.targets.get(&region).map(|target| (region, target)))
    else {
        return problem(StatusCode::BAD_GATEWAY, "no-region", "No region", "No region has a weight.");
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` has a path that is none.
    let path = if path.starts_with('/') { path } else { "/" };
    let mut headers = end_to_end(parts.headers);
    headers.remove(CONTENT_LENGTH);
    headers.insert(HOST, target.host.clone());
    let sent = inner
        .client
        .request(parts.method, format!("{}{path}", target.base))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let answer = match sent {
        Ok(answer) => collect(answer).await,
        Err(error) => Err(Failure::of(&error)),
    };
    let failed = answer.as_ref().map_or(true, |answer| answer.status().is_server_error());
    inner.weights.count(&region, failed);
    answer.unwrap_or_else(|failure| failure.response(&region))
}

/// Takes the answer in, up to the limit.
async fn collect(mut answer: reqwest::Response) -> Result<Response, Failure> {
    let (status, headers) = (answer.status(), end_to_end(std::mem::take(answer.headers_mut())));
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::of(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Failure::Answer);
        }
        body.extend_from_slice(&chunk);
    }
    let body: Bytes = body.freeze();
    Ok((status, headers, Body::from(body)).into_response())
}

/// Drops what is meant for one connection only (RFC 9110, 7.6.1), named by the standard or by `Connection`.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let keep_alive = HeaderName::from_static("keep-alive");
    let standard = [
        CONNECTION,
        keep_alive,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    for name in named.into_iter().chain(standard) {
        headers.remove(name);
    }
    headers
}

impl Failure {
    fn of(error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            Failure::Timeout
        } else if error.is_connect() {
            Failure::Connect
        } else {
            Failure::Answer
        }
    }

    fn response(&self, region: &RegionId) -> Response {
        let (status, kind, title, what) = match self {
            Failure::Connect => {
                (StatusCode::BAD_GATEWAY, "no-connection", "No connection", "accept a connection")
            }
            Failure::Timeout => (StatusCode::GATEWAY_TIMEOUT, "no-answer", "No answer", "answer in time"),
            Failure::Answer => (StatusCode::BAD_GATEWAY, "bad-answer", "Bad answer", "give a usable answer"),
        };
        let mut response = problem(status, kind, title, format!("{region} did not {what}. Try again."));
        if let Ok(region) = HeaderValue::from_str(region.as_str()) {
            response.headers_mut().insert(X_TRIED, region);
        }
        response
    }
}
