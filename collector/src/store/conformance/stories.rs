//! What the store must do, whatever the engine.

use crate::{
    decide::{Event, Note, State, Told},
    store::{Commit, Entry, Error, Kind, NewPlan, Outcome, Store},
};
use std::collections::BTreeMap;
use wire::{
    Micros, ProbeId, ReceiverId, ServiceId,
    mesh::MeshWindow,
    plan::{Cause, Plan},
    report::Report,
    view::{DeliveryState, GuardView, TimelineKind, VerdictState},
};

pub const T0: Micros = Micros(1_795_000_000_000_000);

pub fn shop() -> ServiceId {
    "shop".parse().expect("an id")
}

fn edges() -> [ReceiverId; 2] {
    ["edge-a", "edge-b"].map(|id| id.parse().expect("an id"))
}

pub fn report(probe: &str, sequence: i64) -> Entry {
    report_at(probe, sequence, T0)
}

pub fn report_at(probe: &str, sequence: i64, received: Micros) -> Entry {
    let report =
        Report { probe: probe.parse().expect("an id"), sequence, samples: Vec::new(), mesh: Vec::new() };
    entry(report, received)
}

/// A report with one window of the mesh in it.
pub fn window_at(sequence: i64, received: Micros) -> Entry {
    let mesh = vec![window("p1", "p2", "stamp", sequence * 60)];
    let report = Report { probe: "p1".parse().expect("an id"), sequence, samples: Vec::new(), mesh };
    entry(report, received)
}

/// A report as it is appended.
fn entry(report: Report, received: Micros) -> Entry {
    let raw = serde_json::value::to_raw_value(&report).expect("JSON");
    Entry::report(received, 0, (received, 0), report, &raw)
}

/// Whether each entry was new.
pub async fn append(store: &Store, entries: &[Entry]) -> Vec<bool> {
    let appended = store.append(entries).await.expect("stored");
    let new: Vec<i64> = appended.positions.iter().flatten().copied().collect();
    assert_eq!(appended.logged.iter().map(|entry| entry.position).collect::<Vec<_>>(), new);
    assert_eq!(appended.upto - appended.before, i64::try_from(entries.len()).expect("few"));
    appended.positions.iter().map(Option::is_some).collect()
}

/// The first commit of a term with nothing but a state.
pub fn commit<'a>(term: i64, position: i64, state: &'a State) -> Commit<'a> {
    Commit {
        term,
        number: 1,
        position,
        now: T0,
        state,
        passes: Vec::new(),
        snapshot: None,
        notes: &[],
        plans: &[],
        retold: &[],
    }
}

pub fn plan(generation: i64, term: i64) -> Plan {
    Plan {
        service: shop(),
        generation,
        term,
        weights: BTreeMap::from([("r1".parse().expect("an id"), 100)]),
        cause: Cause::Configured,
        reason: "a “reason”".into(),
        created: T0.plus_us(generation),
    }
}

/// Plays through every function once.
pub async fn play(store: &Store) {
    log(store).await;
    mesh(store).await;
    let term = decisions(store).await;
    outbox(store, term).await;
    fencing(store, term).await;
    assert_eq!(store.revise("a: 1", T0).await.expect("stored"), (1, true));
    assert_eq!(store.revise("a: 1", T0).await.expect("stored"), (1, false));
    assert_eq!(store.revise("a: 2", T0).await.expect("stored"), (2, true));
    assert_eq!(store.document(1).await.expect("read").as_deref(), Some("a: 1"));
    assert_eq!(store.document(2).await.expect("read").as_deref(), Some("a: 2"));
    for never in [0, 3, i64::MAX] {
        assert_eq!(store.document(never).await.expect("read"), None);
    }
    assert_eq!(store.newest_revision().await.expect("read"), Some(2));
    assert_eq!(store.documents(1).await.expect("read"), ["a: 2"]);
    assert_eq!(store.documents(9).await.expect("read"), ["a: 2", "a: 1"]);
}

/// A window that `from` sent to `to`, begun at `started` seconds after [`T0`].
fn window(from: &str, to: &str, method: &str, started: i64) -> MeshWindow {
    let text = format!(
        r#"{{"ssid": 7, "from": "{from}", "from_region": "a", "to": "{to}", "to_region": "b", "method": "{method}",
            "started": {}, "ended": {}, "timeout_us": 3000000, "sent": 600, "answered": 599,
            "loss": {{"lost": 1, "of": 600, "low": 0.0, "high": 0.01}}}}"#,
        T0.plus_us(started * 1_000_000).0,
        T0.plus_us((started + 60) * 1_000_000).0,
    );
    serde_json::from_str(&text).expect("a window")
}

async fn mesh(store: &Store) {
    let probe = |id: &str| -> ProbeId { id.parse().expect("an id") };
    let told = |sequence: i64, windows: Vec<MeshWindow>, after_s: i64| {
        let received = T0.plus_us(after_s * 1_000_000);
        let report = Report { probe: probe("p1"), sequence, samples: Vec::new(), mesh: windows };
        entry(report, received)
    };
    let (first, second) = (window("p1", "p2", "stamp", 0), window("p1", "p2", "stamp", 60));
    let (tcp, back) = (window("p1", "p2", "tcp", 0), window("p2", "p1", "stamp", 30));
    let all = vec![first.clone(), tcp.clone(), back.clone()];
    append(store, &[told(100, all, 61)]).await;
    // Sent again in another report, and the report itself again.
    let again = [told(101, vec![first.clone(), second.clone()], 121), told(100, vec![tcp.clone()], 122)];
    assert_eq!(append(store, &again).await, [true, false]);

    let newest = store.mesh(T0).await.expect("read");
    assert_eq!(newest, [second.clone(), tcp.clone(), back.clone()]);
    assert_eq!(store.mesh(T0.plus_us(62_000_000)).await.expect("read"), std::slice::from_ref(&second));
    let pair = (probe("p2"), probe("p1"));
    let between = store.mesh_between(&pair.0, &pair.1, i64::MAX, 3).await.expect("read");
    assert_eq!(between, [second.clone(), back, first]);
    let older = store.mesh_between(&pair.0, &pair.1, second.started.0, 10).await.expect("read");
    assert_eq!(older.len(), 3);
    assert_eq!(store.mesh_between(&pair.0, &probe("p3"), i64::MAX, 3).await.expect("read"), []);
    let expired = store.expire(Kind::Mesh, T0.plus_us(100_000_000), 100).await.expect("deleted");
    assert_eq!(expired.rows, 3);
    assert_eq!(store.mesh(T0).await.expect("read"), [second]);
}

async fn log(store: &Store) {
    let first = [report("p1", 1), report("p1", 2), report("p2", 1)];
    assert_eq!(append(store, &first).await, [true; 3]);
    // A resend that overlaps: only what is new is stored, and it counts once.
    let again = [report("p1", 2), report("p1", 3), report("p1", 3)];
    assert_eq!(append(store, &again).await, [false, true, false]);
    let logged = store.log_after(0, 100).await.expect("read");
    let order: Vec<_> = logged.iter().map(|entry| &*entry.event).cloned().collect();
    let expected = [&first[0], &first[1], &first[2], &again[1]].map(|entry| entry.event().clone());
    assert_eq!(order, expected);
    assert!(logged.is_sorted_by(|a, b| a.position < b.position));
    let rest = store.log_after(logged[1].position, 1).await.expect("read");
    assert_eq!(rest, logged[2..3]);
    // After the first, up to and including the last.
    let (first, last) = (logged[0].position, logged[2].position);
    assert_eq!(store.log_between(first, last, 100).await.expect("read"), logged[1..3]);
    assert_eq!(store.log_between(first, last, 1).await.expect("read"), logged[1..2]);
    assert_eq!(store.log_between(last, last, 100).await.expect("read"), []);
    assert_eq!(store.log_between(last, first, 100).await.expect("read"), []);
    let packed = store.log_packed(first, last, 100).await.expect("read");
    assert_eq!(packed.iter().map(|entry| entry.position).collect::<Vec<_>>(), [first + 1, last]);
    assert!(packed.iter().all(|entry| entry.bytes() > 20), "{packed:?}");
    let unpacked: Vec<_> = packed.into_iter().map(|entry| entry.unpack().expect("sound")).collect();
    assert_eq!(unpacked, logged[1..3]);
    assert!(store.log_packed(last, first, 100).await.expect("read").is_empty());
    // What was refused had its place, too.
    assert_eq!(store.log_head().await.expect("read"), 6);
}

async fn decisions(store: &Store) -> i64 {
    assert!(store.saved().await.expect("read").is_none());
    let term = store.take_lease("me", T0).await.expect("taken");
    assert_eq!(term, T0.0 / 1_000_000, "a term is at least the time");
    let state = State { now: T0, ..State::default() };
    let notes = [
        Note::new(TimelineKind::Verdict, T0, "one")
            .service(&shop())
            .state(VerdictState::Down)
            .detail("be\0cause"),
        Note::new(TimelineKind::Plan, T0, "two").generation(1),
    ];
    let guards = [GuardView { name: "never-empty".into(), passed: true, detail: "1 of 1".into() }];
    let (plan, receivers) = (plan(1, term), edges());
    let plans = [NewPlan { plan: &plan, guards: &guards, receivers: &receivers }];
    assert_eq!(store.newest_commit().await.expect("read"), None);
    let first = Commit { notes: &notes, plans: &plans, snapshot: Some(7), ..commit(term, 4, &state) };
    store.commit(&first).await.expect("committed");
    let saved = store.saved().await.expect("read").expect("it is there");
    assert_eq!((saved.commit, saved.position, saved.state), ((term, 1), 4, state));
    assert_eq!(store.newest_commit().await.expect("read"), Some((term, 1)));
    let timeline = store.timeline(i64::MAX, 10).await.expect("read");
    let titles: Vec<_> = timeline.iter().map(|entry| (entry.id, entry.title.as_str(), entry.state)).collect();
    assert_eq!(titles, [(2, "two", None), (1, "one", Some(VerdictState::Down))]);
    assert_eq!(timeline[1].detail, "because", "what PostgreSQL cannot store is left out");
    assert_eq!(store.timeline(2, 10).await.expect("read").len(), 1);
    let plans = store.plans(&shop(), i64::MAX, 10).await.expect("read");
    assert_eq!(plans, [(plan, guards.to_vec())]);
    term
}

async fn outbox(store: &Store, term: i64) {
    let due = store.due(T0.plus_us(10)).await.expect("read");
    assert_eq!(due.len(), 2);
    assert!(store.due(T0).await.expect("read").is_empty(), "not before its time");
    assert_eq!(store.next_due().await.expect("read"), Some(T0.plus_us(1)));

    let later = T0.plus_us(5_000_000);
    let retry = Outcome::Retry { why: "down".into(), next: later };
    store.record(term, &due[0], &retry, T0.plus_us(20)).await.expect("recorded");
    store.record(term, &due[1], &Outcome::Acknowledged, T0.plus_us(30)).await.expect("recorded");
    let views = store.deliveries(&shop(), 1).await.expect("read");
    let states: Vec<_> = views.iter().map(|d| (d.state, d.attempts, d.last_error.as_str())).collect();
    assert_eq!(states, [(DeliveryState::Pending, 1, "down"), (DeliveryState::Acknowledged, 1, "")]);
    assert_eq!(store.next_due().await.expect("read"), Some(later));

    // A plan that was not seen to take effect is told again, under the same id.
    let (again, state) = (plan(1, term), State { now: T0, ..State::default() });
    let retold = Commit { number: 2, now: T0.plus_us(40), retold: &[&again], ..commit(term, 4, &state) };
    store.commit(&retold).await.expect("committed");
    let due = store.due(T0.plus_us(50)).await.expect("read");
    assert_eq!(due.iter().map(|d| (&d.id, d.attempts)).collect::<Vec<_>>(), [(&views[1].id, 0)]);
    let busy = Outcome::Retry { why: "busy".into(), next: T0.plus_us(55) };
    store.record(term, &due[0], &busy, T0.plus_us(52)).await.expect("recorded");
    let view = store.deliveries(&shop(), 1).await.expect("read").remove(1);
    assert_eq!(
        (view.state, view.acknowledged),
        (DeliveryState::Pending, views[1].acknowledged),
        "it was once"
    );
    let due = store.due(T0.plus_us(60)).await.expect("read");
    store.record(term, &due[0], &Outcome::Acknowledged, T0.plus_us(60)).await.expect("recorded");

    // An attempt counts once, also when the answer to its commit was lost.
    store.record(term, &due[0], &Outcome::Acknowledged, T0.plus_us(60)).await.expect("nothing to do");

    // The core hears of both through the log, of the retry only once in each round.
    let due = store.due(later).await.expect("read");
    store.record(term, &due[0], &retry, later).await.expect("recorded");
    let told: Vec<Told> = store
        .log_after(4, 100)
        .await
        .expect("read")
        .into_iter()
        .filter_map(|entry| match &*entry.event {
            Event::Told { told, .. } => Some(told.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            Told::Failing { why: "down".into() },
            Told::Acknowledged { after_us: 29 },
            Told::Failing { why: "busy".into() },
            Told::Acknowledged { after_us: 59 },
        ]
    );
}

async fn fencing(store: &Store, term: i64) {
    let newer = store.take_lease("another", T0).await.expect("taken");
    assert!(newer > term);
    let empty = State::default();
    let old = store.commit(&commit(term, 9, &empty)).await;
    assert!(matches!(old, Err(Error::Fenced { .. })), "{old:?}");
    assert_eq!(store.saved().await.expect("read").expect("still there").position, 4);

    let (plan, receivers) = (plan(2, newer), edges());
    let plans = [NewPlan { plan: &plan, guards: &[], receivers: &receivers[..1] }];
    store.commit(&Commit { plans: &plans, ..commit(newer, 5, &empty) }).await.expect("committed");
    let old = store.deliveries(&shop(), 1).await.expect("read");
    assert_eq!(old[0].state, DeliveryState::Superseded, "overtaken");
    assert!(!store.is_pending(&old[0].id).await.expect("read"));

    // A receiver that was added, or that refused, is told after a restart; one that was told is left alone.
    let due = store.due(T0.plus_us(100)).await.expect("read").remove(0);
    let refused = Outcome::Refused("wrong secret".into());
    let late = store.record(term, &due, &refused, T0).await;
    assert!(matches!(late, Err(Error::Fenced { .. })), "the old decider records nothing: {late:?}");
    store.record(newer, &due, &refused, T0).await.expect("recorded");
    assert_eq!(store.next_due().await.expect("read"), None);
    store.ensure_told(newer, &plan, &receivers, T0.plus_us(200)).await.expect("stored");
    let states: Vec<_> =
        store.deliveries(&shop(), 2).await.expect("read").iter().map(|d| (d.state, d.attempts)).collect();
    assert_eq!(states, [(DeliveryState::Pending, 0), (DeliveryState::Pending, 0)]);

    assert_eq!(store.expire_timeline(newer, T0.plus_us(1)).await.expect("deleted"), 1, "the newest stays");
    let before = store.log_after(0, 100).await.expect("read").len();
    assert_eq!(store.log_read().await.expect("read"), 0, "the history has read nothing yet");
    let deleted = store.expire(Kind::Log { upto: 5 }, T0.plus_us(1), 100).await.expect("deleted");
    assert_eq!(deleted.rows, 4, "reports that were folded, and nothing after the decider's position");
    assert_eq!(store.log_after(0, 100).await.expect("read").len(), before - 4);
}

/// After a restart.
pub async fn still_there(store: &Store) {
    assert_eq!(store.saved().await.expect("read").expect("it is there").position, 5);
    assert_eq!(store.revise("a: 2", T0).await.expect("stored"), (2, false));
    assert_eq!(append(store, &[report("p2", 9)]).await, [true]);
    let last = store.log_after(0, 100).await.expect("read").pop().expect("an entry");
    assert_eq!(&*last.event, report("p2", 9).event());
}
