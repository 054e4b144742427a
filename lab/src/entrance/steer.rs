//! `/_steer`: takes reroute webhooks, and tells what is in force.

use super::{
    EntranceState, Inner,
    weights::{Refusal, Taken},
};
use crate::http::{now, problem};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use wire::event::{CloudEvent, WEIGHTS_CHANGED, WeightsChanged};

/// `GET /_steer`.
pub(super) async fn show(State(inner): State<Arc<Inner>>) -> Json<EntranceState> {
    Json(inner.weights.state(&inner.service))
}

/// `POST /_steer`: nothing of the body is read before its signature is believed.
pub(super) async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(error) = inner.secret.verify(&headers, &body, now().0 / 1_000_000) {
        inner.weights.refuse(|refused| refused.signature += 1);
        return problem(StatusCode::UNAUTHORIZED, "bad-signature", "Not believed", error.to_string());
    }
    let event: CloudEvent<WeightsChanged> = match serde_json::from_slice(&body) {
        Ok(event) => event,
        Err(error) => {
            inner.weights.refuse(|refused| refused.malformed += 1);
            let detail = format!("The body is not a CloudEvent with weights: {error}.");
            return problem(StatusCode::BAD_REQUEST, "bad-json", "Cannot be read", detail);
        }
    };
    if event.kind != WEIGHTS_CHANGED {
        inner.weights.refuse(|refused| refused.malformed += 1);
        let detail = format!("This address takes events of the type {WEIGHTS_CHANGED} only.");
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "wrong-type", "Not for here", detail);
    }
    let told = event.data;
    match inner.weights.take(&inner.service, &told) {
        Ok(taken) => {
            let applied = taken == Taken::Applied;
            tracing::info!(applied, term = told.term, generation = told.generation, "weights received");
            Json(serde_json::json!({ "applied": applied, "generation": told.generation })).into_response()
        }
        Err(refusal) => {
            let (status, kind, title) = match &refusal {
                Refusal::Stale { .. } => (StatusCode::CONFLICT, "stale", "stale"),
                Refusal::Service(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong-service", "Wrong service"),
                Refusal::Region(_) | Refusal::TooHigh { .. } | Refusal::AllZero => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "bad-weights", "Weights that cannot be applied")
                }
            };
            problem(status, kind, title, refusal.to_string())
        }
    }
}
