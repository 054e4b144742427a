//! Questions about history: counts, availability and latencies of some series over a range, in buckets.
//!
//! An answer is made of three things: rows that are not sealed yet, from memory; rows of segments; and hourly roll-ups.
//! The rows in memory are copied first. What the database holds is then read as of one moment, and only those copied
//! rows count that are not sealed at that moment. So a row is never counted twice and never missing, whatever is sealed
//! meanwhile.
//!
//! [`series::grid`] decides which hours come from roll-ups. Reading, decoding and counting (`tally`) go on piece by piece
//! on one thread that may block (`aside`): the memory of an answer is its buckets and the rows that are not sealed yet, and
//! no piece has to wake a second thread, which took longer than counting it.

mod aside;
mod packed;
mod samples;
pub mod selector;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    config::Config,
    history::{SeriesKey, shard_of},
    store::{self, SegmentsOf, Snapshot, Store, StoredRollup},
};
use selector::{Grouping, Groups, Selector};
use series::{
    DAY_US, HOUR_US, Row,
    grid::{self, Plan, Resolution},
};
use std::{
    collections::{BTreeSet, HashMap},
    future::ready,
    ops::Range,
    sync::Arc,
};
use tally::Tally;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wire::{Micros, history::History};

pub use samples::{Cursor, SamplesAsked};

/// The most buckets in all groups of an answer together.
pub const CELLS_MOST: usize = 50_000;
/// The most roll-ups that an answer is made of.
pub const ROLLUPS_MOST: u64 = 2_000_000;
/// The most rows that an answer is made of.
pub const ROWS_MOST: u64 = 5_000_000;
/// Up to so many rows are read for the hours that a range only touches.
const EDGE_ROWS_MOST: u64 = grid::RAW_ROWS_MOST;
/// A range that is as long, microseconds, is widened to whole hours: they are a hundredth of it or so, and segments
/// would be read for them that take as long as all the rest.
const LONG_US: i64 = 7 * DAY_US;
/// How many questions are answered at a time; others wait.
const AT_A_TIME: usize = 4;

/// The rows of a series that are not sealed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadRows {
    pub key: SeriesKey,
    /// Each with its position in the log.
    pub rows: Vec<(i64, Row)>,
}

/// Copies the unsealed rows of some series that started in a range.
pub type Heads = Arc<dyn Fn(&Selector, Range<i64>) -> Vec<HeadRows> + Send + Sync>;

/// The rows that a collector has in memory.
pub fn heads_of(history: &super::History) -> Heads {
    let history = history.clone();
    Arc::new(move |selector, range| {
        let mut found = Vec::new();
        for check in &selector.checks {
            history.heads().each(check, |key, head| {
                if selector.takes(key.as_ref()) {
                    let rows: Vec<_> = head.rows(range.start, range.end).collect();
                    if !rows.is_empty() {
                        found.push(HeadRows { key: key.clone(), rows });
                    }
                }
            });
        }
        found
    })
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub selector: Selector,
    pub grouping: Grouping,
    /// Microseconds since the epoch; the end is not in it.
    pub from: i64,
    pub to: i64,
    /// The most buckets in a group, at least 1.
    pub buckets: u32,
    /// Quantiles beyond the usual ones, 0 to 1, by their texts.
    pub quantiles: Vec<(String, f64)>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It would be too much; the words say how to narrow the question.
    #[error("{0}")]
    TooMuch(String),
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A mistake of ours: the thread that reads and counts ended early.
    #[error("the answer could not be made")]
    Broken(#[from] tokio::task::JoinError),
}

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Queries {
    store: Store,
    config: Arc<Config>,
    heads: Heads,
    permits: Arc<Semaphore>,
    /// Of segments that are read for a page of single runs, before it ends early; at least 1.
    page_rows_most: u64,
}

/// The series of a question, as the database knows them.
struct Found {
    /// Ids and keys of those that are asked for.
    series: Vec<(i64, SeriesKey)>,
    /// How many series the checks have in all.
    of: usize,
}

impl Queries {
    /// Answers from a store and from the rows in memory.
    pub fn new(store: Store, config: Arc<Config>, heads: Heads) -> Queries {
        let permits = Arc::new(Semaphore::new(AT_A_TIME));
        Queries { store, config, heads, permits, page_rows_most: ROWS_MOST }
    }

    /// The same, with pages that read less.
    #[cfg(test)]
    pub fn reading_most(self, page_rows_most: u64) -> Queries {
        Queries { page_rows_most, ..self }
    }

    /// Answers a question. `now` is needed to know what cannot have been measured yet.
    ///
    /// # Errors
    /// When it would be too much, or the database fails.
    pub async fn history(&self, question: Question, now: Micros) -> Result<History, Refused> {
        // It is never closed, so there is always a permit some time. The work has it, not who waits for the work.
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let queries = self.clone();
        aside::run(async move |given_up| {
            let _permit = permit;
            // Before the snapshot; see above.
            let range = whole_hours(question.from, question.to);
            let unsealed = (queries.heads)(&question.selector, range);
            let mut snapshot = queries.store.history().await?;
            let answer = queries.answer(&mut snapshot, unsealed, question, now.0, given_up).await;
            // What was read is right, whatever becomes of the connection.
            let _ = snapshot.end().await;
            answer
        })
        .await?
    }

    async fn answer(
        &self,
        snapshot: &mut Snapshot,
        unsealed: Vec<HeadRows>,
        question: Question,
        now: i64,
        given_up: CancellationToken,
    ) -> Result<History, Refused> {
        let unsealed = sift(snapshot, unsealed).await?;
        let checks = question.selector.check_names();
        let found = find(snapshot, &question.selector, &checks).await?;
        let plan = plan(snapshot, &question, &checks, &found, now).await?;

        let mut groups = Groups::new(question.grouping, &self.config);
        let series: HashMap<i64, usize> =
            found.series.iter().map(|(id, key)| (*id, groups.number(key.as_ref()))).collect();
        let keys: BTreeSet<&SeriesKey> =
            found.series.iter().map(|(_, key)| key).chain(unsealed.iter().map(|head| &head.key)).collect();
        let count = keys.len();
        let rows = |head: HeadRows| head.rows.into_iter().map(|(_, row)| row).collect();
        let unsealed: Vec<(usize, Vec<Row>)> =
            unsealed.into_iter().map(|head| (groups.number(head.key.as_ref()), rows(head))).collect();
        few_enough(groups.count(), &plan, found.series.len())?;

        let mut tally = Tally::new(&plan, series, groups.count(), given_up);
        unsealed.iter().for_each(|(group, rows)| tally.rows(*group, rows));
        read(snapshot, &plan, &checks, &found, &mut tally).await?;
        let (damaged, groups) = tally.finish(&groups.finish(), &question.quantiles);
        Ok(History {
            from: Micros(plan.range.start),
            to: Micros(plan.range.end),
            bucket_us: plan.grid.width_us,
            resolution: match plan.resolution {
                Resolution::Raw => wire::history::Resolution::Raw,
                Resolution::Hourly => wire::history::Resolution::Hourly,
            },
            series: count,
            damaged,
            groups,
        })
    }
}

/// Leaves of the copied rows those that are neither sealed nor erased at the moment of the snapshot.
async fn sift(snapshot: &mut Snapshot, mut heads: Vec<HeadRows>) -> Result<Vec<HeadRows>, store::Error> {
    let cursors: HashMap<i64, i64> = snapshot.cursors().await?.into_iter().collect();
    let erased = snapshot.erased().await?;
    for head in &mut heads {
        let sealed = cursors.get(&(shard_of(&head.key.check) as i64)).copied().unwrap_or(0);
        head.rows.retain(|(position, row)| {
            *position > sealed && !erased.erases(*position, head.key.as_ref(), row.at)
        });
    }
    heads.retain(|head| !head.rows.is_empty());
    Ok(heads)
}

async fn find(
    snapshot: &mut Snapshot,
    selector: &Selector,
    checks: &[String],
) -> Result<Found, store::Error> {
    let stored = snapshot.series(checks).await?;
    let of = stored.len();
    let keys = stored.into_iter().map(|stored| (stored.id, stored.key()));
    Ok(Found { series: keys.filter(|(_, key)| selector.takes(key.as_ref())).collect(), of })
}

/// Decides where the numbers come from.
async fn plan(
    snapshot: &mut Snapshot,
    question: &Question,
    checks: &[String],
    found: &Found,
    now: i64,
) -> Result<Plan, store::Error> {
    let Question { from, to, buckets, .. } = *question;
    let widened = whole_hours(from, to);
    if from < to && expired(snapshot, &widened, found).await? {
        // Single runs of the beginning are no longer kept: only whole hours are known.
        return Ok(grid::plan(widened.start, widened.end, buckets, u64::MAX));
    }
    let rows = rows_in(snapshot, checks, found, from..to).await?;
    let plan = grid::plan(from, to, buckets, rows);
    if plan.resolution == Resolution::Raw {
        return Ok(plan);
    }
    let whole = grid::plan(widened.start, widened.end, buckets, u64::MAX);
    if to.saturating_sub(from) >= LONG_US {
        return Ok(whole);
    }
    // Nothing was measured after now, so the hour that goes on is as good as a whole one.
    let to = if to >= now { widened.end } else { to };
    let plan = grid::plan(from, to, buckets, u64::MAX);
    let mut edges = 0;
    for edge in &plan.raw {
        edges += rows_in(snapshot, checks, found, edge.clone()).await?;
    }
    Ok(if edges > EDGE_ROWS_MOST { whole } else { plan })
}

/// The whole hours around a range.
fn whole_hours(from: i64, to: i64) -> Range<i64> {
    let floor = |at: i64| at.div_euclid(HOUR_US).saturating_mul(HOUR_US);
    floor(from)..floor(to.saturating_add(HOUR_US - 1))
}

/// Whether the range begins before the first single run that is kept, and has roll-ups from there.
async fn expired(snapshot: &mut Snapshot, range: &Range<i64>, found: &Found) -> Result<bool, store::Error> {
    let oldest = snapshot.oldest_day().await?;
    // Without any segment there is nothing that roll-ups could be finer than.
    let first_kept = oldest.map_or(i64::MAX / HOUR_US, |day| day.saturating_mul(24));
    let hours = range.start.div_euclid(HOUR_US)..first_kept.min(range.end.div_euclid(HOUR_US));
    if hours.is_empty() {
        return Ok(false);
    }
    let ids: Vec<i64> = found.series.iter().map(|(id, _)| *id).collect();
    snapshot.has_rollups(&ids, hours).await
}

/// About how many stored rows of the series are to be decoded for a range.
async fn rows_in(
    snapshot: &mut Snapshot,
    checks: &[String],
    found: &Found,
    range: Range<i64>,
) -> Result<u64, store::Error> {
    let rows = snapshot.rows_in(SegmentsOf { checks, at: (range.start, range.end) }).await?;
    let (asked, of) = (found.series.len() as u64, found.of.max(1) as u64);
    Ok(rows.saturating_mul(asked).div_ceil(of))
}

/// Refuses what would take too long or too much memory.
fn few_enough(groups: usize, plan: &Plan, series: usize) -> Result<(), Refused> {
    let buckets = plan.grid.buckets as usize;
    if groups.saturating_mul(buckets) > CELLS_MOST {
        return Err(Refused::TooMuch(format!(
            "{groups} groups of {buckets} buckets are more than {CELLS_MOST} in all: ask for fewer buckets, group by \
             less, or name checks, probes or targets"
        )));
    }
    let hours = u64::try_from(plan.hours.end.saturating_sub(plan.hours.start)).unwrap_or(0);
    let rollups = hours.saturating_mul(series as u64);
    if rollups > ROLLUPS_MOST {
        return Err(Refused::TooMuch(format!(
            "{series} series over {hours} hours are {rollups} roll-ups, and at most {ROLLUPS_MOST} are read: shorten \
             the range, or name a service, checks, probes or targets"
        )));
    }
    Ok(())
}

/// Counts everything that the plan names.
async fn read(
    snapshot: &mut Snapshot,
    plan: &Plan,
    checks: &[String],
    found: &Found,
    tally: &mut Tally<'_>,
) -> Result<(), Refused> {
    let mut rows = 0;
    for raw in &plan.raw {
        rows += rows_in(snapshot, checks, found, raw.clone()).await?;
    }
    if rows > ROWS_MOST {
        return Err(Refused::TooMuch(format!(
            "about {rows} single runs lie in the range, and at most {ROWS_MOST} are read: shorten the range, or name \
             a service, checks, probes or targets"
        )));
    }
    let ids: Vec<i64> = found.series.iter().map(|(id, _)| *id).collect();
    for (hours, ids) in packed::read(snapshot, plan, &found.series, tally).await? {
        let count = |rollups: Vec<StoredRollup>| {
            tally.rollups(&rollups);
            ready(tally.is_wanted())
        };
        snapshot.rollups(&ids, hours, true, count).await?;
    }
    if !ids.is_empty() {
        for raw in &plan.raw {
            let of = SegmentsOf { checks, at: (raw.start, raw.end) };
            let count = |bytes: Vec<u8>| {
                tally.segment(&bytes, raw);
                ready(tally.is_wanted())
            };
            snapshot.segments(of, count).await?;
        }
    }
    Ok(())
}
