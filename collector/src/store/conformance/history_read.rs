//! What the store must tell of the history and of evidence.

use super::{Engine, hands::Frozen, stories};
use crate::{
    history::{
        SeriesKey,
        export::Export,
        query::{
            selector::{Part, Selector},
            tests::world::{Place, T0, key, row},
        },
    },
    store::{Entry, Error, EvidenceAsked, Order, Reaction, SegmentsOf, Store, StoredEvidence, db::write},
};
use series::{DAY_US, HOUR_US, Row};
use std::{sync::Arc, time::Duration};
use wire::{
    Micros,
    report::Report,
    sample::{FailClass, Outcome, Sample},
};

/// Two days of `a` from two targets, every half an hour, and one run of `b`.
fn rows() -> Vec<(SeriesKey, Row)> {
    let mut rows = Vec::new();
    for half_hour in 0..96 {
        let at = T0 + half_hour * HOUR_US / 2;
        let outcome = if half_hour == 5 { Outcome::Fail(FailClass::Tls) } else { Outcome::Ok };
        rows.push((key("a", "p", "x", ""), row(at, outcome, 300_000)));
        rows.push((key("a", "p", "y", ""), row(at, Outcome::Missed, 0)));
    }
    rows.push((key("b", "p", "x", ""), row(T0 + 1, Outcome::Unsupported, 0)));
    rows
}

#[tokio::test]
async fn history_is_read_alike_on_both_engines() {
    for engine in Engine::both() {
        let place = Place::open(engine.open().await).await;
        let mut empty = place.store.history().await.expect("a snapshot");
        assert_eq!(
            (empty.oldest_day().await.expect("read"), empty.oldest_hour().await.expect("read")),
            (None, None)
        );
        assert!(!empty.has_segments_after(0).await.expect("read"));

        // What is sealed now is not seen by the snapshot before.
        place.seal(&place.log(&rows()), true).await;
        assert_eq!(empty.checks().await.expect("read"), Vec::<String>::new());
        empty.end().await.expect("ended");

        let (day, hour) = (T0 / DAY_US, T0 / HOUR_US);
        let both = ["a".to_owned(), "b".to_owned()];
        let mut snapshot = place.store.history().await.expect("a snapshot");
        assert_eq!(snapshot.checks().await.expect("read"), both);
        assert_eq!(snapshot.oldest_day().await.expect("read"), Some(day));
        assert_eq!(snapshot.oldest_hour().await.expect("read"), Some(hour));
        assert!(snapshot.has_segments_after(day).await.expect("read"));
        assert!(!snapshot.has_segments_after(day + 1).await.expect("read"));
        let cursors = snapshot.cursors().await.expect("read");
        assert_eq!(cursors.len(), 64);
        assert!(cursors.iter().any(|(_, position)| *position == 193), "{cursors:?}");

        let series = snapshot.series(&both).await.expect("read");
        let ids: Vec<i64> = series.iter().map(|series| series.id).collect();
        assert_eq!(series.len(), 3);
        assert_eq!(snapshot.series(&both[1..]).await.expect("read").len(), 1);
        assert!(snapshot.has_rollups(&ids, hour..hour + 1).await.expect("read"));
        assert!(!snapshot.has_rollups(&ids, hour - 9..hour).await.expect("read"));
        assert!(!snapshot.has_rollups(&[], hour..hour + 1).await.expect("read"));

        let mut hours = Vec::new();
        let range = hour..hour + 3;
        let read = snapshot.rollups(&ids, range, true, |rows| {
            hours.extend(rows);
            std::future::ready(true)
        });
        read.await.expect("read");
        hours.sort_by_key(|stored| (stored.series, stored.hour));
        let counts: Vec<_> = hours.iter().map(|stored| stored.counts()).collect();
        let told: Vec<_> =
            counts.iter().map(|c| (c.ok, c.slow, c.missed, c.unsupported, c.failures[2])).collect();
        let x =
            series.iter().position(|series| series.target == "x" && series.check_id == "a").expect("there");
        assert_eq!(told.len(), 7);
        assert_eq!(told[3 * x..3 * x + 3], [(2, 2, 0, 0, 0), (2, 2, 0, 0, 0), (1, 1, 0, 0, 1)]);
        assert!(told.contains(&(0, 0, 2, 0, 0)) && told.contains(&(0, 0, 0, 1, 0)), "{told:?}");
        assert_eq!(counts[3 * x].sum_us, 600_000);
        assert!(hours.iter().all(|stored| !stored.sketch.is_empty()));
        let mut without = Vec::new();
        let read = snapshot.rollups(&ids, hour..hour + 1, false, |rows| {
            without.extend(rows);
            std::future::ready(true)
        });
        read.await.expect("read");
        assert!(without.len() == 3 && without.iter().all(|stored| stored.sketch.is_empty()));

        let first_day = SegmentsOf { checks: &both, at: (T0, T0 + DAY_US) };
        assert_eq!(snapshot.rows_in(first_day).await.expect("read"), 97);
        let evening = SegmentsOf { checks: &both, at: (T0 + DAY_US - HOUR_US, T0 + DAY_US + 1) };
        let facts = snapshot.segment_facts(evening).await.expect("read");
        let told: Vec<_> = facts.iter().map(|facts| (facts.check_id.as_str(), facts.day - day)).collect();
        assert_eq!(told, [("a", 1), ("a", 0)], "newest first, and nothing that ended before");
        let bytes = snapshot.segment(&facts[0]).await.expect("read").expect("there");
        let mut handed = Vec::new();
        let read = snapshot.segments(evening, |bytes| {
            handed.push(bytes);
            std::future::ready(handed.len() < 2)
        });
        read.await.expect("read");
        assert!(handed.len() == 2 && handed[1] == bytes, "by day");
        snapshot.end().await.expect("ended");
        place.store.close().await;
    }
}

#[tokio::test]
async fn what_was_erased_is_told_until_all_is_sealed() {
    for engine in Engine::both() {
        let store = engine.open().await;
        store.note_erasure(7, "home").await.expect("written");
        let mut snapshot = store.history().await.expect("a snapshot");
        let erased = snapshot.erased().await.expect("read");
        let erases = |position, check: &str| erased.erases(position, key(check, "p", "x", "").as_ref(), 50);
        assert!(erases(7, "home") && !erases(8, "home") && !erases(7, "away"));
        snapshot.end().await.expect("ended");
        store.close().await;
    }
}

/// A run with evidence, so many seconds before `stories::T0`.
fn sample(seconds: i64, check: &str, target: &str, outcome: &str) -> Sample {
    let at = stories::T0.0 - seconds * 1_000_000;
    let text = format!(
        r#"{{"check": "{check}", "target": "{target}", "scheduled": {at}, "started": {at}, "total_us": 9,
            "outcome": {outcome}, "slow": true, "address": null, "status": 500, "served_by": null,
            "bytes": null, "trace_id": null,
            "evidence": {{"summary": "{check} {seconds}", "step": null, "excerpt": null}}}}"#
    );
    serde_json::from_str(&text).expect("a sample")
}

async fn report(store: &Store, samples: Vec<Sample>) {
    let report = Report { probe: "p1".parse().expect("an id"), sequence: 1, samples, mesh: Vec::new() };
    let raw = serde_json::value::to_raw_value(&report).expect("JSON");
    let entry = Entry::report(stories::T0, 0, (stories::T0, 0), report, &raw);
    assert_eq!(stories::append(store, &[entry]).await, [true]);
}

/// A transaction in which nothing goes on is ended by the server after 5 s, but not an export's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_export_whose_output_is_slow_goes_on() {
    let engine = Arc::new(Engine::postgres());
    let place = Place::open(engine.open().await).await;
    let text = "version: 1\nregions: {a: {}, x: {}}\nprobes: {p1: {region: a, token: {env: T}}}\n\
                services: {shop: {regions: {x: http://x}}}\nchecks: {a: {service: shop, http: {}}}\n";
    place.store.revise(text, stories::T0).await.expect("stored");
    report(&place.store, vec![sample(9, "a", "x", r#""ok""#)]).await;
    place.seal(&place.log(&rows()), true).await;
    let export = Export {
        store: place.store.clone(),
        selector: Selector { part: Part::Every, ..Selector::default() },
        range: T0..T0 + 3 * DAY_US,
    };
    // Once for each export: until all transactions that stand still have done so for longer than the server allows.
    let slow = || {
        let (engine, mut first) = (Arc::clone(&engine), true);
        move || {
            let fresh = "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'idle in transaction'
                         AND state_change > now() - interval '6 s'";
            if std::mem::take(&mut first) {
                tokio::task::block_in_place(|| {
                    while engine.cluster().query(fresh) != "0" {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                });
            }
            Ok(())
        }
    };
    let (samples, rollups, evidence) = (export.clone(), export.clone(), export);
    let (mut one, mut two, mut three) = (slow(), slow(), slow());
    let exports = [
        tokio::spawn(async move { samples.samples(|_, _| one()).await }),
        tokio::spawn(async move { rollups.rollups(|_, _, _| two()).await }),
        tokio::spawn(async move { evidence.evidence(|_| three()).await }),
    ];
    let mut exported = Vec::new();
    for export in exports {
        exported.push(export.await.expect("no panic").expect("exported").rows);
    }
    assert_eq!(exported, [193, 97, 1]);
    place.store.close().await;
}

#[tokio::test]
async fn a_question_about_history_whose_answer_is_lost_ends() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    let (mut one, mut other) = (store.history().await.expect("begun"), store.history().await.expect("begun"));
    let frozen = Frozen::sessions(engine.cluster(), "state = 'idle in transaction'");
    tokio::time::pause();
    let within = Duration::from_secs(40);
    let cursors = tokio::time::timeout(within, one.cursors()).await.expect("in time");
    assert_eq!(cursors.map(drop).map_err(|error| error.reaction()), Err(Reaction::Retry));
    let of = SegmentsOf { checks: &["a".to_owned()], at: (0, DAY_US) };
    let segments = other.segments(of, |_| std::future::ready(true));
    let segments = tokio::time::timeout(within, segments).await.expect("in time");
    assert_eq!(segments.map_err(|error| error.reaction()), Err(Reaction::Retry));
    for snapshot in [one, other] {
        let ended = tokio::time::timeout(Duration::from_secs(1), snapshot.end()).await;
        ended.expect("it is not asked again").expect("nothing to do");
    }
    assert!(store.health().borrow().degraded().is_some(), "it is told");
    drop(frozen);
}

#[tokio::test]
async fn evidence_is_read_alike_on_both_engines() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let (tls, dns) = (r#"{"fail": "tls"}"#, r#"{"fail": "dns"}"#);
        let all = EvidenceAsked { at: (0, i64::MAX), limit: 10, ..EvidenceAsked::default() };
        let mut before = store.lasting_history().await.expect("a snapshot");
        assert_eq!(before.evidence(&all).await.expect("read"), []);
        let samples = vec![
            sample(9, "a", "x", tls),
            sample(8, "a", "y", dns),
            sample(7, "b", "x", r#""ok""#),
            sample(7, "a", "x", tls),
        ];
        report(&store, samples).await;
        assert_eq!(before.evidence(&all).await.expect("read"), [], "as of its moment");
        before.end().await.expect("ended");

        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let told =
            |rows: &[StoredEvidence]| -> Vec<String> { rows.iter().map(|row| row.summary.clone()).collect() };
        let newest = store.evidence(&all).await.expect("read");
        assert_eq!(told(&newest), ["a 7", "b 7", "a 8", "a 9"]);
        assert_eq!((newest[0].outcome.as_str(), newest[1].outcome.as_str()), ("tls", "ok"));
        assert_eq!((newest[0].status, newest[0].total_us, newest[0].slow), (Some(500), 9, true));
        let oldest = EvidenceAsked { order: Order::OldestFirst, ..all.clone() };
        assert_eq!(told(&store.evidence(&oldest).await.expect("read")), ["a 9", "a 8", "b 7", "a 7"]);
        for (asked, expected) in [
            (EvidenceAsked { checks: words(&["a", "c"]), ..all.clone() }, words(&["a 7", "a 8", "a 9"])),
            (EvidenceAsked { targets: words(&["y"]), ..all.clone() }, words(&["a 8"])),
            (EvidenceAsked { probes: words(&["p2"]), ..all.clone() }, words(&[])),
            (EvidenceAsked { outcomes: words(&["ok", "dns"]), ..all.clone() }, words(&["b 7", "a 8"])),
            (EvidenceAsked { at: (newest[3].at, newest[2].at), ..all.clone() }, words(&["a 9"])),
            (EvidenceAsked { limit: 1, ..all.clone() }, words(&["a 7"])),
        ] {
            assert_eq!(told(&store.evidence(&asked).await.expect("read")), expected, "{asked:?}");
        }
        let after = |row: &StoredEvidence| Some((row.at, row.position, row.ordinal));
        let rest = EvidenceAsked { after: after(&newest[0]), ..all };
        assert_eq!(told(&store.evidence(&rest).await.expect("read")), ["b 7", "a 8", "a 9"]);
        let rest = EvidenceAsked { after: after(&newest[2]), ..oldest };
        assert_eq!(told(&store.evidence(&rest).await.expect("read")), ["b 7", "a 7"]);
        store.close().await;
    }
}

#[tokio::test]
async fn a_store_that_only_reads_leaves_everything_as_it_is() {
    for engine in Engine::both() {
        let place = engine.options().place;
        let store = engine.open().await;
        stories::append(&store, &[stories::report("p1", 1)]).await;
        // Beside one that is open, and alone.
        for alone in [false, true] {
            if alone {
                store.close().await;
            }
            let reader = Store::read_only(&place).await.expect("it is there");
            let mut snapshot = reader.history().await.expect("a snapshot");
            assert_eq!(snapshot.log_head().await.expect("read"), 1);
            snapshot.end().await.expect("ended");
            reader.close().await;
        }
        let store = engine.open().await;
        store.pretend_schema(1_000_000).await.expect("written");
        let error = Store::read_only(&place).await.map(drop).expect_err("too new");
        assert!(matches!(error, Error::NewerSchema { found: 1_000_000, .. }), "{error}");
        store.close().await;
    }
}

/// For tests only.
impl Store {
    async fn note_erasure(&self, position: i64, check: &str) -> Result<(), Error> {
        write!(self, tx => {
            sqlx::query(
                "INSERT INTO erasure (id, requested, position, check_id, from_at, to_at, evidence_only)
                 VALUES (1, $1, $2, $3, 50, 51, FALSE)",
            )
            .bind(Micros(0).0).bind(position).bind(check).execute(&mut *tx).await?;
        });
        Ok(())
    }

    async fn pretend_schema(&self, version: i64) -> Result<(), Error> {
        write!(self, tx => {
            sqlx::query("UPDATE _sqlx_migrations SET version = $1 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
                .bind(version).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
