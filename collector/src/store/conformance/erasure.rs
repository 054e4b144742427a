//! What forgetting on request does in the database, step by step.

use super::{
    Engine,
    history::{key, rollup, segment},
    stories::{T0, append},
};
use crate::{
    decide::Event,
    history::{Selection, SeriesKey},
    store::{Bite, DayOfCheck, Entry, NewSegment, PackedDay, Rewrite, Rollups, Seal, Store},
};
use wire::report::Report;

const SECOND_US: i64 = 1_000_000;

/// A report with failing samples: of which check and target, and how many seconds after [`T0`].
fn report(probe: &str, sequence: i64, samples: &[(&str, &str, i64)]) -> Entry {
    let sample = |(check, target, seconds): &(&str, &str, i64)| {
        format!(
            r#"{{"check": "{check}", "target": "{target}", "scheduled": {0}, "started": {0}, "total_us": 5,
                "outcome": {{"fail": "status"}}, "address": null, "status": 500, "served_by": null, "bytes": null,
                "trace_id": null, "evidence": {{"summary": "secret {seconds}", "step": null, "excerpt": null}}}}"#,
            T0.0 + seconds * SECOND_US
        )
    };
    let samples: Vec<String> = samples.iter().map(sample).collect();
    let text =
        format!(r#"{{"probe": "{probe}", "sequence": {sequence}, "samples": [{}]}}"#, samples.join(","));
    let report: Report = serde_json::from_str(&text).expect("a report");
    let raw = serde_json::value::to_raw_value(&report).expect("JSON");
    // Long after all of them.
    let received = T0.plus_us(1_000 * SECOND_US);
    Entry::report(received, 0, (received, 0), report, &raw)
}

fn check(name: &str) -> Selection {
    Selection { check: Some(name.into()), ..Selection::default() }
}

/// Some seconds after [`T0`], the end not in it.
fn seconds(from: i64, to: i64) -> Selection {
    let at = |seconds: i64| Some(T0.0 + seconds * SECOND_US);
    Selection { from: at(from), to: at(to), ..Selection::default() }
}

async fn fill(store: &Store) {
    let entries = [
        report("p1", 1, &[("a", "x", 1), ("a", "y", 2), ("b", "x", 3)]),
        report("p2", 1, &[("a", "x", 4)]),
        report("p1", 2, &[("b", "y", 5)]),
    ];
    assert_eq!(append(store, &entries).await, [true; 3]);
}

#[tokio::test]
async fn an_erasure_is_noted_and_refuses_what_was_prepared_before() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let term = store.take_lease("me", T0).await.expect("taken");
        let begin = async |what: &Selection, evidence_only, now| {
            store.begin_erasure(what, evidence_only, now).await.expect("noted")
        };
        let (position, until_now) = begin(&check("a"), true, T0).await;
        let expected = Selection { to: Some(T0.0 + 1), ..check("a") };
        assert_eq!((position, until_now), (0, expected), "an empty log");
        fill(&store).await;
        let before = store.seal_state().await.expect("read");
        assert_eq!(begin(&check("a"), true, T0).await.0, 3);
        assert_eq!(store.seal_state().await.expect("read"), before, "evidence is not sealed");

        let what = Selection { target: Some("x".into()), ..seconds(1, 4) };
        assert_eq!(begin(&what, false, T0.plus_us(9_000_000)).await, (3, what));
        let between = async |from, to| {
            let (from, to) = (T0.plus_us(from * SECOND_US), T0.plus_us(to * SECOND_US));
            store.erased_between(from, to).await.expect("read")
        };
        let ninth = T0.plus_us(9_000_000);
        assert_eq!(between(0, 0).await, [T0, T0], "those without a beginning");
        // The second one reaches to the newest report there was.
        assert_eq!(between(3, 3).await, [T0, ninth]);
        let state = store.seal_state().await.expect("read");
        assert!(state.changes.iter().zip(&before.changes).all(|(after, before)| *after == before + 1));
        let erases = |position, target, seconds| {
            state.erasures.erases(position, key("a", target, "").as_ref(), T0.0 + seconds * SECOND_US)
        };
        assert!(erases(3, "x", 1) && erases(1, "x", 3));
        assert!(!erases(4, "x", 1), "what comes later is taken");
        assert!(!erases(3, "y", 1) && !erases(3, "x", 0) && !erases(3, "x", 4));

        let (segments, rollups) = ([segment("a", 10, b"one")], Rollups::new());
        let seal = Seal {
            shard: 1,
            from: 0,
            changes: 0,
            position: 3,
            segments: &segments,
            rollups: &rollups,
            days: &[],
        };
        assert!(!store.seal(term, &seal).await.expect("answered"), "prepared before");
        assert!(store.seal(term, &Seal { changes: 1, ..seal }).await.expect("sealed"));
        assert_eq!(store.count_erasures().await.expect("counted"), 3);
        store.close().await;
    }
}

#[tokio::test]
async fn series_and_days_of_a_selection_are_found() {
    for engine in Engine::both() {
        let store = engine.open().await;
        assert_eq!(store.series_in(&Selection::default()).await.expect("read"), []);
        assert_eq!(store.days_of("a", &[1]).await.expect("read"), Vec::<i64>::new());
        let other = SeriesKey { probe: "q".into(), ..key("a", "x", "") };
        let keys = [key("a", "x", ""), key("a", "y", "step"), key("b", "x", ""), other];
        let ids = store.series_ids(&keys).await.expect("given");
        let of = |which: &[usize]| which.iter().map(|n| (ids[*n], keys[*n].clone())).collect::<Vec<_>>();
        let target = |name: &str| Selection { target: Some(name.into()), ..Selection::default() };
        let probe = |name: &str| Selection { probe: Some(name.into()), ..Selection::default() };
        for (what, expected) in [
            (Selection::default(), of(&[0, 1, 2, 3])),
            (check("a"), of(&[0, 1, 3])),
            (check("c"), of(&[])),
            (target("x"), of(&[0, 2, 3])),
            (probe("q"), of(&[3])),
            (Selection { target: Some("y".into()), ..check("a") }, of(&[1])),
            (Selection { target: Some("y".into()), ..check("b") }, of(&[])),
            // When they ran is not known here.
            (seconds(0, 1), of(&[0, 1, 2, 3])),
        ] {
            let mut found = store.series_in(&what).await.expect("read");
            found.sort_by_key(|(id, _)| ids.iter().position(|known| known == id));
            assert_eq!(found, expected, "{what:?}");
        }

        let term = store.take_lease("me", T0).await.expect("taken");
        let segments = [segment("a", 12, b"one"), segment("a", 10, b"two"), segment("b", 14, b"three")];
        // The last hour of day 9 and the first of day 11 of one series, and a day that also has a segment.
        let hours = [(ids[0], 10 * 24 - 1), (ids[0], 11 * 24), (ids[1], 12 * 24 + 5)];
        let rollups: Rollups = hours.into_iter().map(|hour| (hour, rollup(1, 3))).collect();
        let seal = Seal {
            shard: 1,
            from: 0,
            changes: 0,
            position: 3,
            segments: &segments,
            rollups: &rollups,
            days: &[],
        };
        assert!(store.seal(term, &seal).await.expect("sealed"));
        assert_eq!(store.days_of("a", &ids[..2]).await.expect("read"), [9, 10, 11, 12]);
        assert_eq!(store.days_of("a", &ids[1..2]).await.expect("read"), [10, 12]);
        assert_eq!(store.days_of("a", &[]).await.expect("read"), [10, 12]);
        assert_eq!(store.days_of("c", &ids).await.expect("read"), [9, 11, 12]);
        // More series than one statement takes.
        let many: Vec<i64> = (0..1_200).rev().collect();
        assert_eq!(store.days_of("a", &many).await.expect("read"), [9, 10, 11, 12]);
        store.close().await;
    }
}

#[tokio::test]
async fn a_day_is_rewritten_as_a_whole_or_not_at_all() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let term = store.take_lease("me", T0).await.expect("taken");
        let ids = store.series_ids(&[key("a", "x", ""), key("a", "y", "")]).await.expect("given");
        let of = DayOfCheck { day: 10, check: "a".into() };
        let old = [segment("a", 10, b"one"), segment("a", 10, b"two"), segment("a", 11, b"stays")];
        let hours = [(ids[0], 240), (ids[0], 263), (ids[1], 240)];
        let rollups: Rollups = hours.into_iter().map(|hour| (hour, rollup(1, 9))).collect();
        let days = [PackedDay::new(of.clone(), &rollups)];
        let seal = Seal {
            shard: 1,
            from: 0,
            changes: 0,
            position: 50,
            segments: &old,
            rollups: &rollups,
            days: &days,
        };
        assert!(store.seal(term, &seal).await.expect("sealed"));

        // The first segment is made anew, one hour counts less, one series is gone.
        let new = [NewSegment { rows: 2, ..segment("a", 10, b"less") }];
        let less = Rollups::from([((ids[0], 240), rollup(2, 4))]);
        let left: Rollups = [((ids[0], 240), rollup(2, 4)), ((ids[0], 263), rollup(1, 9))].into();
        let packed = PackedDay::new(of.clone(), &left);
        let other = [(ids[1], 240)];
        let by = || Rewrite {
            shard: 1,
            position: 50,
            changes: 0,
            of: &of,
            old: &[1],
            new: &new,
            rollups: &less,
            gone: &other,
            packed: Some(packed.clone()),
        };
        let all = async || {
            let segments = store.all_segments().await.expect("read");
            (segments, store.rollups_of(&of).await.expect("read"), store.seal_state().await.expect("read"))
        };
        let before = all().await;
        // It was sealed further, rewritten by somebody else, or merged meanwhile.
        for wrong in [
            Rewrite { position: 49, ..by() },
            Rewrite { changes: 1, ..by() },
            Rewrite { old: &[1, 9], ..by() },
            Rewrite { shard: 2, position: 50, ..by() },
        ] {
            assert!(!store.rewrite_day(&wrong).await.expect("answered"), "{wrong:?}");
            assert_eq!(all().await, before, "{wrong:?}");
        }
        assert!(store.rewrite_day(&by()).await.expect("rewritten"));
        let (segments, rollups, state) = all().await;
        let data: Vec<&[u8]> = segments.iter().map(|segment| segment.data.as_slice()).collect();
        assert_eq!(
            data,
            [&b"two"[..], b"less", b"stays"],
            "by day and number, and the new one is the newest"
        );
        assert_eq!(rollups, left);
        assert_eq!(store.packed_days([&of]).await.expect("read")[&of], packed);
        assert_eq!(
            (state.cursors[1], state.changes[1]),
            (50, 1),
            "a flush that was prepared before is refused"
        );
        assert!(!store.rewrite_day(&by()).await.expect("answered"), "once only");
        assert_eq!(store.compare_packed().await.expect("read"), 1);

        // Nothing is left of the day; there may also be no segments of it any more.
        let infos = store.segment_infos(&of).await.expect("read");
        let numbers: Vec<i64> = infos.iter().map(|segment| segment.number).collect();
        let none = Rollups::new();
        let gone: Vec<(i64, i64)> = left.keys().copied().collect();
        let nothing =
            |changes: i64| Rewrite { changes, new: &[], rollups: &none, gone: &gone, packed: None, ..by() };
        assert!(store.rewrite_day(&Rewrite { old: &numbers, ..nothing(1) }).await.expect("rewritten"));
        assert!(store.rewrite_day(&Rewrite { old: &[], ..nothing(2) }).await.expect("rewritten"));
        let (segments, rollups, state) = all().await;
        assert_eq!((segments.as_slice(), rollups), (&old[2..], Rollups::new()));
        assert_eq!((store.compare_packed().await.expect("read"), state.changes[1]), (0, 3));
        store.close().await;
    }
}

#[tokio::test]
async fn evidence_of_a_selection_is_counted_and_deleted() {
    for engine in Engine::both() {
        let store = engine.open().await;
        fill(&store).await;
        let count = async |what: &Selection, upto| store.count_evidence(what, upto).await.expect("counted");
        let all = Selection::default();
        let probe = Selection { probe: Some("p1".into()), ..Selection::default() };
        let one = Selection { target: Some("x".into()), ..check("a") };
        for (what, upto, expected) in [
            (&all, i64::MAX, 5),
            (&all, 0, 0),
            (&all, 1, 3),
            (&check("a"), i64::MAX, 3),
            (&check("c"), i64::MAX, 0),
            (&probe, i64::MAX, 4),
            (&one, i64::MAX, 2),
            (&one, 1, 1),
            // The end is not in it.
            (&seconds(2, 4), i64::MAX, 2),
            (&seconds(4, 4), i64::MAX, 0),
        ] {
            assert_eq!(count(what, upto).await, expected, "{what:?} up to {upto}");
        }
        let erase = async |what: &Selection, after, upto| {
            store.erase_evidence(what, after, upto).await.expect("asked").map(|(rows, last)| (rows, last.0))
        };
        assert_eq!(erase(&one, (0, 0), 0).await, None);
        assert_eq!(erase(&one, (0, 0), 1).await, Some((1, 1)));
        assert_eq!(erase(&one, (9, 0), i64::MAX).await, None, "what was passed is not looked at again");
        assert_eq!(erase(&one, (0, 0), i64::MAX).await, Some((1, 2)));
        assert_eq!(erase(&one, (0, 0), i64::MAX).await, None);
        assert_eq!((count(&all, i64::MAX).await, count(&check("a"), i64::MAX).await), (3, 1));

        // More than one bite.
        let many: Vec<(&str, &str, i64)> = (0..450).map(|_| ("c", "x", 9)).collect();
        append(&store, &[report("p1", 3, &many)]).await;
        let (mut bites, mut after) = (Vec::new(), (0, 0));
        while let Some((rows, last)) =
            store.erase_evidence(&check("c"), after, i64::MAX).await.expect("deleted")
        {
            bites.push(rows);
            after = last;
        }
        assert_eq!(bites, [200, 200, 50]);
        assert_eq!(count(&all, i64::MAX).await, 3, "others stay");
        assert_eq!(store.log_after(0, 10).await.expect("read").len(), 4, "the log is another matter");
        store.close().await;
    }
}

/// The samples in the log, each by its check, its target, its second, and whether it tells what it saw.
/// What was done to entries that can all be read.
fn bite(last: i64, samples: u64) -> Option<Bite> {
    Some(Bite { last, samples, unreadable: 0 })
}

async fn samples(store: &Store, after: i64) -> Vec<(String, String, i64, bool)> {
    let mut found = Vec::new();
    for entry in store.log_after(after, 100).await.expect("read") {
        let Event::Report { report, .. } = &*entry.event else { panic!("a report") };
        for sample in &report.samples {
            let second = sample.started.since(T0) / SECOND_US;
            let (check, target) = (sample.check.to_string(), sample.target.to_string());
            found.push((check, target, second, sample.evidence.is_some()));
        }
    }
    found
}

#[tokio::test]
async fn samples_are_taken_out_of_the_log() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let all = Selection::default();
        assert_eq!(store.erase_log(&all, false, (0, i64::MAX), false).await.expect("read"), None);
        fill(&store).await;
        let whole = samples(&store, 0).await;
        assert_eq!(whole.len(), 5);

        // Looked at, and left.
        for (what, range, expected) in [
            (&all, (0, i64::MAX), bite(3, 5)),
            (&all, (0, 2), bite(2, 4)),
            (&all, (1, 2), bite(2, 1)),
            (&all, (3, i64::MAX), None),
            (&check("a"), (0, i64::MAX), bite(3, 3)),
            (&check("c"), (0, i64::MAX), bite(3, 0)),
            (&seconds(2, 5), (0, i64::MAX), bite(3, 3)),
            // What was received before that cannot be meant, and is not even looked at.
            (&seconds(1_001, 2_000), (0, i64::MAX), None),
            (&Selection { probe: Some("p2".into()), ..check("a") }, (0, i64::MAX), bite(3, 1)),
            (&Selection { probe: Some("p1".into()), ..all.clone() }, (1, 2), bite(2, 0)),
        ] {
            for evidence_only in [true, false] {
                let would = store.erase_log(what, evidence_only, range, true).await.expect("read");
                assert_eq!(would, expected, "{what:?} {range:?} {evidence_only}");
            }
        }
        assert_eq!(samples(&store, 0).await, whole, "only asked");

        // Only what was seen; a second time there is nothing to take out.
        let x = Selection { target: Some("x".into()), ..check("a") };
        let some = store.erase_log(&x, true, (0, 1), false).await.expect("written");
        assert_eq!(some, bite(1, 1));
        let again = store.erase_log(&x, true, (0, 1), false).await.expect("written");
        assert_eq!(again, bite(1, 0));
        let mut expected = whole.clone();
        expected[0].3 = false;
        assert_eq!(samples(&store, 0).await, expected);

        // Whole samples, of all probes.
        let done = store.erase_log(&x, false, (0, i64::MAX), false).await.expect("written");
        assert_eq!(done, bite(3, 2));
        expected.retain(|(check, target, ..)| (check.as_str(), target.as_str()) != ("a", "x"));
        assert_eq!(samples(&store, 0).await, expected);
        let positions: Vec<i64> =
            store.log_after(0, 10).await.expect("read").iter().map(|entry| entry.position).collect();
        assert_eq!(positions, [1, 2, 3], "the entries stay, also an empty one");

        // What cannot be read is told, and keeps nothing of what is behind it.
        store.overwrite("UPDATE report_log SET payload = $1 WHERE position = 2", &[1, 2, 3]).await;
        let left = samples(&store, 2).await.len() as u64;
        assert_eq!(left, 1);
        for dry in [true, false] {
            let rest = store.erase_log(&all, false, (0, i64::MAX), dry).await.expect("gone over");
            assert_eq!(rest.map(|bite| (bite.last, bite.unreadable)), Some((3, 1)));
        }
        assert!(samples(&store, 2).await.is_empty());
        store.close().await;
    }
}
