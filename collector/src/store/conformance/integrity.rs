//! What a start finds out about the database.

use super::{
    Engine,
    stories::{T0, commit, report},
};
use crate::{
    decide::State,
    store::{Error, Health, Store},
};
use std::{
    fs,
    io::{Seek, SeekFrom, Write},
};

#[tokio::test]
async fn a_file_that_is_no_database_is_explained() {
    let engine = Engine::sqlite();
    fs::write(engine.file(), vec![0x5a; 65_536]).expect("written");
    let error = Store::open(engine.options()).await.expect_err("no database");
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("sextant.db") && text.contains("restore the newest backup"), "{text}");
}

#[tokio::test]
async fn a_log_that_is_shorter_than_what_was_made_of_it_is_refused() {
    for engine in Engine::both() {
        let store = engine.open().await;
        store.append(&[report("p1", 1), report("p1", 2)]).await.expect("stored");
        let term = store.claim("me", T0, None).await.expect("asked").expect("free");
        store.commit(&commit(term, 2, &State::default())).await.expect("committed");
        store.shorten_log(1).await;
        store.close().await;
        let error = Store::open(engine.options()).await.expect_err("shorter");
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("the log counts to 1"), "{error}");
    }
}

#[tokio::test]
async fn after_an_unclean_end_all_pages_are_read() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    for sequence in 1..200 {
        store.append(&[report("p1", sequence)]).await.expect("stored");
    }
    let page = store.root_page("delivery_plan").await;
    store.close().await;
    // An end in order: nothing is read, whatever the file holds.
    let whole = fs::read(engine.file()).expect("read");
    damage(&engine, page);
    let store = Store::open(engine.options()).await.expect("the pages at the beginning are sound");
    store.check_pages().await;
    assert_eq!(*store.health().borrow(), Health::Ok);
    // Without closing: as after a power cut, the log of writes is left.
    store.append(&[report("p2", 1)]).await.expect("stored");
    let left = engine.file().with_extension("db-wal");
    let log = fs::read(&left).expect("there is one");
    store.close().await;
    fs::write(&left, &log).expect("written");

    let store = Store::open(engine.options()).await.expect("opens");
    store.check_pages().await;
    let health = store.health().borrow().clone();
    let degraded = health.degraded().expect("the damage was found");
    assert!(degraded.what.contains("damaged") && degraded.writes, "{degraded:?}");
    store.append(&[report("p2", 2)]).await.expect("it goes on as long as it can");
    assert_eq!(store.health().borrow().clone(), health, "a commit does not mend it");
    store.close().await;

    // The same with a sound file.
    fs::write(engine.file(), whole).expect("written");
    fs::write(&left, &log).expect("written");
    let store = Store::open(engine.options()).await.expect("opens");
    store.check_pages().await;
    assert_eq!(*store.health().borrow(), Health::Ok);
    store.close().await;
}

/// Overwrites a page, counted from 1.
fn damage(engine: &Engine, page: u64) {
    let mut file = fs::OpenOptions::new().write(true).open(engine.file()).expect("opens");
    file.seek(SeekFrom::Start((page - 1) * 4096)).expect("there");
    file.write_all(&[0xff; 4096]).expect("written");
}
