//! Takes reports: who sends is known by the token, what is sent is checked, and 2xx is answered only after the
//! commit.

pub mod assigned;
pub mod auth;
mod body;
mod clocks;
mod read;
mod room;
mod stream;
mod writer;

pub use clocks::Clocks;
pub use room::Room;
pub use stream::stream;
pub use writer::{Refused, Writer, start};

use crate::{App, api::Rejected};
use assigned::Assigned;
use auth::Caller;
use axum::{Json, body::Body, extract::State};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_LENGTH};
use read::{Batched, Desk};
use std::sync::Arc;
use wire::report::{Accepted, MAX_BATCH_BYTES};

/// Bodies from this size on are unpacked and read on a thread of their own, so that they hold up nobody else.
const LARGE: usize = 32 << 10;

/// What taking reports needs, besides the application. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    pub assigned: Arc<Assigned>,
    pub clocks: Arc<Clocks>,
    pub room: Room,
}

/// `POST /api/v1/reports`
///
/// # Errors
/// A problem document when the batch is malformed, is not the caller's, or cannot be stored now.
pub async fn reports(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, Rejected> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let taken = app.intake.room.take(announced.unwrap_or(MAX_BATCH_BYTES)).ok_or(Refused::Busy)?;
    let packed = body::collect(body).await?;
    let received = app.clock.now();
    let probe = caller.probe.clone();
    let intake = app.intake.clone();
    let (config, residency) = (Arc::clone(&app.config), app.residency.clone());
    let large = packed.len() >= LARGE || headers.contains_key(http::header::CONTENT_ENCODING);
    let open = move || -> Result<(Batched, _), Rejected> {
        let body: Bytes = body::unpack(&headers, packed)?;
        let mut taken = taken;
        taken.join(intake.room.take(body.len()).ok_or(Refused::Busy)?);
        let Intake { assigned, clocks, .. } = &intake;
        let desk =
            Desk { config: &config, assigned, residency: &residency, clocks, caller: &caller, received };
        Ok((desk.read(&body)?, taken))
    };
    // The room is held until the commit.
    let (batched, _taken) = match large {
        true => tokio::task::spawn_blocking(open).await.map_err(|_| Refused::Failed)??,
        false => open()?,
    };
    let total = batched.entries.len();
    let stored = app.writer.append(batched.entries).await?;
    app.metrics.ingested(&probe, stored, total - stored, batched.samples);
    Ok(Json(Accepted { stored, duplicates: total - stored }))
}
