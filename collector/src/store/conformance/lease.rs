//! Who decides, on both engines.

use super::{
    Engine,
    stories::{T0, commit},
    until,
};
use crate::{
    decide::State,
    store::{Error, Store},
};
use wire::Micros;

#[tokio::test]
async fn a_lease_has_one_holder_and_its_terms_grow() {
    for engine in Engine::both() {
        let (one, other) = (engine.open().await, engine.open().await);
        assert_eq!(one.lease().await.expect("read"), None);
        let first = one.claim("one", T0, None).await.expect("asked").expect("free");
        assert!(first >= T0.0 / 1_000_000, "a term is at least the time");
        assert!(one.renew(first).await.expect("asked"));
        let lease = one.lease().await.expect("read").expect("there");
        assert_eq!((lease.term, lease.holder.as_str()), (first, "one"));

        if let Engine::Postgres(_) = engine {
            assert_eq!(other.claim("other", T0, None).await.expect("asked"), None, "it is held");
        }
        one.release(first).await.expect("released");
        // Even a clock that is years behind gets a higher term.
        let second = other.claim("other", Micros(0), None).await.expect("asked").expect("it was released");
        assert!(second > first);
        assert!(!one.renew(first).await.expect("asked"), "another has it");
        one.release(first).await.expect("nothing happens");
        assert!(other.renew(second).await.expect("asked"));
        let fenced = one.commit(&commit(first, 0, &State::default())).await;
        assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
        other.commit(&commit(second, 0, &State::default())).await.expect("in force");
        one.close().await;
        other.close().await;
    }
}

#[tokio::test]
async fn a_lease_runs_out_by_the_databases_clock() {
    let engine = Engine::postgres();
    let (one, other) = (engine.open().await, engine.open().await);
    // The first holder's clock is a year ahead.
    let first = one.claim("one", T0.plus_us(31_536_000_000_000), None).await.expect("asked").expect("free");
    let begun = std::time::Instant::now();
    let mut second = None;
    while second.is_none() {
        second = other.claim("other", T0, None).await.expect("asked");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= std::time::Duration::from_secs(3), "not before it ran out");
    assert!(second > Some(first));
    assert!(!one.renew(first).await.expect("asked"));
}

/// A fenced transaction that is open when the lease runs out ends before the lease changes hands.
#[tokio::test]
async fn a_transaction_of_the_holder_is_never_overtaken() {
    let engine = Engine::postgres();
    let (one, other) = (engine.open().await, engine.open().await);
    let first = one.claim("one", T0, None).await.expect("asked").expect("free");
    let hanging = one.hang_fenced(first).await;
    engine.cluster().query("UPDATE lease SET renewed = 0");
    assert_eq!(other.claim("other", T0, None).await.expect("does not wait"), None, "a transaction is open");
    assert!(one.renew(first).await.expect("not held up"));
    engine.cluster().query("UPDATE lease SET renewed = 0");
    drop(hanging);
    until("the lease is free", async || other.claim("other", T0, None).await.expect("asked").is_some()).await;
}

/// As after SIGSTOP: the holder stands still inside a transaction, and the server ends it.
#[tokio::test]
async fn a_holder_that_stands_still_inside_a_transaction_loses_its_locks() {
    let engine = Engine::postgres();
    let (one, other) = (engine.open().await, engine.open().await);
    let first = one.claim("one", T0, None).await.expect("asked").expect("free");
    let hanging = one.hang_fenced(first).await;
    until("the lease changed hands", async || other.claim("other", T0, None).await.expect("asked").is_some())
        .await;
    hanging.finish(Ok(())).await.expect_err("it can commit nothing any more");
    assert!(matches!(one.commit(&commit(first, 0, &State::default())).await, Err(Error::Fenced { .. })));
}

/// Many at once: one gets it.
#[tokio::test]
async fn one_of_many_claims_succeeds() {
    let engine = Engine::postgres();
    let mut stores: Vec<Store> = Vec::new();
    for _ in 0..4 {
        stores.push(engine.open().await);
    }
    let claims = stores.iter().enumerate().map(|(number, store)| async move {
        store.claim(&format!("number {number}"), T0, None).await.expect("asked")
    });
    let terms: Vec<i64> = futures_util::future::join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(terms.len(), 1, "{terms:?}");
}

/// Whoever gave up its own term, because its database was away, need not wait for the lease to run out.
#[tokio::test]
async fn the_last_holder_has_it_back_at_once_and_nobody_else() {
    let engine = Engine::postgres();
    let (one, other) = (engine.open().await, engine.open().await);
    let first = one.claim("one", T0, None).await.expect("asked").expect("free");
    let second = one.claim("one", T0, Some(first)).await.expect("asked").expect("its own");
    assert!(second > first);
    assert!(!one.renew(first).await.expect("asked"), "what was begun under the term before is void");
    for (store, own) in [(&other, None), (&other, Some(first)), (&one, Some(first))] {
        assert_eq!(store.claim("any", T0, own).await.expect("asked"), None, "{own:?} is not the newest");
    }
}
