//! `GET /events`: the fragments that changed, as server-sent events named after the element they belong to.
//!
//! Besides fragments there are two events: `pulse`, the board's clock, at least every two seconds, by which the
//! page knows that what it shows is current; and `trouble`, why there is nothing new.

use crate::live::Live;
use axum::{
    extract::State,
    http::{HeaderName, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream::{self, Stream, StreamExt};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// At most five drawings a second.
const PACE: Duration = Duration::from_millis(200);
/// The longest silence. The demo's users count all the time without the board noticing, hence twice as often.
const TICK: Duration = Duration::from_secs(2);
const LAB_TICK: Duration = Duration::from_secs(1);
/// How long a browser waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

/// What one page has been sent.
struct Viewer {
    live: Arc<Live>,
    changes: watch::Receiver<u64>,
    sent: HashMap<&'static str, String>,
    drawn: Option<Instant>,
}

/// `GET /events`.
pub async fn events(State(live): State<Arc<Live>>) -> Response {
    let mut stop = live.site.stop.clone();
    let stopped = async move {
        // An error means that the sender is gone, which is a stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let viewer = Viewer { changes: live.site.board.changes(), live, sent: HashMap::new(), drawn: None };
    let head = [(HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store")];
    (head, Sse::new(batches(viewer).take_until(Box::pin(stopped)))).into_response()
}

fn batches(viewer: Viewer) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(viewer, |mut viewer| async move {
        viewer.wait().await;
        let events = viewer.draw().await;
        Some((stream::iter(events.into_iter().map(Ok)), viewer))
    })
    .flatten()
}

impl Viewer {
    /// Until something changed or the tick is over, but never before the pace allows. At once the first time.
    async fn wait(&mut self) {
        let Some(drawn) = self.drawn else { return };
        let tick = if self.live.site.lab.is_some() { LAB_TICK } else { TICK };
        if let Ok(Err(_)) = timeout_at(drawn + tick, self.changes.changed()).await {
            // The board is going away; keep ticking until told to stop.
            sleep_until(drawn + tick).await;
        }
        sleep_until(drawn + PACE).await;
    }

    /// The events for what changed since the last call.
    async fn draw(&mut self) -> Vec<Event> {
        let first = self.drawn.is_none();
        self.drawn = Some(Instant::now());
        let version = *self.changes.borrow_and_update();
        let mut events = Vec::new();
        match self.live.draw(version).await {
            Ok(drawing) => {
                for fragment in &drawing.fragments {
                    if self.sent.get(fragment.id) != Some(&fragment.html) {
                        self.sent.insert(fragment.id, fragment.html.clone());
                        events.push(Event::default().event(fragment.id).data(&fragment.html));
                    }
                }
                events.push(Event::default().event("pulse").data(drawing.now.to_string()));
            }
            Err(error) => {
                tracing::warn!(%error, "no overview for the stream");
                events.push(Event::default().event("trouble").data(error.to_string()));
            }
        }
        if first && let Some(event) = events.pop() {
            events.push(event.retry(RECONNECT));
        }
        events
    }
}
