//! What is kept to make decisions again.

use super::{
    Engine,
    stories::{self, T0, commit, shop},
};
use crate::{
    decide::{Note, State},
    fold::passes::{self, Pass},
    store::{Commit, Error, Mark, NewPlan, Store, payload},
};
use wire::{Micros, plan::Plan, view::TimelineKind};

const SECOND_US: i64 = 1_000_000;
/// Before everything, and after.
const EVER: (Micros, Micros) = (Micros(0), Micros(i64::MAX));

fn at(seconds: i64) -> Micros {
    T0.plus_us(seconds * SECOND_US)
}

fn state(seconds: i64) -> State {
    State { now: at(seconds), ..State::default() }
}

fn pass(seconds: i64) -> Pass {
    Pass { now: at(seconds), position: seconds }
}

fn mark(term: i64, number: i64, seconds: i64, revision: i64) -> Mark {
    Mark { term, number, at: at(seconds), position: seconds, revision }
}

/// A commit that was made some seconds after [`T0`], with the passes at some others.
async fn commit_at(
    store: &Store,
    (term, number): (i64, i64),
    seconds: i64,
    judged: &[i64],
    snapshot: Option<i64>,
    notes: &[Note],
) {
    let passes: Vec<Pass> = judged.iter().copied().map(pass).collect();
    let state = state(seconds);
    let made = Commit {
        number,
        now: at(seconds),
        passes: passes::pack(&passes),
        snapshot,
        notes,
        ..commit(term, seconds, &state)
    };
    store.commit(&made).await.expect("committed");
}

fn note(seconds: i64, title: &str) -> Note {
    Note::new(TimelineKind::Verdict, at(seconds), title).service(&shop())
}

/// Two terms: the first began at 0 s and kept its state again at 20 s, the second began at 100 s.
async fn two_terms(store: &Store) -> (i64, i64) {
    let one = store.take_lease("one", T0).await.expect("taken");
    commit_at(store, (one, 1), 0, &[], Some(1), &[]).await;
    commit_at(store, (one, 2), 10, &[1, 2, 10], None, &[note(10, "ten")]).await;
    let notes = [note(20, "twenty"), note(15, "fifteen, told later")];
    commit_at(store, (one, 3), 20, &[11, 20], Some(1), &notes).await;
    let two = store.take_lease("two", at(100)).await.expect("taken");
    commit_at(store, (two, 1), 100, &[], Some(2), &[]).await;
    commit_at(store, (two, 2), 110, &[110], None, &[note(110, "the second term")]).await;
    (one, two)
}

#[tokio::test]
async fn replays_find_what_was_kept() {
    for engine in Engine::both() {
        let store = engine.open().await;
        nothing_yet(&store).await;
        let terms = two_terms(&store).await;
        plans(&store, terms.1).await;
        store.close().await;
        // A replay is another process.
        let store = Store::read_only(&engine.options().place).await.expect("it is there");
        marks(&store, terms).await;
        states(&store, terms).await;
        judged(&store, terms).await;
        timeline(&store).await;
        store.close().await;
    }
}

async fn nothing_yet(store: &Store) {
    assert_eq!(store.marks(EVER.0, EVER.1).await.expect("read"), []);
    assert_eq!(store.oldest_state().await.expect("read"), None);
    assert_eq!(store.kept_state(mark(1, 1, 0, 1)).await.expect("read"), None);
    assert_eq!(store.passes_after(1, 0, 10).await.expect("read"), []);
    assert_eq!(store.timeline_between(EVER.0, EVER.1).await.expect("read"), []);
    assert_eq!(store.plans_between(EVER.0, EVER.1).await.expect("read"), []);
    let term = store.take_lease("me", Micros(0)).await.expect("taken");
    assert_eq!(store.expire_replays(term, EVER.1).await.expect("nothing to do"), 0);
}

/// From the newest state that is not after the beginning, and from the first of each later term.
async fn marks(store: &Store, (one, two): (i64, i64)) {
    let (first, again, second) = (mark(one, 1, 0, 1), mark(one, 3, 20, 1), mark(two, 1, 100, 2));
    let just_before = |seconds: i64| at(seconds).plus_us(-1);
    for (from, to, expected) in [
        (just_before(0), just_before(0), vec![]),
        // What began within the range is gone on with, although nothing was kept before it.
        (just_before(0), at(0), vec![first]),
        (just_before(0), at(50), vec![first]),
        (at(0), at(0), vec![first]),
        (just_before(20), just_before(100), vec![first]),
        (at(20), at(20), vec![again]),
        (at(50), just_before(100), vec![again]),
        (at(50), at(100), vec![again, second]),
        (just_before(100), at(900), vec![again, second]),
        (at(100), at(900), vec![second]),
        (EVER.1, EVER.1, vec![second]),
        (EVER.0, EVER.1, vec![first, second]),
    ] {
        assert_eq!(store.marks(from, to).await.expect("read"), expected, "{from} to {to}");
    }
}

async fn states(store: &Store, (one, two): (i64, i64)) {
    for (kept, seconds) in [(mark(one, 1, 0, 1), 0), (mark(one, 3, 20, 1), 20), (mark(two, 1, 100, 2), 100)] {
        assert_eq!(store.kept_state(kept).await.expect("read"), Some(state(seconds)));
    }
    // A commit whose state was not kept, and terms that never were.
    for never in [mark(one, 2, 10, 1), mark(one - 1, 1, 0, 1), mark(two + 1, 1, 0, 2)] {
        assert_eq!(store.kept_state(never).await.expect("read"), None, "{never:?}");
    }
}

async fn judged(store: &Store, (one, two): (i64, i64)) {
    let of = |number: i64, judged: &[i64]| (number, judged.iter().copied().map(pass).collect::<Vec<_>>());
    let all = [of(1, &[]), of(2, &[1, 2, 10]), of(3, &[11, 20])];
    assert_eq!(store.passes_after(one, 0, 10).await.expect("read"), all);
    assert_eq!(store.passes_after(one, 1, 10).await.expect("read"), all[1..]);
    assert_eq!(store.passes_after(one, 1, 1).await.expect("read"), all[1..2]);
    assert_eq!(store.passes_after(one, 3, 10).await.expect("read"), []);
    assert_eq!(store.passes_after(two, 1, 1).await.expect("read"), [of(2, &[110])]);
    assert_eq!(store.passes_after(two + 1, 0, 10).await.expect("read"), []);
}

/// Both ends are in it; what was told later about an earlier time comes later.
async fn timeline(store: &Store) {
    let titles = async |from, to| -> Vec<String> {
        let entries = store.timeline_between(from, to).await.expect("read");
        assert!(entries.iter().all(|entry| entry.service == Some(shop())), "{entries:?}");
        entries.into_iter().map(|entry| entry.title).collect()
    };
    let three = ["ten", "twenty", "fifteen, told later"];
    assert_eq!(titles(at(10), at(20)).await, three);
    assert_eq!(titles(at(10).plus_us(1), at(20).plus_us(-1)).await, three[2..]);
    assert_eq!(titles(at(20), at(20)).await, three[1..2]);
    assert_eq!(titles(at(20), at(10)).await, Vec::<String>::new());
    assert_eq!(titles(EVER.0, EVER.1).await.len(), 4);
}

/// Both ends are in it, in the order in which they were made.
async fn plans(store: &Store, term: i64) {
    let plan = |service: &str, generation: i64, seconds: i64| Plan {
        service: service.parse().expect("an id"),
        created: at(seconds),
        ..stories::plan(generation, term)
    };
    let made = [plan("shop", 1, 120), plan("blog", 1, 130), plan("shop", 2, 130), plan("shop", 3, 140)];
    // Written in another order.
    for (number, plan) in (3..).zip([&made[2], &made[1], &made[3], &made[0]]) {
        let plans = [NewPlan { plan, guards: &[], receivers: &[] }];
        let state = state(150);
        let made = Commit { number, now: at(150), plans: &plans, ..commit(term, 150, &state) };
        store.commit(&made).await.expect("committed");
    }
    assert_eq!(store.plans_between(EVER.0, EVER.1).await.expect("read"), made);
    assert_eq!(store.plans_between(at(130), at(140)).await.expect("read"), made[1..]);
    assert_eq!(store.plans_between(at(120), at(140).plus_us(-1)).await.expect("read"), made[..3]);
    assert_eq!(store.plans_between(at(120).plus_us(1), at(130).plus_us(-1)).await.expect("read"), []);
}

#[tokio::test]
async fn replays_are_forgotten_by_the_decider_in_force() {
    for engine in Engine::both() {
        let store = engine.open().await;
        assert_eq!(store.revise("a: 1", T0).await.expect("stored"), (1, true));
        let (one, two) = two_terms(&store).await;
        let (first, again, second) = (mark(one, 1, 0, 1), mark(one, 3, 20, 1), mark(two, 1, 100, 2));
        let fenced = store.expire_replays(one, EVER.1).await;
        assert!(matches!(fenced, Err(Error::Fenced { term }) if term == one), "{fenced:?}");
        assert_eq!(store.expire_replays(two, T0).await.expect("asked"), 0, "that instant is not before it");
        assert_eq!(store.marks(EVER.0, EVER.1).await.expect("read"), [first, second]);
        assert_eq!(store.oldest_state().await.expect("read"), Some(T0));

        // The first state and its commit.
        assert_eq!(store.expire_replays(two, T0.plus_us(1)).await.expect("deleted"), 2);
        assert_eq!(store.kept_state(first).await.expect("read"), None);
        assert_eq!(store.kept_state(again).await.expect("read"), Some(state(20)));
        assert_eq!(store.oldest_state().await.expect("read"), Some(at(20)));
        assert_eq!(store.marks(T0, at(19)).await.expect("read"), [], "too old to be gone on from");
        assert_eq!(store.marks(T0, at(20)).await.expect("read"), [again], "the oldest there is");
        assert_eq!(store.marks(T0, at(900)).await.expect("read"), [again, second]);
        assert_eq!(store.marks(at(20), at(50)).await.expect("read"), [again]);
        let numbers = async |term| -> Vec<i64> {
            let commits = store.passes_after(term, 0, 10).await.expect("read");
            commits.into_iter().map(|(number, _)| number).collect()
        };
        assert_eq!(numbers(one).await, [2, 3]);

        // All of the first term.
        assert_eq!(store.expire_replays(two, at(100)).await.expect("deleted"), 3);
        assert_eq!((numbers(one).await, numbers(two).await), (vec![], vec![1, 2]));
        assert_eq!(store.marks(at(50), at(900)).await.expect("read"), [second]);
        assert_eq!(store.expire_replays(two, EVER.1).await.expect("deleted"), 3);
        assert_eq!(store.expire_replays(two, EVER.1).await.expect("nothing is left"), 0);
        assert_eq!(store.oldest_state().await.expect("read"), None);
        // Only replays are impossible now: what was decided stays, and is gone on with.
        assert_eq!(store.timeline_between(EVER.0, EVER.1).await.expect("read").len(), 4);
        assert_eq!(store.newest_commit().await.expect("read"), Some((two, 2)));
        assert_eq!(store.document(1).await.expect("read").as_deref(), Some("a: 1"));
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_damaged_is_told_and_hides_nothing_else() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let (one, two) = two_terms(&store).await;
        plans(&store, two).await;

        let (damaged, sound) = (mark(one, 3, 20, 1), mark(one, 1, 0, 1));
        // Too short, a lie about its size, and the right form with something else in it.
        let other = payload::of_document(&"no state");
        for bytes in [&[][..], &[1, 2, 3], &[255, 255, 255, 127, 1, 2], &other] {
            store.overwrite("UPDATE snapshot SET state = $1 WHERE number = 3", bytes).await;
            let error = store.kept_state(damaged).await.expect_err("damaged");
            assert!(error.to_string().starts_with("a kept state in the database cannot be read"), "{error}");
            assert_eq!(store.kept_state(sound).await.expect("read"), Some(state(0)));
        }
        assert_eq!(store.marks(at(20), at(20)).await.expect("found without being read"), [damaged]);

        // Nothing at all, an unknown form, a number that is cut off, and one without its other half.
        for bytes in [&[][..], &[2], &[1, 0x80], &[1, 2]] {
            store.overwrite("UPDATE judged SET passes = $1 WHERE number = 2", bytes).await;
            let read = store.passes_after(one, 0, 10).await;
            assert!(matches!(read, Err(Error::Unreadable { what: "the passes of a commit" })), "{read:?}");
            assert_eq!(store.passes_after(one, 2, 10).await.expect("read").len(), 1);
        }

        store.rewrite("UPDATE timeline SET kind = $1 WHERE title = 'twenty'", "prophecy").await;
        let read = store.timeline_between(at(0), at(20)).await;
        assert!(matches!(read, Err(Error::Stored { what: "a timeline entry", .. })), "{read:?}");
        assert_eq!(store.timeline_between(at(0), at(15)).await.expect("read").len(), 2);

        store.rewrite("UPDATE plan SET document = $1 WHERE service = 'blog'", "{").await;
        let read = store.plans_between(at(120), at(140)).await;
        assert!(matches!(read, Err(Error::Stored { what: "a plan", .. })), "{read:?}");
        assert_eq!(store.plans_between(at(131), at(140)).await.expect("read").len(), 1);
        store.close().await;
    }
}
