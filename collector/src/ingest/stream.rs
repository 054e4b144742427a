//! `GET /api/v1/stream`: a probe's assignment, then whatever is asked of it, one JSON object a line.

use super::auth::Caller;
use crate::{
    App,
    api::{Known, Params, Rejected},
    config,
};
use axum::{
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::interval,
};
use tokio_stream::wrappers::ReceiverStream;
use wire::{
    ProbeId, RegionId,
    assignment::{Assignment, Directive},
    report::HEARTBEAT_SECONDS,
};

/// Lines that may wait for a probe to read them.
const LINES: usize = 16;
/// How long a probe may leave them unread.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the caller believes of itself.
#[derive(Debug, Deserialize)]
pub struct Belief {
    region: Option<String>,
}

impl Known for Belief {
    const NAMES: &'static [&'static str] = &["region"];
    // A probe of a newer version may say more.
    const OTHERS: bool = true;
}

/// Opens a probe's stream.
///
/// # Errors
/// A problem document when the probe believes to be elsewhere than its token says.
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    Params(belief): Params<Belief>,
) -> Result<Response, Rejected> {
    if let Some(region) = belief.region.filter(|region| region != caller.region.as_str()) {
        return Err(wrong_region(&app, &caller, &region));
    }
    let Some(mut assignment) = config::assignment(&app.config, app.revision, &caller.probe) else {
        // Tokens are read from the same configuration, so this cannot happen; if it does, say so.
        let detail = format!("{} is not in revision {}", caller.probe, app.revision);
        return Err(Rejected::new(404, "unknown-probe", "There is no such probe", detail));
    };
    assignment.mesh = app.mesh.of(&caller.probe);
    tracing::info!(probe = %caller.probe, revision = app.revision, "probe listens");
    let (lines, received) = mpsc::channel(LINES);
    tokio::spawn(feed(app, caller.probe, assignment, lines));
    let body = Body::from_stream(ReceiverStream::new(received).map(Ok::<_, Infallible>));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Feeds one stream until the probe goes away or the collector closes.
async fn feed(app: App, probe: ProbeId, assignment: Assignment, lines: mpsc::Sender<String>) {
    let mut listener = app.hub.listen(probe);
    let mut heartbeat = interval(Duration::from_secs(HEARTBEAT_SECONDS));
    heartbeat.reset();
    let mut directive = Some(Directive::Assignment(assignment));
    loop {
        // A probe that does not read for so long is gone; the bounded channel keeps it from costing memory.
        if let Some(directive) = directive.take()
            && lines.send_timeout(line(&directive), PATIENCE).await.is_err()
        {
            return;
        }
        directive = tokio::select! {
            () = app.closing.cancelled() => return,
            () = lines.closed() => return,
            _ = heartbeat.tick() => Some(Directive::Heartbeat { now: app.clock.now() }),
            confirm = listener.confirms.recv() => match confirm {
                Ok(confirm) => Some(Directive::Confirm((*confirm).clone())),
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            },
        };
    }
}

fn line(directive: &Directive) -> String {
    let mut line = serde_json::to_string(directive).expect("our own types serialise to JSON");
    line.push('\n');
    line
}

fn wrong_region(app: &App, caller: &Caller, region: &str) -> Rejected {
    let known = region.parse::<RegionId>().is_ok_and(|id| app.config.regions.contains_key(&id));
    if known {
        let detail = format!(
            "the token belongs to {} in {}; start the probe with --region {}, or give it the token of a probe in \
             {region}",
            caller.probe, caller.region, caller.region
        );
        return Rejected::new(403, "wrong-region", "The token belongs to another region", detail);
    }
    let regions: Vec<&str> = app.config.regions.keys().map(RegionId::as_str).collect();
    let detail = format!("{region:?} is not configured; the regions are {}", regions.join(", "));
    Rejected::new(403, "unknown-region", "There is no such region", detail)
}
