//! The whole pages: the overview, and the few sentences shown instead of it.

use crate::{
    fragments::{self, Ages, Fragment},
    live::Live,
};
use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use std::sync::Arc;
use wire::view::VerdictState;

/// How soon a page that could not be made is asked for again, seconds.
const RETRY_SECONDS: &str = "3";

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    title: String,
    /// Marks the browser tab.
    mood: VerdictState,
    fragments: Vec<Fragment>,
    has_lab: bool,
}

impl OverviewPage {
    fn fragment(&self, id: &str) -> &str {
        self.fragments.iter().find(|f| f.id == id).map_or("", |f| &f.html)
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    title: &'a str,
    text: &'a str,
    advice: &'a str,
}

/// `GET /`.
pub async fn overview(State(live): State<Arc<Live>>) -> Response {
    let overview = match live.site.board.overview().await {
        Ok(overview) => overview,
        Err(error) => {
            tracing::warn!(%error, "no overview for the page");
            return unavailable(&error.problem, &error.advice);
        }
    };
    let panel = live.site.lab.as_ref().map(|lab| lab.panel());
    match fragments::render(&overview, panel.as_ref(), Ages::Written) {
        Ok(fragments) => page(
            StatusCode::OK,
            &OverviewPage {
                title: overview.headline,
                mood: overview.mood,
                fragments,
                has_lab: panel.is_some(),
            },
        ),
        Err(error) => unavailable(&format!("the page could not be drawn: {error}"), "report this as a bug"),
    }
}

/// The page for every unknown path.
pub async fn not_found() -> Response {
    message(
        StatusCode::NOT_FOUND,
        "Nothing here",
        "No page has this address.",
        "Check the address, or go back to the overview.",
    )
}

/// The page for a known path asked for in the wrong way.
pub async fn wrong_method() -> Response {
    message(
        StatusCode::METHOD_NOT_ALLOWED,
        "Not this way",
        "This address exists, but not for this kind of request.",
        "Use the buttons on the overview.",
    )
}

/// The answer to a form that another site made the browser send.
pub fn cross_site() -> Response {
    message(
        StatusCode::FORBIDDEN,
        "Refused: the request came from another site",
        "The browser says that this form was not sent from Sextant's own page, so nothing was done.",
        "Use the buttons on the overview. Behind a reverse proxy, pass the Host and Origin headers on unchanged.",
    )
}

/// A page of a few sentences with the way back.
pub fn message(status: StatusCode, title: &str, text: &str, advice: &str) -> Response {
    page(status, &MessagePage { title, text, advice })
}

fn unavailable(problem: &str, advice: &str) -> Response {
    let text = format!(
        "The collector has nothing to show: {problem}. This page tries again every {RETRY_SECONDS} s."
    );
    let advice = format!("What to do: {advice}.");
    let mut answer = message(StatusCode::SERVICE_UNAVAILABLE, "No overview right now", &text, &advice);
    // `Refresh` reloads without a script, which matters on a page that shows when things are broken.
    let retry = HeaderValue::from_static(RETRY_SECONDS);
    answer.headers_mut().insert(header::REFRESH, retry.clone());
    answer.headers_mut().insert(header::RETRY_AFTER, retry);
    answer
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a template failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be drawn; the log says why.")
                .into_response()
        }
    }
}
