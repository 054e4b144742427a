//! Migrations: side by side, interrupted, at the same time, and from the future.

use super::{
    Engine,
    stories::{T0, report},
    until,
};
use crate::store::{Error, ExtraMigration, Options, Store, migrate::newest};
use std::time::Duration;

/// The next version's migration, which says which programs may still run; without a word, none.
fn next(step: i64, least_program: Option<i64>, sql: &str) -> ExtraMigration {
    let version = newest() + step;
    let row = least_program.map_or(String::new(), |least| {
        format!("INSERT INTO schema_info (version, least_program, applied) VALUES ({version}, {least}, 0);")
    });
    ExtraMigration { version, description: "of the next version".into(), sql: format!("{sql};\n{row}") }
}

async fn open_with(engine: &Engine, extra: Vec<ExtraMigration>) -> Result<Store, Error> {
    Store::open(Options { extra_migrations: extra, ..engine.options() }).await
}

const EXPAND: &str = "ALTER TABLE revision ADD COLUMN note TEXT NOT NULL DEFAULT ''";

#[tokio::test]
async fn two_versions_run_side_by_side() {
    for engine in Engine::both() {
        let old = engine.open().await;
        let new =
            open_with(&engine, vec![next(1, Some(newest()), EXPAND)]).await.expect("migrates beside it");
        for (store, document, revision) in [(&old, "a: 1", 1), (&new, "a: 2", 2), (&old, "a: 3", 3)] {
            let (got, is_new) = store.revise(document, T0).await.expect("stored");
            assert_eq!((got, is_new), (revision, true), "{document}");
        }
        old.close().await;
        // The older program can be started again, and the newer one finds its work done.
        engine.open().await.close().await;
        open_with(&engine, vec![next(1, Some(newest()), EXPAND)]).await.expect("nothing to do").close().await;
        new.close().await;
    }
}

/// Connections keep prepared statements. One that asks for `*` fails on PostgreSQL once a column was added, until its
/// connection ends: columns are named.
#[tokio::test]
async fn a_column_that_is_added_under_a_running_program_does_not_disturb_it() {
    const TABLES: [&str; 5] = ["delivery", "timeline", "plan", "series", "revision"];
    async fn ask(store: &Store) -> Result<(), Error> {
        store.due(T0).await?;
        store.deliveries(&"shop".parse().expect("an id"), 1).await?;
        store.timeline(9, 9).await?;
        store.timeline_between(T0, T0).await?;
        store.plans(&"shop".parse().expect("an id"), 9, 9).await?;
        store.series_of(&["a"].into()).await?;
        store.revise("a: 1", T0).await?;
        Ok(())
    }
    for engine in Engine::both() {
        let old = engine.open().await;
        // Often enough that every connection of the pool may have met every statement.
        for _ in 0..3 {
            ask(&old).await.expect("before");
        }
        let add = TABLES.map(|table| format!("ALTER TABLE {table} ADD COLUMN added TEXT")).join(";\n");
        let new = open_with(&engine, vec![next(1, Some(newest()), &add)]).await.expect("migrates beside it");
        for _ in 0..3 {
            ask(&old).await.expect("after");
        }
        new.close().await;
        old.close().await;
    }
}

#[tokio::test]
async fn a_newer_schema_that_does_not_know_us_is_refused_with_both_versions() {
    for engine in Engine::both() {
        let (one, two) = (next(1, Some(newest()), EXPAND), next(2, None, "DROP TABLE mesh_window"));
        open_with(&engine, vec![one, two]).await.expect("the future").close().await;
        let error = Store::open(engine.options()).await.expect_err("too new");
        let text = error.to_string();
        assert!(matches!(error, Error::NewerSchema { .. }), "{text}");
        for expected in [format!("version {}", newest() + 2), format!("up to {}", newest()), "restore".into()]
        {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
    }
}

#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_nothing_and_is_run_again() {
    for engine in Engine::both() {
        engine.open().await.close().await;
        let broken = next(1, Some(newest()), &format!("{EXPAND};\nINSERT INTO no_such_table VALUES (1)"));
        let error = open_with(&engine, vec![broken]).await.expect_err("fails");
        assert!(matches!(error, Error::Migrate(_)), "{error:?}");
        // The program that is there goes on, and the mended one finds no trace.
        engine.open().await.close().await;
        open_with(&engine, vec![next(1, Some(newest()), EXPAND)]).await.expect("mended").close().await;
    }
}

/// The process is killed in the middle of a migration: on PostgreSQL the server sees its connection end.
#[tokio::test]
async fn a_migration_that_is_cut_off_is_run_again() {
    let engine = Engine::postgres();
    engine.open().await.close().await;
    let slow = next(1, Some(newest()), &format!("{EXPAND};\nSELECT pg_sleep(600)"));
    let cut = open_with(&engine, vec![slow]);
    let kill = async {
        let asleep = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        until("it is half-way", async || engine.cluster().query(asleep) == "1").await;
        engine
            .cluster()
            .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    };
    let (result, ()) = tokio::join!(cut, kill);
    result.expect_err("cut off");
    open_with(&engine, vec![next(1, Some(newest()), EXPAND)]).await.expect("run again").close().await;
}

#[tokio::test]
async fn a_migration_that_was_marked_as_half_done_is_explained() {
    for engine in Engine::both() {
        let store = engine.open().await;
        store.mark_half_done(2).await;
        store.close().await;
        let error = Store::open(engine.options()).await.expect_err("half done");
        assert!(matches!(error, Error::HalfMigrated { version: 2 }), "{error:?}");
        assert!(error.to_string().contains("restore the newest backup"), "{error}");
    }
}

#[tokio::test]
async fn collectors_that_start_at_once_migrate_once() {
    let engine = Engine::postgres();
    let opened = futures_util::future::join_all((0..4).map(|_| Store::open(engine.options()))).await;
    for store in opened {
        let store = store.expect("opened");
        assert!(store.append(&[report("p1", 1)]).await.is_ok());
        store.close().await;
    }
    let applied = engine.cluster().query("SELECT COUNT(*), COUNT(DISTINCT version) FROM _sqlx_migrations");
    let (all, distinct) = applied.split_once('|').expect("two figures");
    assert_eq!(all, distinct);
}

#[tokio::test]
async fn every_table_that_grows_is_partitioned_on_postgresql() {
    let engine = Engine::postgres();
    engine.open().await.close().await;
    let partitioned =
        engine.cluster().query("SELECT relname FROM pg_class WHERE relkind = 'p' ORDER BY relname");
    assert_eq!(
        partitioned.lines().collect::<Vec<_>>(),
        ["evidence", "report_log", "rollup", "rollup_day", "segment"]
    );
    let rest = engine
        .cluster()
        .query("SELECT COUNT(*) FROM pg_class WHERE pg_get_expr(relpartbound, oid) = 'DEFAULT'");
    assert_eq!(rest, "5");
}

/// A lock that somebody holds for long is waited for by a migration, and not given up after seconds.
#[tokio::test]
async fn a_migration_waits_for_the_one_that_runs() {
    let engine = Engine::postgres();
    engine.open().await.close().await;
    let slow = next(1, Some(newest()), &format!("{EXPAND};\nSELECT pg_sleep(7)"));
    let fast = next(1, Some(newest()), &format!("{EXPAND};\nSELECT pg_sleep(7)"));
    let (one, two) = tokio::join!(open_with(&engine, vec![slow]), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        open_with(&engine, vec![fast]).await
    });
    one.expect("migrated").close().await;
    two.expect("waited").close().await;
}
