//! The first line of the page: how bad is it, and does Sextant act.

use super::words::Shape;
use crate::html::Icon;
use askama::Template;
use wire::view::{Automation, Overview, VerdictState};

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
