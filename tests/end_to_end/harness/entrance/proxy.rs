//! Every other path: a user's request, sent to the region whose turn it is.

use super::Inner;
use axum::{
    extract::{Request, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use std::{sync::Arc, time::Duration};

/// How long a region may take to answer; less than the timeout of the public check.
const PATIENCE: Duration = Duration::from_millis(800);
/// Which region answered.
const REGION: HeaderName = HeaderName::from_static("x-region");

/// Passes a request on, and the answer back.
pub(super) async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let Some(region) = inner.book().draw() else { return StatusCode::BAD_GATEWAY.into_response() };
    let upstream = inner.upstreams[&region];
    let path = request.uri().path();
    let sent = inner
        .client
        .request(request.method().clone(), format!("http://{upstream}{path}"))
        .timeout(PATIENCE)
        .send()
        .await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, region) = (answer.status(), answer.headers().get(REGION).cloned());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = (status, body).into_response();
    if let Some(region) = region {
        response.headers_mut().insert(REGION, region);
    }
    response
}
