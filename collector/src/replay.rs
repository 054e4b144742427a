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
use std::{fmt, sync::Arc};
use wire::{
    Micros, RegionId, ServiceId,
    plan::{Cause, Plan},
    view::{TimelineEntry, TimelineKind, VerdictState},
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
    #[error("no collector has decided anything with this database yet: there is nothing to make again")]
    NoState,
    #[error(
        "nothing of this range can be decided again: what that needs is kept from {kept_from} on; choose a later range. \
         `retention.log` says how long it is kept"
    )]
    TooOld { kept_from: Micros },
    #[error("the configuration of revision {0} is not kept any more")]
    NoConfiguration(i64),
    #[error("the configuration of revision {revision} is not valid for this version")]
    Configuration { revision: i64, source: Problems },
}

/// What a replay gave.
#[derive(Debug, Default, Serialize)]
pub struct Replay {
    /// The first instant of which decisions were made again.
    pub from: Micros,
    /// What was asked for before that.
    pub missing: Option<Missing>,
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
    /// When something that this range was decided from was erased on request, oldest first: what is decided without it may
    /// differ.
    pub erased: Vec<Micros>,
}

/// A part of a range that could not be decided again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub from: Micros,
    pub to: Micros,
    pub why: &'static str,
}

/// Why the beginning of a range is missing.
const NOT_KEPT: &str = "What decisions are made again from is kept for `retention.log`, and from the first start of a \
    collector on; nothing older is there.";

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
        Decision { at, kind, generation, rest: rest(service, region, state, &detail), title }
    }
}

impl From<TimelineEntry> for Decision {
    fn from(entry: TimelineEntry) -> Decision {
        let TimelineEntry { id: _, at, kind, service, region, generation, state, title, detail } = entry;
        Decision { at, kind, generation, rest: rest(service, region, state, &detail), title }
    }
}

/// What a decision is about and what came of it, in words.
fn rest(
    service: Option<ServiceId>,
    region: Option<RegionId>,
    state: Option<VerdictState>,
    detail: &str,
) -> String {
    let mut words = Vec::new();
    words.extend(service.map(|service| format!("service {service}")));
    words.extend(region.map(|region| format!("region {region}")));
    words.extend(state.map(|state| format!("state {state}")));
    words.extend(Some(detail.to_owned()).filter(|detail| !detail.is_empty()));
    words.join(", ")
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { at, kind, generation, title, rest } = self;
        write!(f, "{at}  {kind}: {title}")?;
        if let Some(generation) = generation {
            write!(f, ", generation {generation}")?;
        }
        if rest.is_empty() { Ok(()) } else { write!(f, " ({rest})") }
    }
}

/// A plan in words: whatever two plans can differ in.
fn told(plan: &Plan) -> String {
    let Plan { service, generation, term, weights, cause, reason, created } = plan;
    let weights: Vec<String> = weights.iter().map(|(region, weight)| format!("{region} {weight}")).collect();
    let cause = match cause {
        Cause::Configured => "as configured".to_owned(),
        Cause::Evacuate(region) => format!("evacuates {region}"),
        Cause::Failback { region, percent } => format!("gives {percent} % back to {region}"),
    };
    let weights = weights.join(", ");
    format!(
        "{created}  plan: generation {generation} of {service}, term {term}, {cause}: {weights} ({reason})"
    )
}

/// Replays what was decided from one instant to another, both inclusive.
///
/// # Errors
/// When the range is not kept any more, or the database fails.
pub async fn run(store: &Store, from: Micros, to: Micros) -> Result<Replay, Error> {
    let marks = store.marks(from, to).await?;
    let Some(first) = marks.first().map(|mark| mark.at) else {
        return Err(store
            .oldest_state()
            .await?
            .map_or(Error::NoState, |kept_from| Error::TooOld { kept_from }));
    };
    let asked = from;
    // What was decided up to the kept state is in it.
    let from = if first >= asked { first.plus_us(1) } else { asked };
    let missing = (first > asked).then_some(Missing { from: asked, to: first, why: NOT_KEPT });
    let mut replay = Replay { from, missing, terms: marks.len() as u64, ..Replay::default() };
    let mut plans = Vec::new();
    for mark in marks {
        term(store, mark, (from, to), &mut replay, &mut plans).await?;
    }
    if replay.passes == 0 && replay.missing.is_some() {
        return Err(Error::TooOld { kept_from: first });
    }
    let live = store.timeline_between(from, to).await?.into_iter();
    // That a configuration is in force is noted at the start of a term, not by the core.
    let live = live.filter(|entry| entry.kind != TimelineKind::Configuration).map(Decision::from).collect();
    compare(live, replay.decisions.clone(), Decision::to_string, &mut replay);
    replay.plans = plans.len() as u64;
    plans.sort_by(|a: &Plan, b| {
        (a.created, &a.service, a.generation).cmp(&(b.created, &b.service, b.generation))
    });
    let live = store.plans_between(from, to).await?;
    compare(live, plans, told, &mut replay);
    replay.erased = store.erased_between(first, to).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::State,
        fold::passes::{Pass, pack},
        history::Selection,
        store::{Commit, conformance::Engine},
    };

    const DOCUMENT: &str = "\
version: 1
regions: { north: {} }
probes: { p1: { region: north, token: { env: T } } }
services: { shop: { regions: { north: http://n.test } } }
checks: { health: { service: shop, http: { path: / } } }
";

    fn second(n: i64) -> Micros {
        Micros(1_795_000_000_000_000 + n * 1_000_000)
    }

    /// A decider that commits each hundred seconds, keeps its state in the second and fourth commit, and has noted something
    /// in each.
    async fn decided(store: &Store) -> i64 {
        let (revision, _) = store.revise(DOCUMENT, second(0)).await.expect("revised");
        let term = store.take_lease("me", second(0)).await.expect("taken");
        for number in 1..=5 {
            let now = second(100 * number);
            let note = Note::new(TimelineKind::Held, now, format!("number {number}"));
            let commit = Commit {
                term,
                number,
                position: 0,
                now,
                state: &State { now, judged: now, warm_at: now, ..State::default() },
                passes: pack(&[Pass { now, position: 0 }]),
                snapshot: (number % 2 == 0).then_some(revision),
                notes: &[note],
                plans: &[],
                retold: &[],
            };
            store.commit(&commit).await.expect("committed");
        }
        term
    }

    #[tokio::test]
    async fn a_range_that_is_kept_in_part_says_which_part_is_missing() {
        for engine in Engine::both() {
            let store = engine.open().await;
            assert!(matches!(run(&store, second(0), second(600)).await, Err(Error::NoState)));
            let term = decided(&store).await;

            let whole = run(&store, second(250), second(600)).await.expect("replayed");
            assert_eq!((whole.from, &whole.missing), (second(250), &None));
            assert_eq!(whole.passes, 3);

            let cut = run(&store, second(50), second(600)).await.expect("replayed");
            let missing = cut.missing.as_ref().expect("the beginning is not kept");
            assert_eq!((missing.from, missing.to), (second(50), second(200)));
            assert!(missing.why.contains("retention.log"));
            let json = serde_json::to_value(&cut).expect("JSON");
            assert_eq!(json["missing"]["from"], serde_json::json!(second(50)));
            // The core knows nothing of the notes; those of the missing part are not held against it.
            let differences: Vec<String> = cut.differences.iter().map(|one| format!("{one:?}")).collect();
            assert_eq!(differences.len(), 3, "{differences:?}");
            assert!(differences[0].contains("number 3"), "{differences:?}");

            store.expire_replays(term, second(300)).await.expect("expired");
            let cut = run(&store, second(50), second(600)).await.expect("replayed");
            assert_eq!((cut.from, cut.passes), (second(400).plus_us(1), 1));
            for to in [second(399), second(400), second(450)] {
                let error = run(&store, second(50), to).await.expect_err("nothing is left of it");
                let text = error.to_string();
                assert!(text.contains(&second(400).to_string()) && text.contains("retention.log"), "{text}");
            }
            store.close().await;
        }
    }

    #[tokio::test]
    async fn differences_are_told_in_words_and_erasures_with_them() {
        for engine in Engine::both() {
            let store = engine.open().await;
            decided(&store).await;
            let replay = run(&store, second(250), second(600)).await.expect("replayed");
            assert_eq!(replay.erased, []);
            let Some(Difference::OnlyLive(text)) = replay.differences.first() else { panic!("{replay:?}") };
            assert_eq!(*text, format!("{}  held: number 3", second(300)));

            let of = |from, to| Selection {
                from: Some(second(from).0),
                to: Some(second(to).0),
                ..Selection::default()
            };
            for (what, only, at) in [
                (of(0, 200), false, 700),
                (of(300, 301), true, 701),
                (of(601, 650), false, 702),
                (Selection { check: Some("health".into()), ..Selection::default() }, false, 703),
            ] {
                store.begin_erasure(&what, only, second(at)).await.expect("noted");
            }
            let replay = run(&store, second(250), second(600)).await.expect("replayed");
            // It is decided from the state of second 200 on.
            assert_eq!(replay.erased, [second(701), second(703)]);
            store.close().await;
        }
    }

    #[test]
    fn names_are_names_and_instants_are_instants() {
        let shop: ServiceId = "shop".parse().expect("an id");
        let north: RegionId = "north".parse().expect("an id");
        let note = Note::new(TimelineKind::Verdict, second(0), "Shop is down")
            .service(&shop)
            .region(&north)
            .state(VerdictState::Down)
            .generation(2)
            .detail("3 of 5");
        let text = Decision::from(note).to_string();
        let wanted = "verdict: Shop is down, generation 2 (service shop, region north, state down, 3 of 5)";
        assert_eq!(text, format!("{}  {wanted}", second(0)));
        let plan = Plan {
            service: shop,
            generation: 2,
            term: 7,
            weights: [(north.clone(), 0)].into(),
            cause: Cause::Evacuate(north),
            reason: "north is down".into(),
            created: second(1),
        };
        let wanted = "plan: generation 2 of shop, term 7, evacuates north: north 0 (north is down)";
        assert_eq!(told(&plan), format!("{}  {wanted}", second(1)));
    }

    #[tokio::test]
    async fn a_later_term_in_the_range_does_not_make_differences_of_what_is_missing() {
        let engine = Engine::sqlite();
        let store = engine.open().await;
        decided(&store).await;
        let term = store.take_lease("other", second(550)).await.expect("taken");
        let now = second(600);
        let commit = Commit {
            term,
            number: 1,
            position: 0,
            now,
            state: &State { now, judged: now, warm_at: now, ..State::default() },
            passes: pack(&[Pass { now, position: 0 }]),
            snapshot: Some(1),
            notes: &[],
            plans: &[],
            retold: &[],
        };
        store.commit(&commit).await.expect("committed");

        // Numbers 1 and 2 are of before the first kept state.
        let cut = run(&store, second(50), second(700)).await.expect("replayed");
        assert_eq!((cut.from, cut.terms), (second(200).plus_us(1), 2));
        let differences: Vec<String> = cut.differences.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(differences.len(), 3, "{differences:?}");
        assert!(differences[0].contains("number 3"), "{differences:?}");
        store.close().await;
    }
}
