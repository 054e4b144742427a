//! The shop's HTTP interface: JSON in and out, problem documents for refusals, `x-region` on every answer.

use super::{
    Inner, Mode,
    cart::{AddError, Cart, CartView, Line, MAX_QUANTITY, PRODUCTS, find},
    replicate::Entries,
};
use crate::http::{lock, problem};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderName, HeaderValue, StatusCode};
use rand::Rng;
use serde::de::DeserializeOwned;
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// Which region answered.
pub(crate) const X_REGION: HeaderName = HeaderName::from_static("x-region");
/// The largest body of a user, and of a peer, bytes.
const MAX_BODY: usize = 16 << 10;
const MAX_ENTRIES: usize = 1 << 20;

type Shared = State<Arc<Inner>>;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    let replicate = post(replicate).layer(DefaultBodyLimit::max(MAX_ENTRIES));
    Router::new()
        .route("/health", get(health))
        .route("/products", get(products))
        .route("/carts", post(create))
        .route("/carts/{id}", get(show))
        .route("/carts/{id}/items", post(add))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/replicate", replicate)
        .layer(from_fn_with_state(inner.clone(), behave))
        .with_state(inner)
}

/// Behaves as the mode says, and signs the answer with the region.
async fn behave(State(inner): Shared, request: Request, next: Next) -> Response {
    inner.requests.fetch_add(1, Relaxed);
    let mode = *lock(&inner.mode);
    let mut response = match mode {
        Mode::Errors => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "broken",
            "The shop is broken",
            "This region answers every request with an error until it is repaired.",
        ),
        Mode::Slow(by) => {
            tokio::time::sleep(by).await;
            next.run(request).await
        }
        Mode::Normal | Mode::Stopped | Mode::Hang => next.run(request).await,
    };
    if let Ok(region) = HeaderValue::from_str(inner.region.as_str()) {
        response.headers_mut().insert(X_REGION, region);
    }
    response
}

async fn health(State(inner): Shared) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok", "region": inner.region }))
}

async fn products(State(inner): Shared) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "region": inner.region, "products": PRODUCTS }))
}

async fn create(State(inner): Shared) -> Response {
    let id = format!("{:032x}", rand::rng().random::<u128>());
    let cart = Cart::new(id, inner.region.clone());
    lock(&inner.store).merge(cart.clone());
    inner.publish(&cart);
    (StatusCode::CREATED, Json(CartView::new(&cart, &inner.region))).into_response()
}

async fn show(State(inner): Shared, Path(id): Path<String>) -> Response {
    match lock(&inner.store).get(&id) {
        Some(cart) => Json(CartView::new(cart, &inner.region)).into_response(),
        None => no_cart(&inner),
    }
}

#[derive(serde::Deserialize)]
struct Wish {
    sku: String,
    quantity: u32,
}

async fn add(State(inner): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let wish: Wish = match read(&body) {
        Ok(wish) => wish,
        Err(refusal) => return refusal,
    };
    if find(&wish.sku).is_none() {
        return impossible("There is no such product: take a sku from GET /products.");
    }
    if !(1..=MAX_QUANTITY).contains(&wish.quantity) {
        return too_many();
    }
    let line = Line { sku: wish.sku, quantity: wish.quantity };
    let added = lock(&inner.store).add(&id, line, &inner.region);
    match added {
        Ok(cart) => {
            inner.publish(&cart);
            Json(CartView::new(&cart, &inner.region)).into_response()
        }
        Err(AddError::NoCart) => no_cart(&inner),
        Err(AddError::TooMany) => too_many(),
    }
}

async fn replicate(State(inner): Shared, body: Bytes) -> Response {
    match read::<Entries>(&body) {
        Ok(entries) => {
            let mut store = lock(&inner.store);
            let kept = entries.carts.into_iter().filter(|cart| store.merge(cart.clone())).count();
            Json(serde_json::json!({ "kept": kept })).into_response()
        }
        Err(refusal) => refusal,
    }
}

impl Inner {
    /// Queues a written cart for every peer.
    fn publish(&self, cart: &Cart) {
        for peer in lock(&self.peers).values() {
            peer.outbox.push(cart.clone());
        }
    }
}

#[expect(clippy::result_large_err, reason = "the error is the response that is sent at once")]
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("The body is not the expected JSON: {error}. Correct it and send it again.");
        problem(StatusCode::BAD_REQUEST, "bad-json", "Cannot be read", detail)
    })
}

fn no_cart(inner: &Inner) -> Response {
    let detail = format!("{} does not know this cart (yet): make one with POST /carts.", inner.region);
    problem(StatusCode::NOT_FOUND, "no-cart", "No such cart", detail)
}

fn too_many() -> Response {
    impossible(&format!("A cart takes 1 to {MAX_QUANTITY} of a product: change the quantity."))
}

fn impossible(detail: &str) -> Response {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "bad-item", "Cannot be added", detail)
}
