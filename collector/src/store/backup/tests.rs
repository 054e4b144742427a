//! Backups on both engines, across them, while somebody writes, and of what must be refused.

use super::{
    Error, Source, Target,
    catalogue::{self, Known, quoted},
    conn::Conn,
    restore,
};
use crate::{
    backup::{
        Archive, Corrupt, Item, Kind, Value, Writer,
        file::{self, Out},
    },
    decide::{
        State,
        state::{PlanState, ServiceState},
    },
    store::{Store, conformance::stories, migrate, payload},
};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use test_postgres::Cluster;
use wire::{Micros, view::TimelineKind};

const NOW: Micros = Micros(1_895_000_000_000_000);

/// Rows that one statement reads here, so that few rows are several pages.
const PAGE: usize = 40;

/// The rows of each table, in an order that is the same on both engines.
type Content = BTreeMap<String, Vec<Vec<Value>>>;

/// A place for a database, and what keeps it there.
enum Place {
    Folder(tempfile::TempDir),
    Postgres { url: String, _cluster: Arc<Cluster> },
}

impl Place {
    fn folder() -> Place {
        Place::Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A new database on a server.
    async fn database(cluster: &Arc<Cluster>, name: &str) -> Place {
        let mut conn = Conn::postgres(&cluster.url()).await.expect("connected");
        conn.run(&format!("CREATE DATABASE {name}")).await.expect("made");
        let url = cluster.url().replace("/postgres?", &format!("/{name}?"));
        Place::Postgres { url, _cluster: Arc::clone(cluster) }
    }

    async fn both() -> [Place; 2] {
        let cluster = Arc::new(Cluster::start());
        [Place::folder(), Place::database(&cluster, "one").await]
    }

    async fn store(&self) -> Store {
        let opened = match self {
            Place::Folder(folder) => Store::sqlite(&folder.path().join("sextant.db")).await,
            Place::Postgres { url, .. } => Store::postgres(url).await,
        };
        opened.expect("the store opens and migrates")
    }

    /// A connection that may write.
    async fn conn(&self) -> Conn {
        match self {
            Place::Folder(folder) => writable(folder.path()).await,
            Place::Postgres { url, .. } => Conn::postgres(url).await.expect("connected"),
        }
    }

    async fn source(&self) -> Result<Source, Error> {
        match self {
            Place::Folder(folder) => Source::folder(folder.path()).await,
            Place::Postgres { url, .. } => Source::postgres(url).await,
        }
    }

    fn target(&self) -> Target {
        match self {
            Place::Folder(folder) => Target::Folder(folder.path().to_owned()),
            Place::Postgres { url, .. } => Target::Postgres(url.clone()),
        }
    }

    async fn dump(&self) -> Vec<u8> {
        dump(self.source().await.expect("the source opens")).await
    }

    async fn restore(&self, archive: &[u8]) -> Result<super::Restored, Error> {
        restore(file::open(archive, None)?, &self.target(), NOW, |_| {}).await
    }
}

async fn writable(folder: &Path) -> Conn {
    let options = SqliteConnectOptions::new().filename(folder.join("sextant.db"));
    Conn::Sqlite(options.connect().await.expect("connected"))
}

async fn dump(mut source: Source) -> Vec<u8> {
    source.page = PAGE;
    let mut bytes = Vec::new();
    let out = Out::begin(&mut bytes, None).expect("begun");
    let (out, _) = source.dump(out, NOW, "0.1.0", |_| {}).await.expect("dumped");
    out.finish().expect("flushed");
    bytes
}

fn content(archive: &[u8]) -> Content {
    let mut archive = file::open(archive, None).expect("ours");
    let mut content = Content::new();
    let mut name = String::new();
    while let Some(item) = archive.next_item().expect("sound") {
        match item {
            Item::Table(table) => {
                name = table.name;
                content.insert(name.clone(), Vec::new());
            }
            Item::Rows(rows) => content.get_mut(&name).expect("a table comes first").extend(rows),
        }
    }
    content.values_mut().for_each(|rows| rows.sort_by_key(|row| format!("{row:?}")));
    content
}

/// What a restore does on purpose, done to a content as well.
fn settled(mut content: Content) -> Content {
    for row in content.get_mut("lease").expect("a table") {
        row.truncate(1);
    }
    let own = Value::Text("Restored from a backup".into());
    content.get_mut("timeline").expect("a table").retain(|row| !row.contains(&own));
    for value in content.get_mut("delivery").expect("a table").iter_mut().flatten() {
        if *value == Value::Text("pending".into()) {
            *value = Value::Text("superseded".into());
        }
    }
    for value in content.get_mut("decision_state").expect("a table").iter_mut().flatten() {
        if let Value::Bytes(bytes) = value {
            let mut state: State = payload::document(bytes, "a state").expect("a state");
            state.forget_plans();
            *bytes = payload::of_document(&state);
        }
    }
    content.values_mut().for_each(|rows| rows.sort_by_key(|row| format!("{row:?}")));
    content
}

/// Which columns of a table may hold null.
async fn nullable(conn: &mut Conn, table: &str) -> Vec<String> {
    let sql = match conn {
        Conn::Sqlite(_) => {
            format!("SELECT name FROM pragma_table_info('{table}') WHERE \"notnull\" = 0 AND pk = 0")
        }
        Conn::Postgres(_) => format!(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = '{table}' AND is_nullable = 'YES'"
        ),
    };
    let rows = conn.all(&sql, &[Kind::Text]).await.expect("read");
    rows.into_iter()
        .flatten()
        .map(|value| if let Value::Text(name) = value { name } else { String::new() })
        .collect()
}

/// Puts many rows into every table, so that none of them is forgotten, whatever migrations come.
async fn fill(conn: &mut Conn, rows: i64) {
    for (name, known) in catalogue::ours(conn).await.expect("read") {
        // Its state must be one; the stories leave one there.
        if name == "decision_state" {
            continue;
        }
        let nullable = nullable(conn, &name).await;
        let places: Vec<String> = (1..=known.table.columns.len()).map(|place| format!("${place}")).collect();
        let sql =
            format!("INSERT INTO {} ({}) VALUES ({})", quoted(&name), known.columns(), places.join(", "));
        conn.run("BEGIN").await.expect("begun");
        for row in 0..rows {
            let values: Vec<Value> = known
                .table
                .columns
                .iter()
                .enumerate()
                .map(|(place, column)| match column.kind {
                    _ if row % 3 == 0 && nullable.contains(&column.name) => Value::Null,
                    Kind::Integer => Value::Integer(10_000_000 + row * (1 + place as i64)),
                    Kind::Float => Value::Float(row as f64 / 3.0),
                    Kind::Boolean => Value::Boolean(row % 2 == 0),
                    Kind::Text => Value::Text(format!("“{row}” of {place}")),
                    Kind::Bytes => Value::Bytes(vec![row as u8; 1 + row as usize % 50]),
                })
                .collect();
            conn.execute(&sql, values.iter().zip(known.kinds())).await.expect("inserted");
        }
        conn.run("COMMIT").await.expect("committed");
    }
}

/// A database with everything in it.
async fn full(place: &Place, rows: i64) {
    let store = place.store().await;
    stories::play(&store).await;
    store.close().await;
    let mut conn = place.conn().await;
    fill(&mut conn, rows).await;
    conn.close().await.expect("closed");
}

#[tokio::test]
async fn a_database_moves_to_the_other_engine_and_back() {
    let cluster = Arc::new(Cluster::start());
    let (first, last) = (Place::folder(), Place::folder());
    // Several pages of each table, and a whole number of them.
    full(&first, 4 * PAGE as i64).await;
    let before = first.dump().await;
    let postgres = Place::database(&cluster, "moved").await;
    let restored = postgres.restore(&before).await.expect("restored");
    assert_eq!(restored.summary.header.engine, "sqlite");
    let between = postgres.dump().await;
    last.restore(&between).await.expect("restored");
    let after = last.dump().await;

    let (before, between, after) = (content(&before), content(&between), content(&after));
    assert!(before.len() > 8 && before.values().all(|rows| !rows.is_empty()), "every table has rows");
    assert_eq!(settled(before.clone()), settled(between));
    assert_eq!(settled(before), settled(after));
    let Place::Folder(folder) = &last else { panic!("a folder") };
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("read")
        .map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["lock", "sextant.db"], "nothing else is left");
}

#[tokio::test]
async fn a_restored_database_tells_no_receiver_anything_old() {
    let source = Place::folder();
    full(&source, 3).await;
    let store = source.store().await;
    let term = store.take_lease("me", Micros(0)).await.expect("taken");
    let service = ServiceState {
        plan: Some(PlanState {
            plan: stories::plan(2, term),
            guards: Vec::new(),
            acknowledged: Default::default(),
            acknowledged_at: None,
            proof: Default::default(),
        }),
        held: "something".into(),
        ..ServiceState::default()
    };
    let state = State { services: [(stories::shop(), service)].into(), ..State::default() };
    store.commit(&stories::commit(term, 5, &state)).await.expect("committed");
    let plans = store.plans(&stories::shop(), i64::MAX, 10).await.expect("read");
    let due = store.due(Micros(i64::MAX)).await.expect("read");
    assert!(!plans.is_empty() && !due.is_empty(), "there is something that must not be sent");
    store.close().await;
    let archive = source.dump().await;

    for place in Place::both().await {
        place.restore(&archive).await.expect("restored");
        let store = place.store().await;
        assert_eq!(store.due(Micros(i64::MAX)).await.expect("read"), [], "nothing old is sent");
        assert_eq!(
            store.plans(&stories::shop(), i64::MAX, 10).await.expect("read"),
            plans,
            "the history is there"
        );
        let saved = store.saved().await.expect("read").expect("a state");
        let service = &saved.state.services[&stories::shop()];
        assert_eq!((&service.plan, service.generation(), service.held.as_str()), (&None, 2, ""));
        let lease = store.lease().await.expect("read").expect("a lease");
        assert_eq!(lease.holder, "", "nobody holds it");
        assert!(lease.term > term && lease.term >= NOW.0 / 1_000_000, "above all that ran until now");
        let next = store.claim("me", Micros(0), None).await.expect("asked").expect("free at once");
        assert!(next > lease.term, "even when the clock is behind");
        let newest = store.timeline(i64::MAX, 1).await.expect("read").remove(0);
        assert_eq!(
            (newest.kind, newest.title.as_str()),
            (TimelineKind::Configuration, "Restored from a backup")
        );
        store.close().await;
    }
}

#[tokio::test]
async fn a_backup_is_of_one_moment_while_somebody_writes() {
    for place in Place::both().await {
        let store = place.store().await;
        let (committed, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let writer = tokio::spawn({
            let (store, committed, stop) = (store.clone(), Arc::clone(&committed), Arc::clone(&stop));
            async move {
                let mut sequence = 0;
                while stop.load(Ordering::SeqCst) == 0 {
                    sequence += 1;
                    store.append(&[stories::report("p1", sequence)]).await.expect("a writer is not hindered");
                    committed.store(sequence, Ordering::SeqCst);
                }
            }
        });
        let reaches = async |least: i64| {
            while committed.load(Ordering::SeqCst) < least {
                assert!(!writer.is_finished(), "the writer ended");
                tokio::task::yield_now().await;
            }
        };
        for round in 1..4 {
            reaches(20 * round).await;
            let least = committed.load(Ordering::SeqCst);
            let source = place.source().await.expect("opened");
            let most = committed.load(Ordering::SeqCst) + 1;
            // With the snapshot open, the writer goes on.
            reaches(most + 30).await;
            let content = content(&dump(source).await);
            let numbers = column(&content["report_log"], 2);
            let held = numbers.len() as i64;
            assert!((least..=most).contains(&held), "{held} of {least} to {most}");
            assert_eq!(numbers, (1..=held).collect::<Vec<_>>(), "a prefix, without gaps");
            let seen = Value::Text(format!("[[1,{held}]]"));
            assert!(content["source_seen"][0].contains(&seen), "{:?}", content["source_seen"]);
            assert!(column(&content["log_head"], 1)[0] >= held, "the head is not behind the log");
        }
        stop.store(1, Ordering::SeqCst);
        writer.await.expect("the writer ended well");
        store.close().await;
    }
}

fn column(rows: &[Vec<Value>], place: usize) -> Vec<i64> {
    let mut numbers: Vec<i64> = rows
        .iter()
        .map(|row| if let Value::Integer(number) = row[place] { number } else { panic!("{row:?}") })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn what_is_not_whole_leaves_nothing_behind() {
    let source = Place::folder();
    full(&source, 50).await;
    let archive = source.dump().await;
    let mut changed = archive.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let cut = &archive[..archive.len() - 40];
    for place in Place::both().await {
        let error = place.restore(cut).await.expect_err("cut off");
        assert!(matches!(error, Error::Corrupt(Corrupt::Cut)), "{error}");
        let error = place.restore(&changed).await.expect_err("changed");
        assert!(matches!(error, Error::Corrupt(Corrupt::Damaged(_))), "{error}");
        if let Place::Folder(folder) = &place {
            let left = std::fs::read_dir(folder.path()).expect("read").count();
            assert_eq!(left, 1, "only the lock");
            std::fs::write(folder.path().join("sextant.db.restoring"), "of a killed one").expect("written");
        }
        // The place is as good as new.
        place.restore(&archive).await.expect("restored");
        let error = place.restore(&archive).await.expect_err("something is there now");
        let told = match &place {
            Place::Folder(_) => matches!(error, Error::Exists(_)),
            Place::Postgres { .. } => matches!(error, Error::NotEmpty(_)),
        };
        assert!(told, "{error}");
        assert_eq!(settled(content(&place.dump().await)), settled(content(&archive)));
    }
}

#[tokio::test]
async fn a_place_that_a_collector_uses_is_refused() {
    let source = Place::folder();
    source.store().await.close().await;
    let archive = source.dump().await;
    let [folder, database] = Place::both().await;
    let Place::Folder(path) = &folder else { panic!("a folder") };
    let lock = crate::app::lock_folder(path.path()).expect("locked");
    let error = folder.restore(&archive).await.expect_err("in use");
    assert!(error.to_string().contains("is in use by another collector"), "{error}");
    drop(lock);
    folder.restore(&archive).await.expect("restored");

    let store = database.store().await;
    store.claim("somebody", NOW, None).await.expect("taken");
    let error = database.restore(&archive).await.expect_err("in use");
    assert!(matches!(&error, Error::NotEmpty(table) if table == "lease"), "{error}");
    store.close().await;
}

/// An archive like another one, with changes.
fn altered(
    archive: &[u8],
    schema: i64,
    change: impl Fn(&mut crate::backup::Table, &mut Vec<Vec<Value>>) -> bool,
) -> Vec<u8> {
    let mut archive: Archive<_> = file::open(archive, None).expect("ours");
    let mut header = archive.header().clone();
    header.schema = schema;
    let mut tables = Vec::new();
    while let Some(item) = archive.next_item().expect("sound") {
        match item {
            Item::Table(table) => tables.push((table, Vec::new())),
            Item::Rows(rows) => tables.last_mut().expect("a table").1.extend(rows),
        }
    }
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Out::begin(&mut bytes, None).expect("begun"), header).expect("a header");
    for (mut table, mut rows) in tables {
        if change(&mut table, &mut rows) {
            writer.table(table).expect("a table");
            rows.iter().for_each(|row| writer.row(row).expect("a row"));
        }
    }
    writer.finish().expect("ended").0.finish().expect("flushed");
    bytes
}

#[tokio::test]
async fn archives_that_do_not_fit_are_refused_with_the_reason() {
    let source = Place::folder();
    full(&source, 3).await;
    let archive = source.dump().await;
    let schema = migrate::newest();
    let place = Place::folder();
    let refused = async |bytes: Vec<u8>| place.restore(&bytes).await.expect_err("refused").to_string();

    let said = refused(altered(&archive, schema + 1, |_, _| true)).await;
    assert!(
        said.contains(&format!("schema {}", schema + 1)) && said.contains("that version or a newer"),
        "{said}"
    );
    let said = refused(altered(&archive, schema, |table, _| table.name != "plan")).await;
    assert!(said.contains("tables are missing"), "{said}");
    let said = refused(altered(&archive, schema, |table, _| {
        if table.name == "plan" {
            table.name = "_sqlx_migrations".into();
        }
        true
    }))
    .await;
    assert!(said.contains("_sqlx_migrations") && said.contains("no such table"), "{said}");
    let said = refused(altered(&archive, schema, |table, _| {
        if table.name == "plan" {
            table.columns[0].name = "other".into();
        }
        true
    }))
    .await;
    assert!(said.contains("its columns are others"), "{said}");
    let said = refused(altered(&archive, schema, |table, rows| {
        if table.name == "plan" {
            rows.push(rows[0].clone());
        }
        true
    }))
    .await;
    assert!(said.contains("did not answer as it should"), "a key that comes twice: {said}");
    place.restore(&archive).await.expect("as it was, it fits");
}

#[tokio::test]
async fn what_postgresql_cannot_keep_is_taken_out_and_counted() {
    let source = Place::folder();
    full(&source, 3).await;
    let archive = altered(&source.dump().await, migrate::newest(), |table, rows| {
        if table.name == "revision" {
            rows.iter_mut().flatten().for_each(|value| {
                if let Value::Text(text) = value {
                    text.insert(0, '\0');
                }
            });
        }
        true
    });
    let [folder, database] = Place::both().await;
    assert_eq!(folder.restore(&archive).await.expect("restored").cleaned, 0);
    let count = content(&archive)["revision"].len() as u64;
    assert_eq!(database.restore(&archive).await.expect("restored").cleaned, count);
    let revisions = content(&database.dump().await).remove("revision");
    assert_eq!(revisions, content(&source.dump().await).remove("revision"));
}

#[tokio::test]
async fn a_backup_of_an_older_schema_is_brought_up_to_date() {
    let source = Place::folder();
    let mut conn = {
        let Place::Folder(folder) = &source else { panic!("a folder") };
        Conn::sqlite_new(&folder.path().join("sextant.db")).await.expect("made")
    };
    conn.migrate(2).await.expect("migrated");
    conn.run("INSERT INTO revision (revision, applied, document) VALUES (1, 2, 'a: 1')")
        .await
        .expect("inserted");
    conn.close().await.expect("closed");
    let archive = source.dump().await;
    assert_eq!(file::open(archive.as_slice(), None).expect("ours").header().schema, 2, "it was not migrated");

    for place in Place::both().await {
        let restored = place.restore(&archive).await.expect("restored");
        assert_eq!(restored.schema, migrate::newest());
        let store = place.store().await;
        assert_eq!(store.revise("a: 1", NOW).await.expect("stored"), (1, false), "the document is there");
        store.close().await;
    }
    // Empty, but of a newer schema: the rows of the archive would not get what the migrations do.
    let cluster = Arc::new(Cluster::start());
    let place = Place::database(&cluster, "newer").await;
    place.store().await.close().await;
    let error = place.restore(&archive).await.expect_err("refused");
    assert!(
        matches!(error, Error::OtherSchema { found, wanted: 2 } if found == migrate::newest()),
        "{error}"
    );
    let error = place.restore(&Place::folder_dump().await).await.err();
    assert!(error.is_none(), "empty and of the same schema is as good as new: {error:?}");
}

impl Place {
    async fn folder_dump() -> Vec<u8> {
        let place = Place::folder();
        place.store().await.close().await;
        place.dump().await
    }
}

#[tokio::test]
async fn tables_are_found_in_the_database_and_are_such_as_can_be_kept() {
    let mut found: Vec<BTreeMap<String, Known>> = Vec::new();
    for place in Place::both().await {
        place.store().await.close().await;
        let mut conn = place.conn().await;
        let names = catalogue::names(&mut conn).await.expect("read");
        let ours = catalogue::ours(&mut conn).await.expect("every table can be kept");
        assert_eq!(names.len(), ours.len() + catalogue::BOOKKEEPING.len(), "{names:?}");
        let (sequences, references) = match conn {
            Conn::Sqlite(_) => (
                "SELECT COUNT(*) FROM sqlite_master WHERE name = 'sqlite_sequence'",
                "SELECT COUNT(*) FROM sqlite_master m, pragma_foreign_key_list(m.name) WHERE m.type = 'table'",
            ),
            Conn::Postgres(_) => (
                "SELECT COUNT(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace",
                "SELECT COUNT(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
                 AND connamespace = current_schema()::regnamespace",
            ),
        };
        for (what, sql) in [("counters", sequences), ("foreign keys", references)] {
            let count = conn.all(sql, &[Kind::Integer]).await.expect("read");
            assert_eq!(count, [[Value::Integer(0)]], "a restore knows nothing of {what}");
        }
        // Tables of others are theirs.
        conn.run("CREATE TABLE of_others (a INTEGER)").await.expect("made");
        assert_eq!(catalogue::ours(&mut conn).await.expect("read"), ours);
        conn.close().await.expect("closed");
        found.push(ours);
    }
    let tables = |ours: &BTreeMap<String, Known>| ours.values().map(|k| k.table.clone()).collect::<Vec<_>>();
    assert_eq!(tables(&found[0]), tables(&found[1]), "the same tables and columns on both engines");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_explained() {
    let place = Place::folder();
    let error = place.source().await.expect_err("nothing is there");
    assert!(matches!(error, Error::NoDatabase(_)) && error.to_string().contains("--data"), "{error}");
    let Place::Folder(folder) = &place else { panic!("a folder") };
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0, "nothing was made");
    let mut conn = Conn::sqlite_new(&folder.path().join("sextant.db")).await.expect("made");
    conn.run("CREATE TABLE somebody (a INTEGER)").await.expect("made");
    conn.close().await.expect("closed");
    assert!(matches!(place.source().await.expect_err("another's"), Error::NotOurs));

    let place = Place::folder();
    place.store().await.close().await;
    let mut conn = place.conn().await;
    let newer = migrate::newest() + 1;
    conn.run(&format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ({newer}, 'of tomorrow', TRUE, x'00', 1)"
    ))
    .await
    .expect("inserted");
    let error = place.source().await.expect_err("newer");
    assert!(matches!(error, Error::NewerDatabase { found, .. } if found == newer), "{error}");
    conn.run("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 1").await.expect("updated");
    assert!(matches!(place.source().await.expect_err("half done"), Error::Dirty(1)));
    conn.close().await.expect("closed");

    let error = Source::postgres("postgres://someone:hunter2@127.0.0.1:1/nowhere").await.expect_err("nobody");
    let all = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(!all.contains("hunter2"), "{all}");
}

#[tokio::test]
async fn restored_rows_are_in_the_partitions_that_a_collector_would_make() {
    let source = Place::folder();
    full(&source, 30).await;
    let cluster = Arc::new(Cluster::start());
    let place = Place::database(&cluster, "cut").await;
    place.restore(&source.dump().await).await.expect("restored");
    let mut conn = place.conn().await;
    for table in ["report_log", "evidence", "segment", "rollup"] {
        let sql = format!("SELECT (SELECT COUNT(*) FROM {table}), (SELECT COUNT(*) FROM {table}_rest)");
        let counts = conn.all(&sql, &[Kind::Integer, Kind::Integer]).await.expect("read");
        let [Value::Integer(all), Value::Integer(rest)] = counts[0].as_slice() else { panic!("{counts:?}") };
        assert!(*all >= 30 && *rest == 0, "{table}: {counts:?}");
    }
    // The collector finds its own, and makes what is missing.
    let store = place.store().await;
    let made = store.make_partitions(NOW).await.expect("made");
    assert!(made > 0 && store.make_partitions(NOW).await.expect("made") == 0);
    store.close().await;
}

#[tokio::test]
async fn tables_made_plain_as_the_documentation_says_work_and_are_backed_up() {
    let page = include_str!("../../../../docs/scaling.md");
    let step = page.split("```sql").nth(1).and_then(|rest| rest.split("```").next()).expect("the first step");
    let cluster = Arc::new(Cluster::start());
    let place = Place::database(&cluster, "plain").await;
    full(&place, 30).await;
    let before = content(&place.dump().await);
    let mut conn = place.conn().await;
    for table in ["report_log", "evidence", "segment", "rollup", "rollup_day"] {
        conn.run(&step.replace("segment", table)).await.expect("it runs as it stands there");
    }
    assert_eq!(content(&place.dump().await), before);
    let store = place.store().await;
    assert_eq!(store.make_partitions(NOW).await.expect("asked"), 0, "there is nothing to make");
    store.append(&[stories::report("p9", 1)]).await.expect("stored");
    store.close().await;
    assert_eq!(content(&place.dump().await)["report_log"].len(), before["report_log"].len() + 1);
    let moved = Place::folder();
    moved.restore(&place.dump().await).await.expect("the way back");
}
