//! Single cases: sealing in the middle of a question, expired runs, limits, damage.

use super::world::{Place, T0, heads, key, row};
use crate::{
    history::query::{
        CELLS_MOST, Heads, Question, Refused,
        selector::{Grouping, Selector},
    },
    store::Store,
};
use series::HOUR_US;
use std::{collections::BTreeSet, sync::Arc};
use tokio::runtime::Handle;
use wire::{Micros, history::Resolution, sample::Outcome};

fn question(check: &str, from: i64, to: i64, buckets: u32) -> Question {
    let selector = Selector { checks: BTreeSet::from([check.to_owned()]), ..Selector::default() };
    Question { selector, grouping: Grouping::default(), from, to, buckets, quantiles: Vec::new() }
}

const LATER: Micros = Micros(T0 + 1_000 * HOUR_US);

/// Rows of one series, one a minute, from [`T0`] on.
fn minutes(check: &str, count: i64) -> Vec<(crate::history::SeriesKey, series::Row)> {
    let one = |minute: i64| (key(check, "p", "a", ""), row(T0 + minute * 60_000_000, Outcome::Ok, 1_000));
    (0..count).map(one).collect()
}

/// The rows are copied, then sealed, and only then the database is read.
pub async fn sealed_meanwhile(store: Store) {
    let place = Arc::new(Place::open(store).await);
    let logged = place.log(&minutes("home", 90));
    let (first, rest) = (logged[..40].to_vec(), logged[40..].to_vec());
    place.seal(&first, true).await;
    let (copy, sealing, handle) = (heads(logged.clone()), Arc::clone(&place), Handle::current());
    let copying: Heads = Arc::new(move |selector, range| {
        let copied = copy(selector, range);
        // The thread that asks waits in the runtime already.
        let seal = || handle.block_on(sealing.seal(&rest, true));
        std::thread::scope(|scope| scope.spawn(seal).join()).expect("sealed");
        copied
    });
    for buckets in [1, 96] {
        // The second time it is sealed already; its rows may still be in memory.
        let queries = place.queries(if buckets == 1 { Arc::clone(&copying) } else { heads(logged.clone()) });
        let answer = queries.history(question("home", T0, T0 + 2 * HOUR_US, buckets), LATER).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.groups[0].whole.runs, 90);
        let sum: u64 = answer.groups[0].buckets.iter().map(|bucket| bucket.stats.runs).sum();
        assert_eq!(sum, 90);
    }
    // Without the rows in memory nothing is missing either.
    let queries = place.queries(heads(Vec::new()));
    let answer = queries.history(question("home", T0, T0 + 2 * HOUR_US, 96), LATER);
    assert_eq!(answer.await.expect("an answer").groups[0].whole.runs, 90);
    place.store.close().await;
}

/// Only roll-ups are left of the first hours.
pub async fn single_runs_gone(store: Store) {
    let place = Place::open(store).await;
    let old = place.log(&minutes("home", 180));
    place.seal(&old, false).await;
    let mut newer = minutes("home", 180);
    newer.iter_mut().for_each(|(_, row)| row.at += 24 * HOUR_US);
    let newer = place.log(&newer);
    place.seal(&newer, true).await;
    let queries = place.queries(heads(Vec::new()));
    let half = HOUR_US / 2;

    let recent =
        queries.history(question("home", T0 + 24 * HOUR_US + half, T0 + 26 * HOUR_US, 96), LATER).await;
    let recent = recent.expect("an answer");
    assert_eq!((recent.resolution, recent.groups[0].whole.runs), (Resolution::Raw, 90));

    // A week and more is of whole hours anyway.
    let week = question("home", T0 + 23 * HOUR_US + half, T0 + 191 * HOUR_US + half, 24);
    let week = queries.history(week, LATER).await.expect("an answer");
    assert_eq!((week.from.0, week.to.0), (T0 + 23 * HOUR_US, T0 + 192 * HOUR_US));
    assert_eq!((week.resolution, week.groups[0].whole.runs), (Resolution::Hourly, 180));

    let asked = question("home", T0 + half, T0 + 2 * HOUR_US + half, 96);
    let whole = queries.history(asked, LATER).await.expect("an answer");
    assert_eq!(whole.resolution, Resolution::Hourly);
    assert_eq!((whole.from.0, whole.to.0), (T0, T0 + 3 * HOUR_US), "widened, and it says so");
    assert_eq!(whole.groups[0].whole.runs, 180);
    place.store.close().await;
}

/// More groups and buckets, or more roll-ups, than an answer may have.
pub async fn too_much(store: Store) {
    let place = Place::open(store).await;
    let many: Vec<_> = (0..60)
        .map(|n| (key("home", &format!("p{n}"), "a", ""), row(T0 + n * 1_000_000, Outcome::Ok, 1_000)))
        .collect();
    let logged = place.log(&many);
    place.seal(&logged, true).await;
    let queries = place.queries(heads(Vec::new()));
    let by_probe = Grouping { probe: true, ..Grouping::default() };
    let wide = Question { grouping: by_probe, ..question("home", T0, T0 + HOUR_US, 1_000) };
    let refused = queries.history(wide.clone(), LATER).await;
    let enough = 60 * 720 <= CELLS_MOST;
    assert!(enough && refused.is_ok(), "an hour in 720 buckets of 5 s is not too much");
    let finer = Question { buckets: 3_600, ..wide };
    let text = words(queries.history(finer, LATER).await.expect_err("216,000 buckets are too many"));
    assert!(text.contains("60 groups of 3600 buckets") && text.contains("fewer buckets"), "{text}");

    let ages = question("home", 0, T0, 10);
    let text = words(queries.history(ages, LATER).await.expect_err("57 years by 60 series"));
    assert!(text.contains("60 series over") && text.contains("shorten the range"), "{text}");
    place.store.close().await;
}

fn words(refused: Refused) -> String {
    match refused {
        Refused::TooMuch(text) => text,
        other => panic!("{other}"),
    }
}

/// A segment whose bytes changed.
pub async fn damaged(store: Store) {
    let place = Place::open(store).await;
    let logged = place.log(&minutes("home", 100));
    place.seal(&logged[..60], true).await;
    place.seal(&logged[60..], true).await;
    place.store.damage_newest_segment().await.expect("written");
    let queries = place.queries(heads(Vec::new()));
    let answer = queries.history(question("home", T0, T0 + 2 * HOUR_US, 96), LATER).await.expect("an answer");
    assert_eq!((answer.damaged, answer.groups[0].whole.runs), (1, 60));
    place.store.close().await;
}

/// The rows are the truth, and what is packed of them is only quicker.
pub async fn packed_damaged(store: Store) {
    let place = Place::open(store).await;
    let logged = place.log(&minutes("home", 60 * 30));
    place.seal(&logged, true).await;
    let queries = place.queries(heads(Vec::new()));
    // By hours, and by whole days.
    let hours = question("home", T0 + 20 * HOUR_US, T0 + 28 * HOUR_US, 8);
    let days = question("home", T0, T0 + 48 * HOUR_US, 2);
    for rows_too in [false, true] {
        place.store.damage_packed("home", rows_too).await.expect("written");
        for (asked, runs, rows) in [(&hours, 8 * 60, 8), (&days, 30 * 60, 30)] {
            let answer = queries.history(asked.clone(), LATER).await.expect("an answer");
            assert_eq!(answer.resolution, Resolution::Hourly);
            if rows_too {
                assert_eq!(answer.damaged, rows, "each that cannot be read");
            } else {
                assert_eq!((answer.damaged, answer.groups[0].whole.runs), (0, runs));
            }
        }
    }
    place.store.close().await;
}
