//! What merging segments reads and writes.

use super::{Engine, history::segment, stories::T0};
use crate::store::{DayOfCheck, Error, NewSegment, Replacement, Rollups, Seal, SegmentInfo, Store};

fn of(day: i64, check: &str) -> DayOfCheck {
    DayOfCheck { day, check: check.into() }
}

/// Seals segments as a flush does, and says the position.
async fn flush(store: &Store, term: i64, shard: usize, segments: &[NewSegment]) -> i64 {
    let state = store.seal_state().await.expect("read");
    let (from, changes) = (state.cursors[shard], state.changes[shard]);
    let position = from + 1;
    let rollups = Rollups::new();
    let seal = Seal { shard, from, changes, position, segments, rollups: &rollups, days: &[] };
    assert!(store.seal(term, &seal).await.expect("sealed"));
    position
}

/// Three segments of a day of `a`, two of the next one, one of `b`, and one that was merged before.
async fn fill(store: &Store, term: i64) {
    let merged = NewSegment { level: 1, rows: 100, ..segment("a", 9, b"merged") };
    flush(store, term, 1, &[segment("a", 10, b"one"), segment("a", 10, b"two"), merged]).await;
    flush(store, term, 2, &[segment("b", 10, b"other")]).await;
    let third = NewSegment { rows: 7, ..segment("a", 10, b"three") };
    flush(store, term, 1, &[third, segment("a", 11, b"four"), segment("a", 11, b"five")]).await;
}

#[tokio::test]
async fn what_is_to_be_merged_is_found() {
    for engine in Engine::both() {
        let store = engine.open().await;
        assert_eq!(store.uncompacted(i64::MAX, 1, 10).await.expect("read"), []);
        assert_eq!(store.segment_infos(&of(10, "a")).await.expect("read"), []);
        assert_eq!(store.segment_data(&of(10, "a"), 1).await.expect("read"), None);
        let term = store.take_lease("me", T0).await.expect("taken");
        fill(&store, term).await;

        let (a, b, next) = ((of(10, "a"), 3), (of(10, "b"), 1), (of(11, "a"), 2));
        for ((before, many, limit), expected) in [
            ((i64::MAX, 100, 10), vec![a.clone(), b.clone(), next.clone()]),
            // That day is not before itself.
            ((11, 100, 10), vec![a.clone(), b.clone()]),
            ((10, 100, 10), vec![]),
            // So many are enough whatever the day.
            ((10, 4, 10), vec![]),
            ((10, 3, 10), vec![a.clone()]),
            ((10, 2, 10), vec![a.clone(), next.clone()]),
            ((11, 2, 2), vec![a.clone(), b.clone()]),
            ((11, 2, 0), vec![]),
        ] {
            let found = store.uncompacted(before, many, limit).await.expect("read");
            assert_eq!(found, expected, "before {before}, {many} of them, {limit} at most");
        }

        let info = |number, level, rows| SegmentInfo { number, level, rows };
        // Numbers go on from one flush of a shard to the next.
        let infos = store.segment_infos(&of(10, "a")).await.expect("read");
        assert_eq!(infos, [info(1, 0, 3), info(2, 0, 3), info(4, 0, 7)]);
        assert_eq!(store.segment_infos(&of(9, "a")).await.expect("read"), [info(3, 1, 100)]);
        assert_eq!(store.segment_infos(&of(12, "a")).await.expect("read"), []);
        let data =
            async |day, check, number| store.segment_data(&of(day, check), number).await.expect("read");
        assert_eq!(data(10, "a", 4).await.as_deref(), Some(&b"three"[..]));
        assert_eq!(data(10, "b", 1).await.as_deref(), Some(&b"other"[..]));
        assert_eq!((data(10, "a", 3).await, data(11, "b", 1).await), (None, None));
        store.close().await;
    }
}

#[tokio::test]
async fn segments_are_replaced_by_the_decider_in_force_and_once() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let term = store.take_lease("me", T0).await.expect("taken");
        fill(&store, term).await;
        let day = of(10, "a");
        let others = async || {
            let all = store.all_segments().await.expect("read");
            all.into_iter()
                .filter(|segment| (segment.day, segment.check.as_str()) != (10, "a"))
                .collect::<Vec<_>>()
        };
        let (untouched, state) = (others().await, store.seal_state().await.expect("read"));
        let merged = [NewSegment { level: 1, rows: 13, ..segment("a", 10, b"one, two, three") }];
        let by = Replacement { shard: 1, changes: 0, of: &day, old: &[1, 2, 4], new: &merged };
        let whole = store.segment_infos(&day).await.expect("read");

        // The shard was changed since, one of them is gone, or they are of another day.
        let next = of(11, "a");
        for wrong in [
            Replacement { changes: 1, ..by },
            Replacement { old: &[1, 2, 3], ..by },
            Replacement { of: &next, ..by },
        ] {
            assert!(!store.replace_segments(term, &wrong).await.expect("answered"), "{wrong:?}");
            assert_eq!(store.segment_infos(&day).await.expect("read"), whole, "{wrong:?}");
        }
        assert!(store.replace_segments(term, &by).await.expect("replaced"));
        let infos = store.segment_infos(&day).await.expect("read");
        assert_eq!(infos.len(), 1);
        assert_eq!((infos[0].level, infos[0].rows), (1, 13));
        assert!(infos[0].number > 6, "a number that no other has had: {infos:?}");
        let data = store.segment_data(&day, infos[0].number).await.expect("read");
        assert_eq!(data.as_deref(), Some(&b"one, two, three"[..]));
        // Merging is no change that a flush must know of.
        assert_eq!(store.seal_state().await.expect("read"), state);
        assert!(!store.replace_segments(term, &by).await.expect("answered"), "once only");
        assert_eq!(store.segment_infos(&day).await.expect("read"), infos);
        assert_eq!(others().await, untouched);
        flush(&store, term, 1, &[segment("a", 10, b"late")]).await;
        assert_eq!(store.uncompacted(11, 100, 10).await.expect("read")[0], (day.clone(), 1));

        let newer = store.take_lease("other", T0).await.expect("taken");
        let late = store.segment_infos(&day).await.expect("read");
        let numbers: Vec<i64> = late.iter().map(|segment| segment.number).collect();
        let by = Replacement { old: &numbers, new: &[], ..by };
        let fenced = store.replace_segments(term, &by).await;
        assert!(matches!(fenced, Err(Error::Fenced { term: of }) if of == term), "{fenced:?}");
        assert_eq!(store.segment_infos(&day).await.expect("read"), late);
        assert!(store.replace_segments(newer, &by).await.expect("replaced by nothing"));
        assert_eq!(store.segment_infos(&day).await.expect("read"), []);
        store.close().await;
    }
}

#[tokio::test]
async fn a_segment_that_stays_alone_is_found_no_more() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let term = store.take_lease("me", T0).await.expect("taken");
        fill(&store, term).await;
        let day = of(10, "a");
        assert!(store.promote_segment(term, &day, 2).await.expect("noted"));
        assert!(store.promote_segment(term, &day, 2).await.expect("no matter"));
        let levels = async || -> Vec<i64> {
            let infos = store.segment_infos(&day).await.expect("read");
            infos.iter().map(|segment| segment.level).collect()
        };
        assert_eq!(levels().await, [0, 1, 0]);
        assert_eq!(store.uncompacted(10, 2, 1).await.expect("read"), [(day.clone(), 2)]);
        // It is of another day, or was never there.
        for (of, number) in [(of(11, "a"), 1), (of(10, "b"), 2), (day.clone(), 9)] {
            assert!(!store.promote_segment(term, &of, number).await.expect("answered"), "{of:?} {number}");
        }
        let _newer = store.take_lease("other", T0).await.expect("taken");
        let fenced = store.promote_segment(term, &day, 1).await;
        assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
        assert_eq!(levels().await, [0, 1, 0]);
        store.close().await;
    }
}
