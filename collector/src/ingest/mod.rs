//! Takes reports: who sends is known by the token, what is sent is checked, and 2xx is answered only after the
//! commit.

mod assigned;
pub mod auth;
mod body;
mod clocks;
mod read;
mod room;
mod stream;
mod writer;

pub use assigned::{Assignments, EARLIER};
pub use clocks::Clocks;
pub use room::{Room, Taken};
pub use stream::stream;
pub use writer::{Refused, Writer, start};

use crate::{App, api::Rejected};
use auth::Caller;
use axum::{Json, body::Body, extract::State};
use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use read::{Batched, Desk, Refusal};
use std::sync::Arc;
use wire::{
    Micros,
    report::{Accepted, MAX_BATCH_BYTES},
};

/// Bodies from this size on are unpacked and read on a thread of their own, so that they hold up nobody else.
const LARGE: usize = 32 << 10;

/// What taking reports needs, besides the application. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    pub assignments: Assignments,
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
    let probe = caller.probe.clone();
    let taken = take(&app, caller, headers, body).await;
    taken.inspect_err(|rejected| app.metrics.refused(&probe, rejected.status())).map(Json)
}

async fn take(app: &App, caller: Caller, headers: HeaderMap, body: Body) -> Result<Accepted, Rejected> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let taken = app.intake.room.take(announced.unwrap_or(MAX_BATCH_BYTES)).ok_or(Refused::Busy)?;
    let packed = body::collect(body).await?;
    let received = app.clock.now();
    let probe = caller.probe.clone();
    let parcel = Parcel { caller, headers, packed, received };
    let (batched, room) = match open(app, parcel.clone()).await {
        // Another collector may have brought a newer configuration.
        Err(Refusal::Stranger(_)) if app.intake.assignments.look_again(&app.store).await? => {
            open(app, parcel).await?
        }
        opened => opened?,
    };
    // Held until the commit.
    let _room = (taken, room);
    let total = batched.entries.len();
    let stored = app.writer.append(batched.entries).await?;
    app.metrics.ingested(&probe, stored, total - stored, batched.samples);
    Ok(Accepted { stored, duplicates: total - stored })
}

/// A body as it came.
#[derive(Clone)]
struct Parcel {
    caller: Caller,
    headers: HeaderMap,
    packed: Bytes,
    received: Micros,
}

/// Unpacks and reads a body, on a thread of its own when it is large. What it unpacks to takes room.
async fn open(app: &App, parcel: Parcel) -> Result<(Batched, Taken), Refusal> {
    let (intake, config, residency) =
        (app.intake.clone(), Arc::clone(&app.config), Arc::clone(&app.residency));
    let large = parcel.packed.len() >= LARGE || parcel.headers.contains_key(CONTENT_ENCODING);
    let read = move || {
        let Parcel { caller, headers, packed, received } = &parcel;
        let body = body::unpack(headers, packed.clone())?;
        let room = intake.room.take(body.len()).ok_or(Refused::Busy)?;
        let desk = Desk {
            config: &config,
            assigned: &intake.assignments.now(),
            residency: &residency,
            clocks: &intake.clocks,
            caller,
            received: *received,
        };
        Ok((desk.read(&body)?, room))
    };
    match large {
        true => tokio::task::spawn_blocking(read).await.map_err(|_| Refused::Failed)?,
        false => read(),
    }
}
