//! The first line of the page: how bad is it, and does Sextant act.

use super::words::Shape;
use crate::html::{Icon, Stamp};
use askama::Template;
use wire::view::{Automation, Overview, StorageView, VerdictState};

#[derive(Template)]
#[template(path = "headline.html")]
pub struct Headline {
    mood: VerdictState,
    icon: Icon,
    text: String,
}

impl Headline {
    pub fn new(overview: &Overview) -> Self {
        Self { mood: overview.mood, icon: overview.mood.icon(), text: overview.headline.clone() }
    }
}

/// Why nothing can be stored, above everything else; empty while all is well.
#[derive(Template)]
#[template(path = "storage.html")]
pub struct Storage {
    degraded: Option<StorageView>,
    icon: Icon,
    since: Stamp,
}

impl Storage {
    pub fn new(overview: &Overview) -> Self {
        let since = overview.degraded.as_ref().map(|degraded| degraded.since).unwrap_or_default();
        Self {
            degraded: overview.degraded.clone(),
            icon: VerdictState::Degraded.icon(),
            since: Stamp::clock(since),
        }
    }
}

#[derive(Template)]
#[template(path = "posture.html")]
pub struct Posture {
    automation: Automation,
    icon: Icon,
    meaning: &'static str,
    revision: i64,
}

impl Posture {
    pub fn new(overview: &Overview) -> Self {
        Self {
            automation: overview.automation,
            icon: overview.automation.icon(),
            meaning: match overview.automation {
                Automation::On => "Plans are made and delivered.",
                Automation::Observe => {
                    "Verdicts are made; what would be planned is only written to the timeline."
                }
                Automation::Off => "The kill switch is thrown: the last plan stays in force.",
            },
            revision: overview.revision,
        }
    }
}
