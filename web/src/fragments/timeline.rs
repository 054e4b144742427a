//! What happened, newest first.

use super::{Clock, words::Shape};
use crate::html::{Icon, Stamp};
use askama::Template;
use wire::view::{Overview, TimelineKind};

/// The most entries that a page shows: enough for an outage and every step back. The API has the others.
const MOST: usize = 30;

#[derive(Template)]
#[template(path = "timeline.html")]
pub struct Timeline {
    entries: Vec<Entry>,
    /// The id of the last one shown, where there are older ones.
    older: Option<i64>,
}

struct Entry {
    id: i64,
    kind: TimelineKind,
    icon: Icon,
    /// The state that a verdict came to; empty for other entries.
    state: String,
    at: Stamp,
    age: Stamp,
    title: String,
    detail: String,
    chips: Vec<String>,
}

impl Timeline {
    pub fn new(overview: &Overview, clock: Clock) -> Self {
        let entries = overview.timeline.iter().take(MOST).map(|entry| Entry {
            id: entry.id,
            kind: entry.kind,
            icon: entry.state.map_or_else(|| entry.kind.icon(), |state| state.icon()),
            state: entry.state.map_or_else(String::new, |state| state.to_string()),
            at: Stamp::clock(entry.at),
            age: clock.age(entry.at),
            title: entry.title.clone(),
            detail: entry.detail.clone(),
            chips: [
                entry.service.as_ref().map(ToString::to_string),
                entry.region.as_ref().map(ToString::to_string),
                entry.generation.map(|g| format!("generation {g}")),
            ]
            .into_iter()
            .flatten()
            .collect(),
        });
        let older = overview.timeline.get(MOST).and_then(|_| overview.timeline.get(MOST - 1)).map(|e| e.id);
        Self { entries: entries.collect(), older }
    }
}
