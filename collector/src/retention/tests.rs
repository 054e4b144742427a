use super::*;
use crate::{
    history::{SHARDS, SeriesKey},
    store::{Entry, NewSegment, Rollups, Seal, conformance::Engine},
};
use runtime::clock::ManualClock;
use std::sync::Arc;
use wire::report::Report;

/// A midnight.
const T0: Micros = Micros(20_776 * DAY_US);
const DAY_US: i64 = 24 * 3_600_000_000;

fn report(sequence: i64, received: Micros) -> Entry {
    let text = format!(
        r#"{{"probe": "p", "sequence": {sequence}, "samples": [{{"check": "home", "target": "a", "scheduled": {0},
            "started": {0}, "total_us": 48000, "outcome": {{"fail": "status"}}, "address": null, "status": 500,
            "served_by": null, "bytes": null, "trace_id": null, "evidence": null}}]}}"#,
        received.0
    );
    let report: Report = serde_json::from_str(&text).expect("a report");
    let raw = serde_json::value::to_raw_value(&report).expect("JSON");
    Entry::report(received, 0, (received, 0), report, &raw)
}

/// A report, a segment and a roll-up of each of the last days.
async fn fill(store: &Store, term: i64, days: i64) {
    let key = SeriesKey { check: "home".into(), probe: "p".into(), target: "a".into(), part: String::new() };
    let id = store.series_ids(&[key]).await.expect("given")[0];
    let (mut segments, mut rollups) = (Vec::new(), Rollups::new());
    for ago in 1..=days {
        let at = T0.0 - ago * DAY_US;
        store.append(&[report(days - ago, Micros(at))]).await.expect("appended");
        let day = at / DAY_US;
        segments.push(NewSegment {
            day,
            check: "home".into(),
            min_at: at,
            max_at: at,
            rows: 1,
            level: 0,
            data: vec![1],
        });
        rollups.insert((id, day * 24), series::rollup::Rollup { ok: 1, ..Default::default() });
    }
    let seal = Seal {
        shard: 0,
        from: 0,
        changes: 0,
        position: 1,
        segments: &segments,
        rollups: &rollups,
        days: &[],
    };
    assert!(store.seal(term, &seal).await.expect("sealed"));
}

async fn counts(store: &Store) -> (usize, u64, usize, usize) {
    let log = store.log_after(0, 10_000).await.expect("read").len();
    let evidence = store.count_evidence(&Default::default(), i64::MAX).await.expect("read");
    let segments = store.all_segments().await.expect("read").len();
    let hours = (0..100).map(|ago| (1, (T0.0 / DAY_US - ago) * 24));
    (log, evidence, segments, store.rollups(hours).await.expect("read").len())
}

#[tokio::test]
async fn each_kind_is_kept_as_long_as_configured_and_by_the_decider_only() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let term = store.take_lease("me", T0).await.expect("taken");
        fill(&store, term, 40).await;
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        let retention = Retention {
            log: days(3),
            evidence: days(10),
            raw: days(20),
            rollups: days(30),
            ..Retention::default()
        };
        let keeper = |term: Option<i64>| Keeper {
            store: store.clone(),
            retention,
            clock: Arc::new(ManualClock::at(T0)),
            term: Arc::new(move || term),
        };
        keeper(None).pass().await;
        assert_eq!(counts(&store).await, (40, 40, 40, 40), "another collector has the lease");

        // PostgreSQL cuts roll-ups by thirty days, and keeps a cut until all of it is old.
        let hours = if matches!(engine, Engine::Postgres(_)) { 40 } else { 30 };
        // Nobody has read the log, so none of it goes.
        keeper(Some(term)).pass().await;
        assert_eq!(counts(&store).await, (40, 10, 20, hours));

        // The history has read it, and then the decider too, up to the last but one.
        let shards: Vec<usize> = (0..SHARDS).collect();
        store.advance(term, &shards, 39).await.expect("advanced");
        keeper(Some(term)).pass().await;
        assert_eq!(counts(&store).await.0, 40, "the decider has read nothing");
        store.pretend_decided(39).await.expect("written");
        keeper(Some(term)).pass().await;
        // Three of the last days, and the one entry that was not read, which is the oldest.
        assert_eq!(counts(&store).await, (4, 10, 20, hours));
        store.close().await;
    }
}
