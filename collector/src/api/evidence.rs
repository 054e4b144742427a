//! Evidence: what is kept of failing and slow runs for a person to read.

use super::{
    Rejected,
    params::{Known, Params},
    select::{self, list, page, wrong},
};
use crate::{
    App,
    history::query::selector::Part,
    store::{EvidenceAsked, Order, StoredEvidence},
};
use axum::{Json, extract::State};
use serde::{Deserialize, de::value::StrDeserializer};
use wire::{
    Micros,
    history::EvidenceView,
    sample::{FailClass, Outcome},
    view::Page,
};

/// The word for runs that were only slow.
const SLOW: &str = "slow";

/// The parameters of a list of evidence; lists are separated by commas.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    which: select::Asked,
    class: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl Known for Asked {
    const NAMES: &'static [&'static str] =
        &["check", "service", "probe", "target", "class", "from", "to", "limit", "cursor"];
}

/// `GET /api/v1/evidence?check=&service=&probe=&target=&class=&from=&to=&limit=&cursor=`, newest first.
///
/// # Errors
/// 400 for a bad query, 404 for a name that nothing has, 503 when the database does not answer.
pub async fn evidence(
    State(app): State<App>,
    Params(asked): Params<Asked>,
) -> Result<Json<Page<EvidenceView>>, Rejected> {
    let at = asked.which.range(app.clock.now())?;
    let limit = page(asked.limit.as_deref())?;
    let outcomes = classes(asked.class.as_deref())?;
    let after = asked.cursor.as_deref().map(|cursor| {
        read_cursor(cursor).ok_or_else(|| wrong("cursor must be the `next_cursor` of the page before"))
    });
    let after = after.transpose()?;
    let selector = asked.which.select(&app, Part::Whole).await?;
    let everything = !asked.which.names_checks();
    if selector.checks.is_empty() {
        return Ok(Json(Page { items: Vec::new(), next_cursor: None }));
    }
    let asked = EvidenceAsked {
        checks: if everything { Vec::new() } else { selector.check_names() },
        probes: selector.probes.into_iter().collect(),
        targets: selector.targets.into_iter().collect(),
        outcomes,
        at,
        after,
        limit: limit as i64,
        order: Order::NewestFirst,
    };
    let rows = app.store.evidence(&asked).await?;
    let last = rows.last().filter(|_| rows.len() == limit);
    let next_cursor = last.map(|row| format!("{}.{}.{}", row.at, row.position, row.ordinal));
    Ok(Json(Page { items: rows.into_iter().filter_map(view).collect(), next_cursor }))
}

/// The classes by their stored words.
fn classes(text: Option<&str>) -> Result<Vec<String>, Rejected> {
    let words: Vec<String> = list("class", text)?;
    let one = |word: String| match word.as_str() {
        SLOW => Ok("ok".to_owned()),
        text if class(text).is_some() => Ok(word),
        other => {
            let known: Vec<String> = series::FAIL_CLASSES.iter().map(FailClass::to_string).collect();
            Err(wrong(format!("class: {other:?} is not one of {} and {SLOW}", known.join(", "))))
        }
    };
    words.into_iter().map(one).collect()
}

fn class(word: &str) -> Option<FailClass> {
    FailClass::deserialize(StrDeserializer::<serde::de::value::Error>::new(word)).ok()
}

fn read_cursor(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.splitn(3, '.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// Evidence for people; absent when its names are not ours.
fn view(stored: StoredEvidence) -> Option<EvidenceView> {
    let outcome = match stored.outcome.as_str() {
        "ok" => Outcome::Ok,
        word => Outcome::Fail(class(word)?),
    };
    Some(EvidenceView {
        check: stored.check_id.parse().ok()?,
        probe: stored.probe.parse().ok()?,
        target: stored.target.parse().ok()?,
        at: Micros(stored.at),
        received: Micros(stored.received),
        outcome,
        slow: stored.slow,
        total_us: u32::try_from(stored.total_us).ok()?,
        status: stored.status.and_then(|status| u16::try_from(status).ok()),
        step: stored.step,
        summary: stored.summary,
        excerpt: stored.excerpt,
        address: stored.address,
        served_by: stored.served_by,
        trace_id: stored.trace_id,
        withheld: stored.withheld.and_then(|json| serde_json::from_str(&json).ok()),
    })
}
