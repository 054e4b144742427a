//! `POST /steer`: a webhook, read by what the documentation says of it and not with the product's types.

use super::{
    Inner, Mood,
    book::{Effect, Told},
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wire::RegionId;

#[derive(Deserialize)]
struct Event {
    specversion: String,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    service: String,
    term: i64,
    generation: i64,
    weights: BTreeMap<RegionId, u8>,
}

/// Takes a webhook.
pub(super) async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mood = *inner.mood.borrow();
    let effect = record(&inner, mood, &headers, &body);
    match (mood, effect) {
        (Mood::Hang | Mood::ApplyAndHang, _) => {
            // An error only says that the entrance is closing.
            let _ = inner.mood.subscribe().wait_for(|now| *now != mood).await;
            StatusCode::SERVICE_UNAVAILABLE
        }
        (Mood::Unavailable | Mood::Refuse, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Mood::Normal, Effect::Applied | Effect::Repeated) => StatusCode::NO_CONTENT,
        (Mood::Normal, Effect::Stale) => StatusCode::CONFLICT,
        (Mood::Normal, _) => StatusCode::BAD_REQUEST,
    }
}

/// Judges it, applies it when it is good, and writes it into the book.
fn record(inner: &Inner, mood: Mood, headers: &HeaderMap, body: &[u8]) -> Effect {
    let verified = inner.hook.verify(body, headers).is_ok();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let event = serde_json::from_slice::<Event>(body).ok().filter(|event| is_sound(event, id));
    let mut book = inner.book();
    let served_before = book.served.len();
    let (data, effect) = match event {
        None => (
            Data { service: String::new(), term: 0, generation: 0, weights: BTreeMap::new() },
            Effect::Nonsense,
        ),
        Some(Event { data, .. }) if !verified => (data, Effect::Nonsense),
        Some(Event { data, .. }) if matches!(mood, Mood::Normal | Mood::ApplyAndHang) => {
            let effect = book.apply(data.term, data.generation, &data.weights);
            (data, effect)
        }
        Some(Event { data, .. }) => (data, Effect::TurnedAway),
    };
    let Data { term, generation, weights, .. } = data;
    let told = Told { id: id.to_owned(), verified, term, generation, weights, effect, served_before };
    if effect == Effect::Applied {
        inner.applied.send_replace(Some(told.clone()));
    }
    book.told.push(told);
    effect
}

/// CloudEvents 1.0, of the one kind there is, with the id of the delivery.
fn is_sound(event: &Event, id: &str) -> bool {
    event.specversion == "1.0"
        && event.id == id
        && event.kind == "sextant.steering.weights_changed"
        && event.subject == "shop"
        && event.data.service == "shop"
}
