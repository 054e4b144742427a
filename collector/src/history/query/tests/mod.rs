//! Answers compared with a plain count over all rows, on both engines, whatever of them is sealed.

mod naive;
mod paging;
mod stories;
pub(crate) mod world;

use crate::store::conformance::Engine;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

/// How many worlds are tried on each engine.
const WORLDS: u32 = 24;

#[test]
fn an_answer_is_what_a_plain_count_over_all_rows_gives() {
    for engine in Engine::both() {
        let runtime = Runtime::new().expect("threads");
        let store = runtime.block_on(engine.open());
        let place = world::Place::new(store, &runtime);
        let config = Config { cases: WORLDS, failure_persistence: None, ..Config::default() };
        let done = TestRunner::new(config)
            .run(&world::worlds(), |world| runtime.block_on(naive::check(&place, &world)));
        runtime.block_on(place.store.close());
        done.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn pages_of_runs_are_all_runs_newest_first() {
    for engine in Engine::both() {
        let runtime = Runtime::new().expect("threads");
        let store = runtime.block_on(engine.open());
        let place = world::Place::new(store, &runtime);
        let config = Config { cases: WORLDS, failure_persistence: None, ..Config::default() };
        let done = TestRunner::new(config)
            .run(&world::worlds(), |world| runtime.block_on(paging::check(&place, &world)));
        runtime.block_on(place.store.close());
        done.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_sealed_while_it_is_asked_for_counts_once() {
    for engine in Engine::both() {
        stories::sealed_meanwhile(engine.open().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_single_runs_are_gone_the_roll_ups_of_whole_hours_answer() {
    for engine in Engine::both() {
        stories::single_runs_gone(engine.open().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_with_what_to_do() {
    stories::too_much(Engine::sqlite().open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_left_out_and_said() {
    stories::damaged(Engine::sqlite().open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_what_is_packed_is_damaged_the_rows_answer() {
    for engine in Engine::both() {
        stories::packed_damaged(engine.open().await).await;
    }
}
