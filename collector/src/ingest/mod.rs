//! Takes reports: who sends is known by the token, what is sent is checked, and 2xx is answered only after the
//! commit.

pub mod auth;
mod body;
mod clocks;
mod read;
mod room;
mod stream;
mod writer;

pub use clocks::Clocks;
pub use room::{Room, Taken};
pub use stream::stream;
pub use writer::{Batch, Refused, Writer, start};

use crate::{
    App,
    api::Rejected,
    assigned::{Assigned, Assignments},
};
use auth::Caller;
use axum::{Json, body::Body, extract::State};
use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use read::{Batched, Desk, Refusal, Strangers};
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
    let room = app.intake.room.take(announced.unwrap_or(MAX_BATCH_BYTES)).ok_or(Refused::Busy)?;
    let packed = body::collect(body).await?;
    let received = app.clock.now();
    let mut parcel = Parcel { caller, headers, packed, received, room };
    let (mut assigned, mut strangers) = (app.intake.assignments.now(), Strangers::Ask);
    let mut looked = false;
    let batch = loop {
        match open(app, parcel, assigned, strangers).await? {
            Opened::Read(batch) => break batch,
            Opened::Strangers(_) if looked => return Err(Refused::Unreadable.into()),
            Opened::Strangers(unread) => {
                // Another collector may have brought a newer configuration.
                assigned = app.intake.assignments.look_again(&app.store).await?;
                (parcel, looked) = (unread, true);
                if assigned.is_complete() {
                    strangers = Strangers::LeaveOut;
                }
            }
        }
    };
    let total = batch.entries.len();
    let stored = app.writer.append(batch).await?;
    Ok(Accepted { stored, duplicates: total - stored })
}

/// A body as it came.
struct Parcel {
    caller: Caller,
    headers: HeaderMap,
    packed: Bytes,
    received: Micros,
    room: Taken,
}

/// What became of a body.
enum Opened {
    Read(Batch),
    /// It has samples of checks that are not known here to be its sender's, and was not read.
    Strangers(Parcel),
}

/// Unpacks and reads a body, on a thread of its own when it is large. What it unpacks to takes room. All of it is held
/// by whatever works on it, not by whoever waits: a caller that gives up stops neither the thread nor the writer.
async fn open(
    app: &App,
    parcel: Parcel,
    assigned: Arc<Assigned>,
    strangers: Strangers,
) -> Result<Opened, Rejected> {
    let (intake, config, residency) =
        (app.intake.clone(), Arc::clone(&app.config), Arc::clone(&app.residency));
    let large = parcel.packed.len() >= LARGE || parcel.headers.contains_key(CONTENT_ENCODING);
    let read = move || {
        let body = body::unpack(&parcel.headers, parcel.packed.clone())?;
        let more = intake.room.take(body.len()).ok_or(Refused::Busy)?;
        let desk = Desk {
            config: &config,
            assigned: &assigned,
            strangers,
            residency: &residency,
            clocks: &intake.clocks,
            caller: &parcel.caller,
            received: parcel.received,
        };
        match desk.read(&body) {
            Ok(Batched { entries, samples, strangers }) => {
                let Parcel { caller, mut room, .. } = parcel;
                room.join(more);
                Ok(Opened::Read(Batch { probe: caller.probe, entries, samples, strangers, room }))
            }
            Err(Refusal::Strangers) => Ok(Opened::Strangers(parcel)),
            Err(Refusal::Other(rejected)) => Err(rejected),
        }
    };
    match large {
        true => tokio::task::spawn_blocking(read).await.map_err(|_| Refused::Failed)?,
        false => read(),
    }
}
