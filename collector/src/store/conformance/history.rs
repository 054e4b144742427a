//! What the store must do for the history.

use super::Engine;
use crate::{
    history::{SHARDS, Selection, SeriesKey},
    store::{
        Error, NewSegment, Rollups, Seal, Store,
        db::{on, write},
    },
};
use series::{
    Row,
    rollup::Rollup,
    synthetic::{Noise, Series},
};
use wire::Micros;

const T0: Micros = Micros(1_795_000_000_000_000);

#[derive(sqlx::FromRow)]
struct Stored {
    day: i64,
    check_id: String,
    min_at: i64,
    max_at: i64,
    row_count: i64,
    level: i64,
    data: Vec<u8>,
}

/// For tests only: everything at once, and nothing at all.
impl Store {
    pub(crate) async fn all_segments(&self) -> Result<Vec<NewSegment>, Error> {
        let rows: Vec<Stored> = on!(self, pool => {
            sqlx::query_as("SELECT * FROM segment ORDER BY day, check_id, number").fetch_all(pool).await?
        });
        let segment = |row: Stored| NewSegment {
            day: row.day,
            check: row.check_id,
            min_at: row.min_at,
            max_at: row.max_at,
            rows: row.row_count,
            level: row.level,
            data: row.data,
        };
        Ok(rows.into_iter().map(segment).collect())
    }

    /// As if the decider had read the log up to a position.
    pub(crate) async fn pretend_decided(&self, position: i64) -> Result<(), Error> {
        write!(self, tx => {
            sqlx::query(
                "INSERT INTO decision_state (id, term, number, position, saved, state) VALUES (1, 0, 0, $1, 0, $2)",
            )
            .bind(position).bind(&b""[..]).execute(&mut *tx).await?;
        });
        Ok(())
    }

    pub(crate) async fn count_erasures(&self) -> Result<i64, Error> {
        let (count,) =
            on!(self, pool => sqlx::query_as("SELECT COUNT(*) FROM erasure").fetch_one(pool).await?);
        Ok(count)
    }

    pub(crate) async fn forget_history(&self) -> Result<(), Error> {
        write!(self, tx => {
            for table in ["segment", "rollup", "rollup_day", "series", "erasure", "report_log", "source_seen", "evidence"] {
                let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
                sqlx::query(sql).execute(&mut *tx).await?;
            }
            sqlx::query("UPDATE seal_cursor SET position = 0, changes = 0").execute(&mut *tx).await?;
        });
        Ok(())
    }
}

pub fn key(check: &str, target: &str, part: &str) -> SeriesKey {
    SeriesKey { check: check.into(), probe: "p".into(), target: target.into(), part: part.into() }
}

pub fn segment(check: &str, day: i64, data: &[u8]) -> NewSegment {
    NewSegment { day, check: check.into(), min_at: 1, max_at: 2, rows: 3, level: 0, data: data.into() }
}

pub fn rollup(seed: u64, count: usize) -> Rollup {
    let rows: Vec<Row> = Series::http(seed, T0.0, 1_000_000, Noise::Usual).take(count).collect();
    let mut rollup = Rollup::default();
    rows.iter().for_each(|row| rollup.add(row));
    rollup
}

#[tokio::test]
async fn history_is_written_the_same_way_on_both_engines() {
    for engine in Engine::both() {
        let store = engine.open().await;
        series(&store).await;
        let term = store.take_lease("me", T0).await.expect("taken");
        sealing(&store, term).await;
        cursors(&store, term).await;
        audit(&store).await;
        store.close().await;
    }
}

async fn series(store: &Store) {
    let keys = [key("a", "r1", ""), key("a", "r2", ""), key("b", "r1", "log in")];
    let ids = store.series_ids(&keys).await.expect("given");
    assert_eq!(store.series_ids(&keys).await.expect("known"), ids);
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), keys.len());
    let more =
        store.series_ids(&[keys[2].clone(), key("b", "r1", ""), keys[0].clone()]).await.expect("given");
    assert_eq!((more[0], more[2]), (ids[2], ids[0]));
    assert!(!ids.contains(&more[1]));

    // Several collectors ask at the same time for the same and for others.
    let many = |from: usize| -> Vec<SeriesKey> {
        (from..from + 300).map(|number| key("crowd", "r1", &format!("step {number}"))).collect()
    };
    let asked = [many(0), many(100), many(200)];
    let (one, other, third) =
        tokio::join!(store.series_ids(&asked[0]), store.series_ids(&asked[1]), store.series_ids(&asked[2]));
    let (one, other, third) = (one.expect("given"), other.expect("given"), third.expect("given"));
    assert_eq!(one[100..], other[..200]);
    assert_eq!(one[200..], third[..100]);
    assert_eq!(other[100..], third[..200]);
}

async fn sealing(store: &Store, term: i64) {
    let shard = 3;
    let state = store.seal_state().await.expect("read");
    assert_eq!((state.cursors, state.changes), ([0; SHARDS], [0; SHARDS]));

    let mut rollups = Rollups::new();
    // More than one statement takes.
    for series in 0..250 {
        rollups.insert((series, 500_000), rollup(series.unsigned_abs(), 40));
    }
    let failed =
        Rollup { failures: [0, 0, 0, 2, 0, 0, 0, 1], missed: 3, unsupported: 4, ..Rollup::default() };
    rollups.insert((7, 500_001), failed);
    let segments = vec![segment("a", 20_833, b"one"), segment("a", 20_834, b"two")];
    let seal =
        Seal { shard, from: 0, changes: 0, position: 50, segments: &segments, rollups: &rollups, days: &[] };
    assert!(store.seal(term, &seal).await.expect("sealed"));
    assert_eq!(store.seal_state().await.expect("read").cursors[shard], 50);
    assert_eq!(store.all_segments().await.expect("read"), segments);
    assert_eq!(store.rollups(rollups.keys().copied()).await.expect("read"), rollups);
    assert_eq!(store.rollups([(251, 500_000), (7, 499_999)]).await.expect("read"), Rollups::new());

    // Once only, and not from what somebody else has changed.
    assert!(!store.seal(term, &seal).await.expect("answered"));
    assert!(!store.seal(term, &Seal { from: 50, changes: 1, position: 60, ..seal }).await.expect("answered"));
    assert_eq!(store.all_segments().await.expect("read"), segments);

    // A second one of the same hour replaces the merged roll-up, and its segments get numbers of their own.
    let merged = Rollups::from([((7, 500_000), rollup(7, 90))]);
    let next = Seal { from: 50, position: 60, rollups: &merged, ..seal };
    assert!(store.seal(term, &next).await.expect("sealed"));
    assert_eq!(store.rollups([(7, 500_000)]).await.expect("read"), merged);
    assert_eq!(store.all_segments().await.expect("read").len(), 4);

    // Who has been overtaken writes nothing.
    let newer = store.take_lease("other", T0).await.expect("taken");
    let late = Seal { from: 60, position: 70, ..seal };
    assert!(matches!(store.seal(term, &late).await, Err(Error::Fenced { term: t }) if t == term));
    assert!(matches!(store.advance(term, &[shard], 70).await, Err(Error::Fenced { .. })));
    assert_eq!(store.seal_state().await.expect("read").cursors[shard], 60);
    assert_eq!(store.all_segments().await.expect("read").len(), 4);
    assert!(store.seal(newer, &late).await.expect("sealed"));
    assert_eq!(store.rollups([(7, 500_000)]).await.expect("read")[&(7, 500_000)], rollups[&(7, 500_000)]);
}

async fn cursors(store: &Store, _: i64) {
    let term = store.take_lease("me again", T0).await.expect("taken");
    store.advance(term, &[1, 3, 63], 65).await.expect("advanced");
    store.advance(term, &[], 99).await.expect("nothing to do");
    let cursors = store.seal_state().await.expect("read").cursors;
    assert_eq!((cursors[1], cursors[3], cursors[63], cursors[2]), (65, 70, 65, 0), "never back");
}

async fn audit(store: &Store) {
    let term = store.take_lease("the auditor", T0).await.expect("taken");
    for number in 0..30_i64 {
        store.revise(&format!("a: {number}"), T0.plus_us(number)).await.expect("stored");
        store.begin_erasure(&Selection::default(), true, T0.plus_us(number)).await.expect("noted");
    }
    let all = || async {
        let documents = store.documents(100).await.expect("read").len();
        (documents, store.count_erasures().await.expect("counted"))
    };
    assert_eq!(all().await, (30, 30));
    let before = T0.plus_us(20);
    let fenced = store.expire_audit(term - 1, before).await;
    assert!(matches!(fenced, Err(Error::Fenced { .. })));
    let mut deleted = 0;
    loop {
        match store.expire_audit(term, before).await.expect("deleted") {
            0 => break,
            more => deleted += more,
        }
    }
    // Nine documents are older than the newest twenty, and twenty erasures older than what is asked for.
    assert_eq!((deleted, all().await), (29, (21, 10)));
}
