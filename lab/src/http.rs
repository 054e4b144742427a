//! What the shop, the entrance and the users share: an HTTP client, problem responses and the wall clock.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use std::{sync::Arc, time::Duration};
use wire::{
    Micros,
    problem::{MEDIA_TYPE, Problem},
};

/// How long an unused connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(2);

/// A client for plain HTTP inside the lab: no proxy from the environment, no redirects, and no trust roots, so it
/// starts on machines that have no CA certificates.
pub(crate) fn client(connect: Duration, total: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(8)
        .pool_idle_timeout(IDLE)
        .connect_timeout(connect)
        .timeout(total);
    // Ring supports the default protocol versions; were it not so, reqwest would choose for itself and say why not.
    match rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(tls) => builder
            .tls_backend_preconfigured(
                tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
            )
            .build(),
        Err(_) => builder.build(),
    }
}

/// A refusal as an RFC 9457 document.
pub(crate) fn problem(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Response {
    let body = Problem::new(status.as_u16(), kind, title, detail);
    let mut response = (status, axum::Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// The wall clock.
pub(crate) fn now() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Micros(since.map_or(0, wire::instant::us))
}

/// Locks, also after a panic of another holder: the lab's state is plain data that is valid at every point.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
