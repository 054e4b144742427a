//! Pages of single runs: together they are all runs, each once, newest first.

use super::world::{Place, World, heads};
use crate::history::{
    SeriesKey,
    query::{Cursor, Queries, SamplesAsked},
};
use proptest::prelude::*;
use series::Row;
use wire::Micros;

pub async fn check(place: &Place, world: &World) -> Result<(), TestCaseError> {
    let names = [place.name(), place.name(), place.name()];
    let logged = world.tell(place, &names).await;
    let whole = pages(world, &place.queries(heads(logged.clone())), &names, &logged).await?;
    prop_assert!(
        whole.iter().rev().skip(1).all(|page| *page == world.limit),
        "only the last page is not full"
    );
    // Pages that end early are together the same.
    for rows_most in [1, 20] {
        pages(world, &place.queries(heads(logged.clone())).reading_most(rows_most), &names, &logged).await?;
    }
    Ok(())
}

/// Reads all pages, compares them with all runs, and says how many are on each.
async fn pages(
    world: &World,
    queries: &Queries,
    names: &[String],
    logged: &[(i64, SeriesKey, Row)],
) -> Result<Vec<usize>, TestCaseError> {
    let selector = world.selector(names);

    let mut expected: Vec<_> = logged
        .iter()
        .filter(|(_, key, row)| selector.takes(key.as_ref()) && (world.from..world.to).contains(&row.at))
        .map(|(_, key, row)| {
            let key = (key.check.clone(), key.probe.clone(), key.target.clone(), key.part.clone());
            (Micros(row.at), key, row.total_us, row.outcome)
        })
        .collect();
    let (mut found, mut pages) = (Vec::new(), Vec::new());
    let mut after: Option<Cursor> = None;
    loop {
        let (from, to, limit) = (world.from, world.to, world.limit);
        let asked = SamplesAsked { selector: selector.clone(), from, to, limit, after };
        let (page, next) = queries.samples(asked).await.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(page.len() <= limit);
        if let (Some(last), Some(next)) = (after, next) {
            let place = |cursor: Cursor| (std::cmp::Reverse(cursor.at), cursor.given);
            prop_assert!(place(next) > place(last), "each page gets on");
        }
        pages.push(page.len());
        found.extend(page.into_iter().map(|run| {
            let key = (run.check.to_string(), run.probe.to_string(), run.target.to_string(), run.part);
            (run.at, key, run.total_us, run.outcome)
        }));
        // As it comes back from whoever asks.
        after = next.map(|cursor| cursor.to_string().parse().expect("it is read as it was written"));
        prop_assert!(found.len() <= expected.len(), "nothing comes twice");
        if after.is_none() {
            break;
        }
    }
    prop_assert!(found.is_sorted_by(|a, b| a.0 >= b.0), "newest first");
    let sorted = |list: &mut Vec<_>| list.sort_by_key(|entry| format!("{entry:?}"));
    sorted(&mut found);
    sorted(&mut expected);
    prop_assert_eq!(found, expected);
    Ok(pages)
}
