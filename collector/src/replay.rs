//! Makes decisions again: replays a range of the log through the decision core, pass by pass as it was judged live, and
//! compares with what was decided then.
//!
//! The live decider wrote down when it judged and how far in the log (`judged`), and kept its state now and then
//! (`snapshot`). The core is pure, so the same states, entries and times must give the same decisions; a difference is
//! a defect, or somebody has changed the database.

use crate::{
    config::{self, Problems},
    decide::{Core, Effect, Event, Note},
    store::{Error as StoreError, Mark, Store},
};
use serde::Serialize;
use std::sync::Arc;
use wire::{
    Micros,
    plan::Plan,
    view::{TimelineEntry, TimelineKind},
};

/// Commits that are read at a time.
const COMMITS: i64 = 50;
/// Log entries that are read at a time.
const ENTRIES: i64 = 100;

/// Why a range cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "nothing was decided in this range or before it, or it is older than what is kept: choose a later one"
    )]
    NoState,
    #[error("the configuration of revision {0} is not kept any more")]
    NoConfiguration(i64),
    #[error("the configuration of revision {revision} is not valid for this version")]
    Configuration { revision: i64, source: Problems },
}

/// What a replay gave.
#[derive(Debug, Default, Serialize)]
pub struct Replay {
    /// Times at which the core judged.
    pub passes: u64,
    /// Entries of the log that it took in.
    pub entries: u64,
    /// Terms of deciders.
    pub terms: u64,
    /// What was decided in the range, oldest first: titles of the timeline.
    pub decisions: Vec<Decision>,
    /// Plans that were made in the range.
    pub plans: u64,
    /// What does not agree with what was decided live; empty when all is the same.
    pub differences: Vec<Difference>,
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub at: Micros,
    pub kind: TimelineKind,
    pub generation: Option<i64>,
    pub title: String,
    #[serde(skip)]
    rest: String,
}

/// Something that was decided only live or only in the replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    OnlyLive(String),
    OnlyReplayed(String),
}

impl From<Note> for Decision {
    fn from(note: Note) -> Decision {
        let Note { at, kind, service, region, generation, state, title, detail } = note;
        Decision { at, kind, generation, rest: format!("{service:?} {region:?} {state:?} {detail}"), title }
    }
}

impl From<TimelineEntry> for Decision {
    fn from(entry: TimelineEntry) -> Decision {
        let TimelineEntry { id: _, at, kind, service, region, generation, state, title, detail } = entry;
        Decision { at, kind, generation, rest: format!("{service:?} {region:?} {state:?} {detail}"), title }
    }
}

/// Replays what was decided from one instant to another, both inclusive.
///
/// # Errors
/// When the range is not kept any more, or the database fails.
pub async fn run(store: &Store, from: Micros, to: Micros) -> Result<Replay, Error> {
    let marks = store.marks(from, to).await?;
    if marks.is_empty() {
        return Err(Error::NoState);
    }
    let mut replay = Replay { terms: marks.len() as u64, ..Replay::default() };
    let mut plans = Vec::new();
    for mark in marks {
        term(store, mark, (from, to), &mut replay, &mut plans).await?;
    }
    let live = store.timeline_between(from, to).await?.into_iter();
    // That a configuration is in force is noted at the start of a term, not by the core.
    let live = live.filter(|entry| entry.kind != TimelineKind::Configuration).map(Decision::from).collect();
    compare(live, replay.decisions.clone(), |d| format!("{}: {} {:?}", d.at.0, d.title, d.rest), &mut replay);
    replay.plans = plans.len() as u64;
    plans.sort_by(|a: &Plan, b| {
        (a.created, &a.service, a.generation).cmp(&(b.created, &b.service, b.generation))
    });
    let live = store.plans_between(from, to).await?;
    compare(live, plans, |plan| format!("{plan:?}"), &mut replay);
    Ok(replay)
}

/// Replays one term from a kept state on.
async fn term(
    store: &Store,
    mark: Mark,
    (from, to): (Micros, Micros),
    replay: &mut Replay,
    plans: &mut Vec<Plan>,
) -> Result<(), Error> {
    let Some(state) = store.kept_state(mark).await? else { return Err(Error::NoState) };
    let document = store.document(mark.revision).await?.ok_or(Error::NoConfiguration(mark.revision))?;
    let config = config::parse(&document, "the configuration of that time")
        .map_err(|source| Error::Configuration { revision: mark.revision, source })?;
    // As it was: what the configuration did not have was forgotten before the state was kept.
    let mut core = Core { config: Arc::new(config), state, term: mark.term };
    let (mut number, mut position) = (mark.number, mark.position);
    loop {
        let commits = store.passes_after(mark.term, number, COMMITS).await?;
        let Some((last, _)) = commits.last() else { return Ok(()) };
        number = *last;
        for pass in commits.into_iter().flat_map(|(_, passes)| passes) {
            if pass.now > to {
                return Ok(());
            }
            let mut effects = Vec::new();
            while position < pass.position {
                let entries = store.log_between(position, pass.position, ENTRIES).await?;
                let Some(last) = entries.last() else { break };
                position = last.position;
                replay.entries += entries.len() as u64;
                for entry in &entries {
                    effects.extend(core.apply(&entry.event, pass.now));
                }
            }
            position = pass.position;
            effects.extend(core.apply(&Event::Tick, pass.now));
            replay.passes += 1;
            for effect in effects {
                match effect {
                    Effect::Note(note) if note.at >= from => replay.decisions.push(note.into()),
                    Effect::Plan { plan, .. } if plan.created >= from => plans.push(plan),
                    _ => {}
                }
            }
        }
    }
}

/// Notes what is only in one of two lists, each in order.
fn compare<T: PartialEq>(live: Vec<T>, replayed: Vec<T>, text: impl Fn(&T) -> String, replay: &mut Replay) {
    let mut rest = replayed;
    for item in live {
        match rest.iter().position(|other| *other == item) {
            Some(at) => drop(rest.remove(at)),
            None => replay.differences.push(Difference::OnlyLive(text(&item))),
        }
    }
    replay.differences.extend(rest.iter().map(|item| Difference::OnlyReplayed(text(item))));
}
