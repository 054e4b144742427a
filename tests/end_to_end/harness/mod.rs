//! Starts a whole Sextant as real processes, breaks things, and waits for facts.
//!
//! Read [`world`] first: it puts the others together. [`process`] is a child that dies with its test, [`shop`] a
//! region's server as a process of its own, [`entrance`] the public entrance and webhook receiver (written anew
//! here, so that the product's own lab is not its only judge), [`api`] the REST client, [`story`] the timeline,
//! [`database`] and [`seat`] where collectors keep everything and sit, [`witness`] somebody who reports and remembers,
//! [`sealing`] what collectors say of their sealing and merging, [`steps`] what every outage goes through, and [`ending`] with [`ledger`] how everything stops and what is on the disks then. Nothing waits by sleeping: [`eventually`] waits for a condition.

pub mod api;
pub mod audit;
pub mod config;
pub mod database;
pub mod ending;
pub mod entrance;
pub mod ledger;
pub mod next;
pub mod port;
pub mod process;
pub mod sealing;
pub mod seat;
pub mod shop;
pub mod steps;
pub mod story;
pub mod volume;
pub mod witness;
pub mod world;

pub use process::{Process, sextant};
pub use world::{Setup, World};

use std::time::{Duration, Instant};

/// How long to wait for what normally takes seconds. Generous, because machines that run tests are slow and shared;
/// a test that passes never waits that long.
pub const LONG: Duration = Duration::from_secs(90);
/// How long between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until it is `Ok`, and returns what it found. An error says what is still missing.
///
/// # Panics
/// When the limit has passed; the message has the last error.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<T>,
) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(missing) if begin.elapsed() > limit => {
                panic!("waited {limit:?} in vain until {what}: {missing:#}")
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Looks again and again for as long as `span`, because what must *not* happen can only be watched for.
///
/// # Panics
/// At the first error.
pub async fn throughout(what: &str, span: Duration, mut look: impl AsyncFnMut() -> anyhow::Result<()>) {
    let begin = Instant::now();
    while begin.elapsed() < span {
        if let Err(seen) = look().await {
            panic!("{what} did not hold for {span:?}: {seen:#}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
