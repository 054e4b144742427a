//! What the core wants done.

use wire::{
    Micros, RegionId, ServiceId,
    assignment::Confirm,
    plan::Plan,
    view::{GuardView, TimelineKind, VerdictState},
};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write to the timeline.
    Note(Note),
    /// Record a new plan and tell every receiver of the service.
    Plan { plan: Plan, guards: Vec<GuardView> },
    /// Tell every receiver of the service of the plan in force once more, under the same id.
    Retell(Plan),
    /// Ask every probe to run these checks at once. Not kept: a lost request only costs time.
    Confirm(Confirm),
}

impl Effect {
    /// Whether the effect must be committed together with the state.
    pub fn is_durable(&self) -> bool {
        !matches!(self, Effect::Confirm(_))
    }
}

/// A timeline entry before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub at: Micros,
    pub kind: TimelineKind,
    pub service: Option<ServiceId>,
    pub region: Option<RegionId>,
    pub generation: Option<i64>,
    /// The state that a verdict came to.
    pub state: Option<VerdictState>,
    pub title: String,
    pub detail: String,
}

impl Note {
    /// An entry about the whole system.
    pub fn new(kind: TimelineKind, at: Micros, title: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            at,
            kind,
            service: None,
            region: None,
            generation: None,
            state: None,
            title,
            detail: String::new(),
        }
    }

    /// Says which service it is about.
    pub fn service(mut self, service: &ServiceId) -> Self {
        self.service = Some(service.clone());
        self
    }

    /// Says which region it is about.
    pub fn region(mut self, region: &RegionId) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// Says which plan it is about.
    pub fn generation(mut self, generation: i64) -> Self {
        self.generation = Some(generation);
        self
    }

    /// Says which state a verdict came to.
    pub fn state(mut self, state: VerdictState) -> Self {
        self.state = Some(state);
        self
    }

    /// Adds the evidence.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl From<Note> for Effect {
    fn from(note: Note) -> Effect {
        Effect::Note(note)
    }
}
