//! Collectors wake each other.

use super::Engine;
use crate::store::{
    Channel, Error, Notice, Reaction,
    db::write,
    notify::{MAX_PAYLOAD, Tell},
};
use std::time::Duration;
use tokio::time::timeout;

async fn next(notices: &mut crate::store::Notices) -> Notice {
    timeout(Duration::from_secs(60), notices.next()).await.expect("a notice")
}

#[tokio::test]
async fn what_is_told_is_heard_by_all_after_the_commit() {
    let engine = Engine::postgres();
    let (one, other) = (engine.open().await, engine.open().await);
    let (mut here, mut there) = (one.listen().await, other.listen().await);
    one.notify(Channel::Log, "").await.expect("told");
    one.notify(Channel::Confirm, "{\"check\":\"a’b\"}").await.expect("told");
    other.notify(Channel::Decided, "").await.expect("told");
    for notices in [&mut here, &mut there] {
        let heard = [next(notices).await, next(notices).await, next(notices).await];
        assert_eq!(heard, [Notice::Appended, Notice::Confirm("{\"check\":\"a’b\"}".into()), Notice::Decided]);
    }

    async fn undone(store: &crate::store::Store) -> Result<(), Error> {
        write!(store, tx => {
            tx.tell(Channel::Log, "").await?;
            sqlx::query("SELECT 1 / 0").execute(&mut *tx).await?;
        });
        Ok(())
    }
    undone(&one).await.expect_err("divided by nought");
    one.notify(Channel::Decided, "").await.expect("told");
    assert_eq!(next(&mut there).await, Notice::Decided, "what was rolled back is not told");

    let long = "x".repeat(MAX_PAYLOAD);
    let error = one.notify(Channel::Confirm, &long).await.expect_err("too long");
    assert!(matches!(error, Error::TooLong { bytes: MAX_PAYLOAD }), "{error}");
    assert_eq!(error.reaction(), Reaction::Refuse);
    one.notify(Channel::Confirm, &long[1..]).await.expect("the longest");
    assert_eq!(next(&mut there).await, Notice::Confirm(long[1..].into()));
}

#[tokio::test]
async fn a_listener_that_is_cut_off_says_so_and_hears_again() {
    let mut engine = Engine::postgres();
    let store = engine.open().await;
    let mut notices = store.listen().await;
    engine.cluster().query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sextant %'",
    );
    assert_eq!(next(&mut notices).await, Notice::Reconnected);
    store.notify(Channel::Log, "").await.expect("told");
    assert_eq!(next(&mut notices).await, Notice::Appended);

    engine.cluster_mut().stop();
    let quiet = timeout(Duration::from_millis(300), notices.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    engine.cluster_mut().restart();
    assert_eq!(next(&mut notices).await, Notice::Reconnected);
    store.notify(Channel::Log, "").await.expect("told");
    assert_eq!(next(&mut notices).await, Notice::Appended);
    // It does not hold up the end.
    timeout(Duration::from_secs(60), store.close()).await.expect("closed while somebody listens");
}

#[tokio::test]
async fn on_sqlite_nothing_is_told() {
    let engine = Engine::sqlite();
    let store = engine.open().await;
    let mut notices = store.listen().await;
    store.notify(Channel::Log, "").await.expect("no matter");
    assert!(timeout(Duration::from_millis(50), notices.next()).await.is_err());
}
