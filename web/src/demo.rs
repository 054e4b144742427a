//! The demo's buttons: plain forms that also answer a script.

use crate::{lab::Lab, live::Live, pages};
use axum::{
    Form, Json,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The form of `POST /demo/break`.
#[derive(Debug, Deserialize)]
pub struct Break {
    region: String,
    how: String,
    /// Empty for "until healed": a form cannot leave a field out.
    #[serde(default)]
    seconds: String,
}

#[derive(Serialize)]
struct Answer {
    message: String,
}

/// `POST /demo/break`.
pub async fn break_region(
    State(live): State<Arc<Live>>,
    headers: HeaderMap,
    form: Result<Form<Break>, FormRejection>,
) -> Response {
    let result = form.map_err(|e| e.body_text()).and_then(|Form(form)| apply(lab(&live)?, &form));
    answer(&headers, result)
}

/// `POST /demo/heal`.
pub async fn heal(State(live): State<Arc<Live>>, headers: HeaderMap) -> Response {
    answer(&headers, lab(&live).and_then(Lab::heal))
}

/// `GET /demo/config`: the document as plain text, so that it can be copied.
pub async fn configuration(State(live): State<Arc<Live>>) -> Response {
    match lab(&live).and_then(Lab::configuration) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Err(reason) => (StatusCode::NOT_FOUND, reason).into_response(),
    }
}

fn lab(live: &Live) -> Result<&dyn Lab, String> {
    live.site.lab.as_deref().ok_or_else(|| "There is no demo world here.".to_owned())
}

fn apply(lab: &dyn Lab, form: &Break) -> Result<String, String> {
    let seconds = match form.seconds.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| format!("{text:?} is not a whole number of seconds."))?),
    };
    lab.break_region(&form.region, &form.how, seconds)
}

/// JSON for the page's script; a redirect back, or a page with the reason, for a plain form.
fn answer(headers: &HeaderMap, result: Result<String, String>) -> Response {
    let wants_json = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.contains("application/json")));
    match (result, wants_json) {
        (Ok(message), true) => Json(Answer { message }).into_response(),
        (Err(message), true) => (StatusCode::UNPROCESSABLE_ENTITY, Json(Answer { message })).into_response(),
        (Ok(_), false) => Redirect::to("/").into_response(),
        (Err(message), false) => pages::message(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The demo world did not do that",
            &message,
            "Go back to the overview and try another way.",
        ),
    }
}
