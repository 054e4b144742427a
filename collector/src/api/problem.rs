//! Refusals: the one place where an error becomes a status.

use crate::{board, ingest::Refused, store};
use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use serde::de::DeserializeOwned;
use wire::{ProbeId, RegionId, ServiceId, problem::Problem};

/// A refusal on its way out.
#[derive(Debug)]
pub struct Rejected {
    problem: Box<Problem>,
    retry_after: Option<u8>,
}

impl Rejected {
    /// A refusal whose detail says what to do.
    pub fn new(status: u16, kind: &str, title: &str, detail: impl Into<String>) -> Rejected {
        Rejected { problem: Box::new(Problem::new(status, kind, title, detail)), retry_after: None }
    }

    /// What keeps reports from being stored, if something does.
    pub fn storage(store: &store::Store) -> Option<Rejected> {
        let health = store.health();
        let health = health.borrow();
        let degraded = health.degraded().filter(|degraded| !degraded.writes)?;
        let detail = format!("{} Since {}: {}", degraded.what, degraded.since, degraded.detail);
        let mut rejected = Rejected::new(503, "storage", "Nothing can be stored now", detail);
        rejected.retry_after = Some(1);
        Some(rejected)
    }

    /// What keeps the collector from being of use, if something does: by what is known, without asking the database, for
    /// which nobody has to wait who wants to know whether it answers.
    pub fn unready(store: &store::Store) -> Option<Rejected> {
        if let Some(rejected) = Rejected::storage(store) {
            return Some(rejected);
        }
        let health = store.health();
        let health = health.borrow();
        let degraded = health.degraded().filter(|degraded| !degraded.answers)?;
        let detail = format!("{} Since {}: {}", degraded.what, degraded.since, degraded.detail);
        let mut rejected = Rejected::new(503, "database", "The facts cannot be read now", detail);
        rejected.retry_after = Some(1);
        Some(rejected)
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.problem.status
    }

    /// No such service in the configuration.
    pub fn no_service(id: &str, known: impl Iterator<Item = ServiceId>) -> Rejected {
        let known: Vec<String> = known.map(String::from).collect();
        let detail = format!("{id:?} is not configured; the services are: {}", known.join(", "));
        Rejected::new(404, "unknown-service", "There is no such service", detail)
    }

    /// No such probe.
    pub fn no_probe(id: &str, known: impl Iterator<Item = ProbeId>) -> Rejected {
        let known: Vec<String> = known.map(String::from).collect();
        let detail = format!("there is no probe {id:?}; the probes are: {}", known.join(", "));
        Rejected::new(404, "unknown-probe", "There is no such probe", detail)
    }

    /// No such region of a service.
    pub fn no_region(id: &str, known: impl Iterator<Item = RegionId>) -> Rejected {
        let known: Vec<String> = known.map(String::from).collect();
        let detail = format!("the service is not in {id:?}; its regions are: {}", known.join(", "));
        Rejected::new(404, "unknown-region", "The service has no such region", detail)
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(wire::problem::MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        response
    }
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Rejected {
        let detail = format!("{refused}; send the same reports again, nothing was lost");
        let mut rejected = Rejected::new(503, "not-stored", "The reports were not stored", detail);
        rejected.retry_after = Some(1);
        rejected
    }
}

impl From<store::Error> for Rejected {
    fn from(error: store::Error) -> Rejected {
        tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
        let detail = match error.is_damage() {
            true => "the database is damaged there; the collector's log says what to do",
            false => "the database did not answer; the collector's log says why",
        };
        let mut rejected = Rejected::new(503, "database", "The facts cannot be read now", detail);
        rejected.retry_after = Some(1);
        rejected
    }
}

impl From<board::Error> for Rejected {
    fn from(error: board::Error) -> Rejected {
        let board::Error(detail) = error;
        let mut rejected = Rejected::new(503, "database", "The facts cannot be read now", detail);
        rejected.retry_after = Some(1);
        rejected
    }
}

/// Any path below `/api` that is not a route.
pub async fn no_such_route(uri: Uri) -> Rejected {
    Rejected::new(
        404,
        "unknown-path",
        "There is nothing here",
        format!("{} is not part of the API", uri.path()),
    )
}

/// A known path with a method that it does not take.
pub async fn wrong_method(method: Method, uri: Uri) -> Rejected {
    let detail = format!("{} does not take {method}", uri.path());
    Rejected::new(405, "wrong-method", "The method does not fit", detail)
}

/// Path parameters whose mistakes are told as a problem document.
#[derive(Debug)]
pub struct Names<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Names<T> {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(names)| Names(names))
            .map_err(|error| Rejected::new(400, "bad-path", "The path is wrong", error.body_text()))
    }
}

/// A handler panicked: a mistake of ours that must cost one request and nothing else.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request handler panicked; the lines before say where");
    let detail = "this is a mistake in Sextant; please report it with the collector's log";
    Rejected::new(500, "internal", "The request failed", detail).into_response()
}
