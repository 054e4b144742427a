//! What goes wrong below the database: no crash, nothing that was acknowledged is lost, and it heals by itself.

use super::{
    Engine,
    hands::Frozen,
    stories::{T0, report},
    until,
};
use crate::store::{Entry, Error, Health, Reaction, Store, db::write};
use axum::response::IntoResponse;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::report::Report;

/// Lets a store heal itself, as the collector does.
fn healing(store: &Store) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(store.clone().heal(stop)))
}

fn what(store: &Store) -> String {
    store.health().borrow().degraded().map(|degraded| degraded.what.clone()).unwrap_or_default()
}

async fn heals(store: &Store) {
    let mut health = store.health();
    let healed = health.wait_for(|health| *health == Health::Ok);
    tokio::time::timeout(Duration::from_secs(60), healed)
        .await
        .expect("it heals")
        .expect("the store is there");
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing_behind() {
    async fn failing(store: &Store) -> Result<(), Error> {
        write!(store, tx => {
            sqlx::query("INSERT INTO revision (revision, applied, document) VALUES (77, 1, 'x')")
                .execute(&mut *tx).await?;
            // The same key again.
            sqlx::query("INSERT INTO revision (revision, applied, document) VALUES (77, 1, 'y')")
                .execute(&mut *tx).await?;
        });
        Ok(())
    }
    async fn leaving(store: &Store) -> Result<(), Error> {
        write!(store, tx => {
            sqlx::query("INSERT INTO revision (revision, applied, document) VALUES (78, 1, 'x')")
                .execute(&mut *tx).await?;
            if store.health().borrow().degraded().is_none() {
                return Err(Error::Fenced { term: 1 });
            }
        });
        Ok(())
    }
    async fn standing_still(store: &Store) -> Result<(), Error> {
        write!(store, tx => {
            sqlx::query("INSERT INTO revision (revision, applied, document) VALUES (79, 1, 'x')")
                .execute(&mut *tx).await?;
            std::future::pending::<()>().await;
        });
        Ok(())
    }
    for engine in Engine::both() {
        let store = engine.open().await;
        for _ in 0..3 {
            let error = failing(&store).await.expect_err("the key is there");
            assert_eq!(error.reaction(), Reaction::Refuse, "{error:?}");
            assert!(matches!(leaving(&store).await, Err(Error::Fenced { term: 1 })));
            // A caller that gives up in the middle of it.
            let gave_up = tokio::time::timeout(Duration::from_millis(50), standing_still(&store)).await;
            assert!(gave_up.is_err());
        }
        assert_eq!(store.revise("a: 1", T0).await.expect("free for others"), (1, true), "nothing was kept");
        assert_eq!(*store.health().borrow(), Health::Ok, "bad requests are not a bad disk");
        store.close().await;
    }
}

#[tokio::test]
async fn what_only_reads_cannot_write_on_sqlite() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    async fn careless(store: &Store) -> Result<(), Error> {
        crate::store::db::on!(store, pool => sqlx::query("DELETE FROM revision").execute(pool).await.map(drop)?);
        Ok(())
    }
    careless(&store).await.expect_err("readers are read-only");
}

/// A file system in memory that is as large as told, or gone with the test.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(bytes: usize) -> Option<Tmpfs> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: only root can mount a small file system");
        }
        mounted.then_some(Tmpfs(folder))
    }

    fn remount(&self, option: &str) {
        let done =
            Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.0.path()).output();
        let output = done.expect("mount starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the store under test may still be closing.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Whether each entry was new.
async fn append(store: &Store, entries: &[Entry]) -> Result<Vec<bool>, Error> {
    Ok(store.append(entries).await?.positions.iter().map(Option::is_some).collect())
}

/// A report of about 20 kB that does not get smaller by compressing it.
fn bulky(sequence: i64) -> Entry {
    let report: Report = serde_json::from_value(serde_json::json!({
        "probe": "p1", "sequence": sequence, "samples": [],
    }))
    .expect("a report");
    let mut filler = String::new();
    let mut number = sequence.unsigned_abs();
    while filler.len() < 20_000 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        filler += &format!("{:x}", number >> 16);
    }
    let mut raw = serde_json::to_value(&report).expect("JSON");
    raw["filler"] = filler.into();
    let raw = serde_json::value::to_raw_value(&raw).expect("JSON");
    Entry::report(T0, 0, (T0, 0), report, &raw)
}

/// Appends until it fails, and says how many were acknowledged.
async fn fill(store: &Store, from: i64) -> (i64, Error) {
    let mut sequence = from;
    loop {
        match append(store, &[bulky(sequence + 1)]).await {
            Ok(stored) => assert_eq!(stored, [true], "{sequence}"),
            Err(error) => return (sequence, error),
        }
        sequence += 1;
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_heals() {
    let Some(disk) = Tmpfs::mount(4 << 20) else { return };
    let file = disk.0.path().join("sextant.db");
    let store = Store::sqlite(&file).await.expect("there is room to begin");
    let (stop, task) = healing(&store);

    let (acknowledged, error) = fill(&store, 0).await;
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    assert!(acknowledged > 10, "{acknowledged}");
    assert!(what(&store).contains("is full"), "{}", what(&store));
    // Again and again; what can be read is read.
    for _ in 0..5 {
        let (none, again) = fill(&store, acknowledged).await;
        assert_eq!((none, again.reaction()), (acknowledged, Reaction::Retry), "{again:?}");
    }
    let stored = store.log_after(0, 10_000).await.expect("readable");
    assert_eq!(stored.len() as i64, acknowledged);

    disk.remount("size=32m");
    // Nothing else writes: it finds out by itself.
    heals(&store).await;
    let again = report("p2", 1);
    assert_eq!(append(&store, &[again]).await.expect("stored"), [true]);
    stop.cancel();
    task.await.expect("it stops");
    store.close().await;
    let store = Store::sqlite(&file).await.expect("opens again");
    assert_eq!(store.log_after(0, 10_000).await.expect("readable").len() as i64, acknowledged + 1);
    store.close().await;
}

#[tokio::test]
async fn a_read_only_file_system_is_explained_at_the_start() {
    let Some(disk) = Tmpfs::mount(32 << 20) else { return };
    let file = disk.0.path().join("sextant.db");
    Store::sqlite(&file).await.expect("opens").close().await;
    disk.remount("ro");
    let error = Store::sqlite(&file).await.expect_err("read-only");
    assert!(error.to_string().contains("writable"), "{error}");
    disk.remount("rw");
    Store::sqlite(&file).await.expect("opens again").close().await;
}

/// Linux does not make a file system read-only while files on it are open for writing, unless it is broken; what SQLite
/// answers then is brought about by a setting of the connection.
#[tokio::test]
async fn a_file_system_that_becomes_read_only_is_told_and_heals() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    let (stop, task) = healing(&store);
    append(&store, &[report("p1", 1)]).await.expect("stored");
    store.forbid_writing().await;
    let error = append(&store, &[report("p1", 2)]).await.expect_err("read-only");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    assert!(what(&store).contains("takes no writes"), "{}", what(&store));
    heals(&store).await;
    assert_eq!(append(&store, &[report("p1", 2)]).await.expect("stored"), [true]);
    stop.cancel();
    task.await.expect("it stops");
    store.close().await;
}

#[tokio::test]
async fn a_write_is_tried_and_leaves_one_row() {
    for engine in Engine::both() {
        let store = engine.open().await;
        for _ in 0..3 {
            store.try_write().await.expect("written");
        }
        async fn count(store: &Store) -> Result<i64, Error> {
            let (count,): (i64,) = write!(store, tx => {
                sqlx::query_as("SELECT COUNT(*) FROM write_trial").fetch_one(&mut *tx).await?
            });
            Ok(count)
        }
        assert_eq!(count(&store).await.expect("counted"), 1);
        store.close().await;
        store.try_write().await.expect_err("closed");
    }
}

/// The task of the collector, which reads all pages after an unclean end and heals.
#[tokio::test]
async fn whoever_watches_over_a_store_heals_it_and_stops_when_told() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    let stop = CancellationToken::new();
    let (_never, ready) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(store.clone().watch_over(ready, stop.clone()));
    store.forbid_writing().await;
    store.try_write().await.expect_err("read-only");
    assert!(what(&store).contains("takes no writes"), "{}", what(&store));
    heals(&store).await;
    store.try_write().await.expect("it was healed");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(60), task).await.expect("it stops").expect("no panic");
    store.close().await;
}

/// A file that is deleted goes on taking writes, which nobody would ever read.
#[tokio::test]
async fn a_file_that_is_gone_takes_nothing_until_it_is_back() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    let stop = CancellationToken::new();
    let (_never, ready) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(store.clone().watch_over(ready, stop.clone()));
    append(&store, &[report("p1", 1)]).await.expect("stored");
    let (file, elsewhere) = (engine.file(), engine.file().with_extension("away"));
    for replaced in [false, true] {
        std::fs::rename(&file, &elsewhere).expect("moved");
        if replaced {
            std::fs::write(&file, "").expect("written");
        }
        let mut health = store.health();
        health.wait_for(|health| health.degraded().is_some()).await.expect("it is noticed");
        let detail = health.borrow().degraded().expect("still").detail.clone();
        assert!(detail.contains(if replaced { "another file" } else { "not there any more" }), "{detail}");
        let error = append(&store, &[report("p1", 2)]).await.expect_err("nothing is stored");
        assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
        std::fs::rename(&elsewhere, &file).expect("put back");
        heals(&store).await;
    }
    assert_eq!(append(&store, &[report("p1", 2)]).await.expect("stored"), [true]);
    stop.cancel();
    task.await.expect("it stops");
    store.close().await;
}

/// Another program with the file open in a writing transaction: a second `sqlx` in this process does the same.
#[tokio::test]
async fn a_locked_database_is_waited_for_then_told_and_heals() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    let (stop, task) = healing(&store);
    let mut other = Locker::hold(&engine.file()).await;
    let error = append(&store, &[report("p1", 1)]).await.expect_err("locked");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    assert!(what(&store).contains("holds the lock"), "{}", what(&store));
    let answer = crate::api::Rejected::storage(&store).expect("not ready").into_response();
    assert_eq!(answer.status(), http::StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(http::header::RETRY_AFTER));
    assert!(store.log_after(0, 10).await.expect("reading goes on").is_empty());
    other.let_go().await;
    heals(&store).await;
    assert!(crate::api::Rejected::storage(&store).is_none(), "ready again");
    assert_eq!(append(&store, &[report("p1", 1)]).await.expect("stored"), [true]);
    stop.cancel();
    task.await.expect("it stops");
    store.close().await;
}

struct Locker(sqlx::SqliteConnection);

impl Locker {
    async fn hold(file: &Path) -> Locker {
        use sqlx::{Connection, Executor};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
        connection.execute("BEGIN IMMEDIATE").await.expect("locked");
        Locker(connection)
    }

    async fn let_go(&mut self) {
        use sqlx::Executor;
        self.0.execute("ROLLBACK").await.expect("let go");
    }
}

#[tokio::test]
async fn connections_that_are_killed_are_replaced() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    let (stop, task) = healing(&store);
    append(&store, &[report("p1", 1)]).await.expect("stored");
    let kill =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sextant %'";
    engine.cluster().query(kill);
    // Idle ones are replaced without anybody noticing.
    assert_eq!(append(&store, &[report("p1", 2)]).await.expect("stored"), [true]);
    // One that is killed at work fails that work, and only that.
    let hanging = store.hang().await;
    engine.cluster().query(kill);
    let error = hanging.finish(Ok(())).await.expect_err("killed");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    heals(&store).await;
    assert_eq!(append(&store, &[report("p1", 3)]).await.expect("stored"), [true]);
    stop.cancel();
    task.await.expect("it stops");
}

#[tokio::test]
async fn a_server_that_restarts_is_waited_for() {
    let mut engine = Engine::postgres();
    let store = engine.open().await;
    let (stop, task) = healing(&store);
    append(&store, &[report("p1", 1)]).await.expect("stored");
    engine.cluster_mut().kill();
    let error = append(&store, &[report("p1", 2)]).await.expect_err("it is down");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    assert!(!what(&store).is_empty(), "degraded");
    assert!(store.log_after(0, 10).await.is_err());
    engine.cluster_mut().restart();
    heals(&store).await;
    assert_eq!(append(&store, &[report("p1", 1), report("p1", 2)]).await.expect("stored"), [false, true]);
    stop.cancel();
    task.await.expect("it stops");
}

#[tokio::test]
async fn a_standby_is_told_apart() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    let (stop, task) = healing(&store);
    engine.cluster().query("ALTER SYSTEM SET default_transaction_read_only = on");
    engine.cluster().query("SELECT pg_reload_conf()");
    until("writes are refused", async || {
        let refused = append(&store, &[report("p1", 1)]).await.is_err();
        refused && what(&store).contains("takes no writes")
    })
    .await;
    assert!(store.log_after(0, 10).await.is_ok(), "reading goes on");
    engine.cluster().query("ALTER SYSTEM RESET default_transaction_read_only");
    engine.cluster().query("SELECT pg_reload_conf()");
    heals(&store).await;
    stop.cancel();
    task.await.expect("it stops");
}

#[tokio::test]
async fn statements_and_waits_for_locks_end() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    let limits = store.settings().await;
    assert_eq!(limits, ["15s", "5s", "5s"], "statement, lock, idle in a transaction");
    // A lock that somebody else holds is not waited for without end, and is no reason for alarm.
    let mut other = Psql::start(&engine, "BEGIN; LOCK TABLE revision; SELECT pg_sleep(60)");
    let locked = "SELECT COUNT(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                  WHERE c.relname = 'revision' AND l.mode = 'AccessExclusiveLock' AND l.granted";
    until("the table is locked", async || engine.cluster().query(locked) == "t").await;
    let error = store.revise("a: 1", T0).await.expect_err("locked");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    assert_eq!(*store.health().borrow(), Health::Ok);
    other.0.kill().expect("it is ours");
    other.0.wait().expect("it ended");
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_ends() {
    let engine = Engine::postgres();
    let store = engine.open().await;
    let term = store.claim("one", T0, None).await.expect("asked").expect("free");
    store.release(term).await.expect("released");
    let mut other = Psql::start(&engine, "BEGIN; LOCK TABLE lease; SELECT pg_sleep(60)");
    let locked = "SELECT COUNT(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                  WHERE c.relname = 'lease' AND l.mode = 'AccessExclusiveLock' AND l.granted";
    until("the table is locked", async || engine.cluster().query(locked) == "t").await;
    let claimant = store.clone();
    let claiming = tokio::spawn(async move { claimant.claim("other", T0, None).await });
    let asking = "wait_event_type = 'Lock' AND query LIKE 'SELECT renewed%'";
    let count = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE {asking}");
    until("it asks", async || claiming.is_finished() || engine.cluster().query(&count) == "1").await;
    let frozen = Frozen::sessions(engine.cluster(), asking);
    tokio::time::pause();
    let ended = tokio::time::timeout(Duration::from_secs(60), claiming).await;
    let error = ended.expect("in time").expect("no panic").expect_err("no answer");
    assert_eq!(error.reaction(), Reaction::Retry, "{error:?}");
    drop(frozen);
    other.0.kill().expect("it is ours");
    other.0.wait().expect("it ended");
}

struct Psql(Child);

impl Psql {
    fn start(engine: &Engine, sql: &str) -> Psql {
        let child =
            Command::new("psql").arg(engine.cluster().url()).args(["-c", sql]).stdout(Stdio::null()).spawn();
        Psql(child.expect("psql starts"))
    }
}
