//! History: counts, availability and latencies over a range, and single runs.

use super::{
    Rejected,
    params::{Known, Params},
    select::{self, number, page, part, wrong},
};
use crate::{
    App,
    history::query::{Cursor, Question, Refused, SamplesAsked, selector::Grouping},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use wire::{
    history::{History, SampleView},
    view::Page,
};

/// The most buckets in a group when nothing is said.
const BUCKETS: u32 = 96;
/// The most buckets in a group.
const BUCKETS_MOST: u32 = 1_000;
/// The most further quantiles.
const QUANTILES_MOST: usize = 10;

/// The parameters of a question; lists are separated by commas.
#[derive(Debug, Default, Deserialize)]
pub struct HistoryAsked {
    #[serde(flatten)]
    which: select::Asked,
    part: Option<String>,
    group: Option<String>,
    buckets: Option<String>,
    quantiles: Option<String>,
}

impl Known for HistoryAsked {
    const NAMES: &'static [&'static str] =
        &["check", "service", "probe", "target", "part", "group", "from", "to", "buckets", "quantiles"];
}

/// `GET /api/v1/history?check=&service=&probe=&target=&part=&group=&from=&to=&buckets=&quantiles=`
///
/// # Errors
/// 400 for a bad query or one that asks for too much, 404 for a name that nothing has, 503 when the database does not
/// answer.
pub async fn history(
    State(app): State<App>,
    Params(asked): Params<HistoryAsked>,
) -> Result<Json<History>, Rejected> {
    let now = app.clock.now();
    let grouping = grouping(asked.group.as_deref())?;
    let (from, to) = asked.which.range(now)?;
    let buckets = number("buckets", asked.buckets.as_deref(), 1..=BUCKETS_MOST, BUCKETS)?;
    let quantiles = quantiles(asked.quantiles.as_deref())?;
    let part = part(asked.part.as_deref(), grouping.part)?;
    let selector = asked.which.select(&app, part).await?;
    let question = Question { selector, grouping, from, to, buckets, quantiles };
    Ok(Json(app.queries.history(question, now).await?))
}

fn grouping(text: Option<&str>) -> Result<Grouping, Rejected> {
    let mut grouping = Grouping::default();
    for word in text.into_iter().flat_map(|text| text.split(',')) {
        match word.trim() {
            "check" => grouping.check = true,
            "vantage" => grouping.vantage = true,
            "probe" => grouping.probe = true,
            "target" => grouping.target = true,
            "part" => grouping.part = true,
            other => {
                let known = "check, vantage, probe, target and part";
                return Err(wrong(format!("group: {other:?} is not known; groups are made of {known}")));
            }
        }
    }
    Ok(grouping)
}

fn quantiles(text: Option<&str>) -> Result<Vec<(String, f64)>, Rejected> {
    let words: Vec<&str> = text.into_iter().flat_map(|text| text.split(',')).map(str::trim).collect();
    if words.len() > QUANTILES_MOST {
        return Err(wrong(format!("quantiles are {}; at most {QUANTILES_MOST} are told", words.len())));
    }
    let one = |word: &str| {
        let number: Option<f64> = word.parse().ok().filter(|q| (0.0..=1.0).contains(q));
        let number = number
            .ok_or_else(|| wrong(format!("quantiles: {word:?} is not a number from 0 to 1, such as 0.95")))?;
        Ok((word.to_owned(), number))
    };
    words.into_iter().map(one).collect()
}

/// The parameters of a list of runs.
#[derive(Debug, Default, Deserialize)]
pub struct RunsAsked {
    #[serde(flatten)]
    which: select::Asked,
    part: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl Known for RunsAsked {
    const NAMES: &'static [&'static str] =
        &["check", "service", "probe", "target", "part", "from", "to", "limit", "cursor"];
}

/// `GET /api/v1/samples?check=&service=&probe=&target=&part=&from=&to=&limit=&cursor=`, newest first.
///
/// # Errors
/// 400 for a bad query, 404 for a name that nothing has, 503 when the database does not answer.
pub async fn samples(
    State(app): State<App>,
    Params(asked): Params<RunsAsked>,
) -> Result<Json<Page<SampleView>>, Rejected> {
    let (from, to) = asked.which.range(app.clock.now())?;
    let limit = page(asked.limit.as_deref())?;
    if !asked.which.names_checks() {
        return Err(wrong("name a check or a service: `check=` or `service=` is missing"));
    }
    let cursor = asked.cursor.map(|cursor| cursor.parse::<Cursor>()).transpose();
    let after = cursor.map_err(|_| wrong("cursor must be the `next_cursor` of the page before"))?;
    let selector = asked.which.select(&app, part(asked.part.as_deref(), false)?).await?;
    let (items, next) = app.queries.samples(SamplesAsked { selector, from, to, limit, after }).await?;
    Ok(Json(Page { items, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Rejected {
        match refused {
            Refused::TooMuch(detail) => Rejected::new(400, "too-much", "The question is too large", detail),
            Refused::Store(error) => error.into(),
            Refused::Broken(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an answer could not be made");
                let detail = "this is a mistake in Sextant; please report it with the collector's log";
                Rejected::new(500, "internal", "The request failed", detail)
            }
        }
    }
}
