//! The routes and the protections around them.

use crate::{assets, board::Board, demo, headers, lab::Lab, live::Live, pages, stream};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use std::sync::Arc;
use tokio::sync::watch;
use tower_http::csrf::CsrfLayer;

/// The largest form a visitor may send, bytes.
const FORM_LIMIT: usize = 4096;

/// What a dashboard is made of.
pub struct Site {
    pub board: Arc<dyn Board>,
    /// The demo's world; `None` in production, and its routes then do not exist.
    pub lab: Option<Arc<dyn Lab>>,
    /// Ends the open event streams once it turns true or its sender is gone; without that a graceful shutdown
    /// waits for every open page.
    pub stop: watch::Receiver<bool>,
}

/// The dashboard: `/`, `/events`, `/assets/…`, with a lab `/demo/…`, and a page for every other path. It brings
/// its own fallback, so merge it only with routers that have none.
pub fn router(site: Site) -> Router {
    let has_lab = site.lab.is_some();
    let live = Arc::new(Live::new(site));
    let mut routes = Router::new()
        .route("/", get(pages::overview))
        .route("/events", get(stream::events))
        .route("/assets/{name}", get(assets::serve));
    if has_lab {
        routes = routes.route("/demo/break", post(demo::break_region)).route("/demo/heal", post(demo::heal));
        routes = routes.route("/demo/config", get(demo::configuration));
    }
    routes
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::wrong_method)
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(CsrfLayer::new().with_rejection_response(|_| pages::cross_site()))
        .layer(middleware::map_response(headers::protect))
        .with_state(live)
}
