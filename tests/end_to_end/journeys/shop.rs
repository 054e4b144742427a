//! A small shop in several regions with an entrance before it, and ways to break it.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
    response::{Html, IntoResponse},
    routing::{any, delete, get, post, put},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::net::TcpListener;

/// What is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    /// Regions do not tell each other of their sessions.
    SessionsStay,
    /// Everybody says to be `us-east-1`.
    HeadersLie,
    /// Other regions go on showing an old text.
    Stale,
    /// The entrance sends users across the ocean.
    WrongRegion,
    PurgeDoesNothing,
    NoPayments,
    PaidNothing,
}

#[derive(Default)]
struct Store {
    fault: Fault,
    /// Who is logged in, with the region that knows it.
    sessions: BTreeSet<(String, String)>,
    /// Texts, the region where each was written, and how often it was read elsewhere.
    notes: BTreeMap<String, (String, String, u32)>,
    carts: BTreeSet<u32>,
    cached: bool,
}

/// Everything behind the shops.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Store>>);

/// One region's shop.
#[derive(Clone)]
struct Shop {
    world: World,
    region: &'static str,
}

impl World {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().expect("nobody panics with it")
    }

    pub fn set(&self, fault: Fault) {
        self.store().fault = fault;
    }

    pub fn sessions(&self) -> usize {
        self.store().sessions.len()
    }

    pub fn notes(&self) -> usize {
        self.store().notes.len()
    }

    pub fn carts(&self) -> usize {
        self.store().carts.len()
    }

    /// Starts the shop of a region.
    pub async fn shop(&self, region: &'static str) -> SocketAddr {
        let shop = Shop { world: self.clone(), region };
        let routes = Router::new()
            .route("/health", get(|| async { "well" }))
            .route("/login", post(login))
            .route("/logout", post(logout))
            .route("/account", get(account))
            .route("/notes/{id}", put(write).get(read).delete(erase))
            .route("/products", get(products))
            .route("/carts", post(cart))
            .route("/carts/{id}", delete(drop_cart))
            .route("/carts/{id}/payment", post(pay))
            .with_state(shop.clone());
        let named = axum::middleware::map_response(move |mut response: Response<Body>| {
            let lies = shop.world.store().fault == Fault::HeadersLie;
            let region = if lies { "us-east-1" } else { shop.region };
            response.headers_mut().insert("x-region", region.parse().expect("a value"));
            async move { response }
        });
        serve(routes.layer(named)).await
    }

    /// Starts the entrance, with its cache.
    pub async fn entrance(&self) -> SocketAddr {
        let routes = Router::new()
            .route("/health", get(|| async { "well" }))
            .route("/account/region", get(arrive))
            .route("/catalog", any(catalog));
        serve(routes.with_state(self.clone())).await
    }
}

async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn login(State(shop): State<Shop>, body: String) -> impl IntoResponse {
    let user = body.strip_prefix("user=").unwrap_or_default().to_owned();
    let cookie = format!("sid={user}; Domain=example.com; Path=/; HttpOnly");
    shop.world.store().sessions.insert((user, shop.region.to_owned()));
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT)
}

fn user(headers: &HeaderMap) -> Option<String> {
    let cookie = headers.get(header::COOKIE)?.to_str().ok()?;
    cookie.split("; ").find_map(|pair| pair.strip_prefix("sid=")).map(str::to_owned)
}

async fn logout(State(shop): State<Shop>, headers: HeaderMap) -> StatusCode {
    let user = user(&headers);
    shop.world.store().sessions.retain(|(name, _)| Some(name) != user.as_ref());
    StatusCode::NO_CONTENT
}

async fn account(State(shop): State<Shop>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let user = user(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let store = shop.world.store();
    let stays = store.fault == Fault::SessionsStay;
    let known =
        store.sessions.iter().any(|(name, region)| *name == user && (!stays || region == shop.region));
    if known { Ok(Json(json!({ "user": user }))) } else { Err(StatusCode::UNAUTHORIZED) }
}

async fn write(State(shop): State<Shop>, Path(id): Path<String>, Json(note): Json<Value>) -> StatusCode {
    let text = note["text"].as_str().unwrap_or_default().to_owned();
    shop.world.store().notes.insert(id, (text, shop.region.to_owned(), 0));
    StatusCode::CREATED
}

/// Elsewhere, the first read comes too early.
async fn read(State(shop): State<Shop>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let mut store = shop.world.store();
    let stale = store.fault == Fault::Stale;
    let (text, region, reads) = store.notes.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    if region != shop.region {
        *reads += 1;
        if stale {
            return Ok(Json(json!({ "text": "an old text" })));
        }
        if *reads < 2 {
            return Err(StatusCode::NOT_FOUND);
        }
    }
    Ok(Json(json!({ "text": text })))
}

async fn erase(State(shop): State<Shop>, Path(id): Path<String>) -> StatusCode {
    shop.world.store().notes.remove(&id);
    StatusCode::NO_CONTENT
}

async fn products() -> Html<&'static str> {
    Html("<!doctype html><h1>Products</h1><ul><li class=product>Tea<li class=product>Biscuits</ul>")
}

async fn cart(State(shop): State<Shop>, Json(cart): Json<Value>) -> impl IntoResponse {
    let id = 17;
    shop.world.store().carts.insert(id);
    (StatusCode::CREATED, Json(json!({ "id": id, "items": cart["items"] })))
}

async fn drop_cart(State(shop): State<Shop>, Path(id): Path<u32>) -> StatusCode {
    let known = shop.world.store().carts.remove(&id);
    if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn pay(State(shop): State<Shop>, Path(id): Path<u32>) -> Result<Json<Value>, StatusCode> {
    let store = shop.world.store();
    if !store.carts.contains(&id) {
        return Err(StatusCode::NOT_FOUND);
    }
    match store.fault {
        Fault::NoPayments => Err(StatusCode::BAD_GATEWAY),
        Fault::PaidNothing => Ok(Json(json!({ "state": "paid", "total": 0 }))),
        _ => Ok(Json(json!({ "state": "paid", "total": 12.5 }))),
    }
}

/// The entrance names the region by a cookie, as the example allows.
async fn arrive(State(world): State<World>) -> impl IntoResponse {
    let wrong = world.store().fault == Fault::WrongRegion;
    let region = if wrong { "us-east-1" } else { "eu-west-1" };
    [(header::SET_COOKIE, format!("shop_region={region}; Path=/"))]
}

async fn catalog(State(world): State<World>, request: Request<Body>) -> impl IntoResponse {
    let mut store = world.store();
    if request.method() == Method::from_bytes(b"PURGE").expect("a method") {
        store.cached &= store.fault == Fault::PurgeDoesNothing;
        return ([("x-cache", "PURGED")], StatusCode::OK);
    }
    let cached = std::mem::replace(&mut store.cached, true);
    ([("x-cache", if cached { "HIT from edge" } else { "MISS" })], StatusCode::OK)
}
