//! Single runs, newest first, page by page.

use super::{HeadRows, Queries, Refused, Selector, find, sift};
use crate::{
    history::SeriesKey,
    store::{SegmentsOf, Snapshot},
};
use series::{Row, segment};
use std::{cmp::Reverse, collections::HashMap, fmt, ops::Range, str::FromStr, sync::Arc};
use tokio::task::spawn_blocking;
use wire::{Micros, history::SampleView};

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the last run of the page started, microseconds since the epoch.
    pub at: i64,
    /// How many of the runs that started then have been given.
    pub given: usize,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.given)
    }
}

impl FromStr for Cursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Cursor, Self::Err> {
        let (at, given) = text.split_once('.').unwrap_or((text, ""));
        Ok(Cursor { at: at.parse()?, given: usize::from(given.parse::<u16>()?) })
    }
}

/// Which runs.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplesAsked {
    pub selector: Selector,
    /// Microseconds since the epoch; the end is not in it.
    pub from: i64,
    pub to: i64,
    /// At least 1.
    pub limit: usize,
    /// Only what comes after it.
    pub after: Option<Cursor>,
}

/// The runs of a page, and where the next one begins when there may be more.
pub type Page = (Vec<SampleView>, Option<Cursor>);

impl Queries {
    /// A page of single runs, newest first; those of one instant in the order of their series.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn samples(&self, asked: SamplesAsked) -> Result<Page, Refused> {
        // It is never closed, so there is always a permit some time.
        let _permit = self.permits.acquire().await;
        let end = asked.after.map_or(asked.to, |after| after.at.saturating_add(1).min(asked.to));
        let (range, given) = (asked.from..end, asked.after.map_or(0, |after| after.given));
        if range.is_empty() {
            return Ok((Vec::new(), None));
        }
        let heads = self.copy_heads(&asked.selector, range.clone()).await?;
        let mut snapshot = self.store.history().await?;
        let newest =
            newest_rows(&mut snapshot, heads, &asked.selector, &range, given + asked.limit + 1).await;
        // What was read is right, whatever becomes of the connection.
        let _ = snapshot.end().await;
        Ok(newest?.page(given, asked.limit, asked.after))
    }
}

async fn newest_rows(
    snapshot: &mut Snapshot,
    heads: Vec<HeadRows>,
    selector: &Selector,
    range: &Range<i64>,
    most: usize,
) -> Result<Newest, Refused> {
    let mut newest = Newest { rows: Vec::new(), most };
    for head in sift(snapshot, heads).await? {
        let key = Arc::new(head.key);
        newest.add(head.rows.into_iter().map(|(_, row)| (Arc::clone(&key), row)));
    }
    let checks = selector.check_names();
    let found = find(snapshot, selector, &checks).await?;
    let series: HashMap<i64, Arc<SeriesKey>> =
        found.series.into_iter().map(|(id, key)| (id, Arc::new(key))).collect();
    let series = Arc::new(series);
    let of = SegmentsOf { checks: &checks, at: (range.start, range.end) };
    for facts in snapshot.segment_facts(of).await? {
        // The segments that are left end earlier than this one, so they have nothing newer.
        if series.is_empty() || newest.is_full_down_to(facts.max_at) {
            break;
        }
        let Some(bytes) = snapshot.segment(&facts).await? else { continue };
        let (series, range) = (Arc::clone(&series), range.clone());
        newest = spawn_blocking(move || newest.with_segment(&bytes, &series, &range)).await?;
    }
    Ok(newest)
}

/// The newest rows among those that were seen.
struct Newest {
    rows: Vec<(Arc<SeriesKey>, Row)>,
    /// One more than is shown, which tells whether there is another page.
    most: usize,
}

impl Newest {
    fn add(&mut self, rows: impl Iterator<Item = (Arc<SeriesKey>, Row)>) {
        self.rows.extend(rows);
        self.rows.sort_by(|(a, x), (b, y)| (Reverse(x.at), a, x.attempt).cmp(&(Reverse(y.at), b, y.attempt)));
        self.rows.truncate(self.most);
    }

    /// Whether nothing that started at or before `at` has a place.
    fn is_full_down_to(&self, at: i64) -> bool {
        self.rows.len() == self.most && self.rows.last().is_some_and(|(_, row)| row.at > at)
    }

    fn with_segment(
        mut self,
        bytes: &[u8],
        series: &HashMap<i64, Arc<SeriesKey>>,
        range: &Range<i64>,
    ) -> Newest {
        let segment = match segment::decode(bytes) {
            Ok(segment) => segment,
            Err(error) => {
                tracing::error!(%error, "a segment of the history cannot be read; a page goes without it");
                return self;
            }
        };
        let mut ids: Vec<i64> = segment.entries().iter().map(|entry| entry.series).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let Some(key) = series.get(&id) else { continue };
            match segment.rows(id) {
                Ok(rows) => {
                    let rows = rows.into_iter().filter(|row| range.contains(&row.at));
                    self.add(rows.map(|row| (Arc::clone(key), row)));
                }
                Err(error) => tracing::error!(series = id, %error, "rows of a segment cannot be read"),
            }
        }
        self
    }

    fn page(self, given: usize, limit: usize, after: Option<Cursor>) -> Page {
        let more = self.rows.len() == self.most;
        let shown: Vec<_> = self.rows.into_iter().skip(given).take(limit).collect();
        let next = shown.last().filter(|_| more).map(|(_, last)| {
            let same = shown.iter().filter(|(_, row)| row.at == last.at).count();
            let before = after.filter(|after| after.at == last.at).map_or(0, |after| after.given);
            Cursor { at: last.at, given: before + same }
        });
        (shown.into_iter().filter_map(|(key, row)| view(&key, &row)).collect(), next)
    }
}

/// A run for people; absent when the names of its series are not ours.
fn view(key: &SeriesKey, row: &Row) -> Option<SampleView> {
    Some(SampleView {
        check: key.check.parse().ok()?,
        probe: key.probe.parse().ok()?,
        target: key.target.parse().ok()?,
        part: key.part.clone(),
        at: Micros(row.at),
        delay_us: row.delay_us,
        outcome: row.outcome,
        slow: row.slow,
        total_us: row.total_us,
        phases: row.phases,
        status: row.status,
        bytes: row.bytes,
        flags: row.flags.iter().collect(),
        trigger: row.trigger,
        attempt: row.attempt,
    })
}
