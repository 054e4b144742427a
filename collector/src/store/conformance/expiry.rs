//! Forgetting, on both engines.

use super::{
    Engine,
    stories::{T0, report_at, window_at},
    until,
};
use crate::store::{
    Entry, Expired, Kind, Store,
    db::{on, write},
    partition::REPORT_LOG,
};
use wire::Micros;

const HOUR_US: i64 = 3_600_000_000;

async fn positions(store: &Store) -> Vec<i64> {
    store.log_after(0, 1000).await.expect("read").into_iter().map(|entry| entry.position).collect()
}

/// One report every hour for two days.
async fn two_days(store: &Store) {
    let entries: Vec<Entry> =
        (0..48).map(|hour| report_at("p1", hour + 1, T0.plus_us(hour * HOUR_US))).collect();
    for (hour, entry) in entries.chunks(1).enumerate() {
        // As a collector does from time to time.
        store.make_partitions(T0.plus_us(hour as i64 * HOUR_US)).await.expect("made");
        store.append(entry).await.expect("stored");
    }
}

#[tokio::test]
async fn the_log_is_forgotten_up_to_what_was_read() {
    for engine in Engine::both() {
        let store = engine.open().await;
        two_days(&store).await;
        let all = positions(&store).await;
        assert_eq!(all.len(), 48);
        let day = T0.plus_us(24 * HOUR_US);

        let none = store.expire(Kind::Log { upto: 0 }, day, 1000).await.expect("nothing was read");
        assert_eq!(none, Expired::default());
        let done = store.expire(Kind::Log { upto: all[47] }, day, 1000).await.expect("expired");
        let left = positions(&store).await;
        match &engine {
            Engine::Sqlite(_) => {
                assert_eq!(done, Expired { rows: 24, partitions: 0, more: false });
                assert_eq!(left, all[24..]);
            }
            Engine::Postgres(_) => {
                assert!(done.partitions >= 3 && done.rows == 0, "{done:?}");
                assert!(left.len() < 31 && all.ends_with(&left), "{left:?}");
                assert!(left.len() >= 24, "nothing that is younger");
            }
        }
        // Position by position, with a limit.
        let upto = left[left.len() - 2];
        let two = store.expire(Kind::Log { upto }, T0.plus_us(900 * HOUR_US), 2).await.expect("expired");
        match &engine {
            Engine::Sqlite(_) => assert_eq!(two, Expired { rows: 2, partitions: 0, more: true }),
            Engine::Postgres(_) => assert_eq!((two.rows, two.partitions > 0), (0, true), "{two:?}"),
        }
        assert!(
            positions(&store).await.ends_with(&left[left.len() - 2..])
                || matches!(engine, Engine::Postgres(_))
        );
        assert!(positions(&store).await.ends_with(&left[left.len() - 1..]), "what was not read stays");
        store.close().await;
    }
}

#[tokio::test]
async fn windows_of_the_mesh_are_forgotten_in_bites() {
    for engine in Engine::both() {
        let store = engine.open().await;
        for minute in 0..30 {
            let entry = window_at(minute + 1, T0.plus_us(minute * 60_000_000));
            store.append(&[entry]).await.expect("stored");
        }
        let before = T0.plus_us(20 * 60_000_000);
        let some = store.expire(Kind::Mesh, before, 7).await.expect("expired");
        assert_eq!(some, Expired { rows: 7, partitions: 0, more: true });
        let rest = store.expire(Kind::Mesh, before, 1000).await.expect("expired");
        assert_eq!(rest, Expired { rows: 13, partitions: 0, more: false });
        store.close().await;
    }
}

/// Every kind finds its table and its columns on both engines.
#[tokio::test]
async fn every_kind_can_be_forgotten() {
    for engine in Engine::both() {
        let store = engine.open().await;
        for kind in [
            Kind::Evidence,
            Kind::Segments,
            Kind::Rollups,
            Kind::PackedRollups,
            Kind::Mesh,
            Kind::Log { upto: 7 },
        ] {
            let done = store.expire(kind, T0, 10).await;
            assert_eq!(done.expect("expired").rows, 0, "{kind:?}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn an_insert_never_fails_for_want_of_a_partition() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    // Nobody made partitions for then.
    let far = T0.plus_us(400 * 24 * HOUR_US);
    store
        .append(&[report_at("p1", 1, far), report_at("p1", 2, far.plus_us(7 * HOUR_US))])
        .await
        .expect("stored");
    assert_eq!(in_table(&store, "report_log_rest").await, 2);
    // Later they are made, also by several at once, and the rows are moved.
    let other = engine.open().await;
    let (one, two) = tokio::join!(store.make_partitions(far), other.make_partitions(far));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!(in_table(&store, "report_log_rest").await, 0);
    assert_eq!(positions(&store).await.len(), 2);
    assert_eq!(store.make_partitions(far).await.expect("asked"), 0, "all are there");
    let there = store.partitions(REPORT_LOG.name).await.expect("asked").expect("partitioned");
    assert!(
        there.iter().any(|partition| partition.range.is_some_and(|(from, to)| from <= far.0 && far.0 < to))
    );
    // What is found by a key of the parent table is found in the partitions.
    assert_eq!(store.append(&[report_at("p1", 2, far)]).await.expect("asked").positions, [None]);

    // In the DEFAULT partition rows are deleted one by one.
    store.append(&[report_at("p1", 3, Micros(0))]).await.expect("stored");
    let done = store
        .expire(Kind::Log { upto: i64::MAX }, T0.minus(std::time::Duration::from_secs(86_400)), 10)
        .await;
    assert_eq!(done.expect("expired").rows, 1);
    assert_eq!(positions(&store).await.len(), 2);
}

#[tokio::test]
async fn a_partition_that_is_in_use_is_left_for_the_next_time() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    two_days(&store).await;
    let reading = store.hang().await;
    let mut reading = reading;
    let _: (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM report_log").fetch_one(&mut *reading).await.expect("read");
    let far = T0.plus_us(24 * HOUR_US);
    let done = store.expire(Kind::Log { upto: i64::MAX }, far, 10).await.expect("no error");
    assert_eq!((done.partitions, done.more), (0, true));
    reading.finish(Ok(())).await.expect("committed");
    until("it is dropped", async || {
        store.expire(Kind::Log { upto: i64::MAX }, far, 10).await.expect("no error").partitions > 0
    })
    .await;
}

/// Deleting a million rows at once would hold up ingest for minutes; between bites others write.
#[tokio::test]
async fn others_write_between_the_bites() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    two_days(&store).await;
    fill(&store, 3000).await.expect("filled");
    let expiring = tokio::spawn({
        let store = store.clone();
        async move { store.expire(Kind::Log { upto: i64::MAX }, T0.plus_us(900 * HOUR_US), 100_000).await }
    });
    let mut between = 0;
    while !expiring.is_finished() {
        let left = count_while_writing(&store).await.expect("written");
        between += i32::from((1..3000).contains(&left));
    }
    expiring.await.expect("no panic").expect("expired");
    assert!(between > 3, "{between} were written between 12 bites");
}

/// How much of the log is left at the moment of a write.
async fn count_while_writing(store: &Store) -> Result<i64, crate::store::Error> {
    let (count,): (i64,) =
        write!(store, tx => sqlx::query_as("SELECT COUNT(*) FROM report_log").fetch_one(&mut *tx).await?);
    Ok(count)
}

async fn fill(store: &Store, rows: i64) -> Result<(), crate::store::Error> {
    write!(store, tx => {
        sqlx::query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
             INSERT INTO report_log (position, source, sequence, received, clock_us, payload)
             SELECT 100000 + i, source, sequence, received, clock_us, payload FROM n, (SELECT * FROM report_log LIMIT 1)",
        )
        .bind(rows).execute(&mut *tx).await?;
    });
    Ok(())
}

async fn in_table(store: &Store, table: &str) -> i64 {
    async fn count(store: &Store, table: &str) -> Result<i64, crate::store::Error> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let (count,): (i64,) = on!(store, pool => sqlx::query_as(sql).fetch_one(pool).await?);
        Ok(count)
    }
    count(store, table).await.expect("counted")
}
