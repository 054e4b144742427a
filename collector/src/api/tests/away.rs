//! A database that is away: nobody waits long for an answer that says so.

use super::running::Running;
use std::time::{Duration, Instant};
use test_postgres::Cluster;

/// How long a balancer waits for `/readyz`.
const BALANCER: Duration = Duration::from_secs(1);
/// How long a person waits for a page: what a caller waits for a connection, and some of it for a busy machine.
const PERSON: Duration = Duration::from_secs(4);
/// The path of `/readyz`, from that of the API.
const READY: &str = "../../readyz";

/// Asks until the status is as wanted, a minute at most. Says the longest that one answer took.
async fn until(collector: &Running, status: u16) -> Duration {
    let end = Instant::now() + Duration::from_secs(60);
    let mut longest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let found = collector.get(READY).await.status();
        longest = longest.max(asked.elapsed());
        if found == status {
            return longest;
        }
        assert!(Instant::now() < end, "/readyz still answers {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_a_database_that_is_away() {
    let mut cluster = Cluster::start();
    let collector = Running::start_on(Running::folder(), Some(cluster.url())).await;
    until(&collector, 200).await;
    cluster.kill();
    for path in ["history?check=health", "overview", "timeline", "evidence", "history?check=health"] {
        let asked = Instant::now();
        let (longest, answer) = tokio::join!(until(&collector, 503), collector.get(path));
        assert!(asked.elapsed() < PERSON, "{path}: {:?}", asked.elapsed());
        assert!(longest < BALANCER, "/readyz took {longest:?}");
        assert_eq!(answer.status(), 503, "{path}");
        let kind = answer.headers()[http::header::CONTENT_TYPE].to_str().expect("a text").to_owned();
        assert_eq!(kind, wire::problem::MEDIA_TYPE);
    }
    cluster.restart();
    assert!(until(&collector, 200).await < BALANCER);
    collector.json("overview").await;
    collector.stop().await;
}
