//! Single runs, newest first, page by page.
//!
//! A page reads segments from the newest on until it is full. Where what is asked for is rare, that could be all of them:
//! after some millions of rows a page ends early, with fewer runs or none, and its cursor goes on from there.

use super::{HeadRows, Queries, Refused, Selector, aside, find, sift};
use crate::{
    history::SeriesKey,
    store::{self, SegmentsOf, Snapshot},
};
use series::{Row, segment};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    fmt,
    ops::Range,
    str::FromStr,
    sync::Arc,
};
use wire::{Micros, history::SampleView};

/// Rows beyond twice those that have a place, before they are sorted.
const SPARE: usize = 10_000;

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the last run of the page started, microseconds since the epoch.
    pub at: i64,
    /// How many of the runs that started then have been given.
    pub given: usize,
}

/// The most runs of one instant that pages can be cut in: a page holds that many more than it shows.
const GIVEN_MOST: usize = u16::MAX as usize;

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
        // As in [`Queries::history`].
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let end = asked.after.map_or(asked.to, |after| after.at.saturating_add(1).min(asked.to));
        let (range, given) = (asked.from..end, asked.after.map_or(0, |after| after.given));
        if range.is_empty() {
            return Ok((Vec::new(), None));
        }
        let queries = self.clone();
        aside::run(async move |_| {
            let _permit = permit;
            let heads = (queries.heads)(&asked.selector, range.clone());
            let mut snapshot = queries.store.history().await?;
            let mut newest = Newest { rows: Vec::new(), most: given + asked.limit + 1, complete_after: None };
            let rows_most = queries.page_rows_most;
            let read = newest.read(&mut snapshot, heads, &asked.selector, &range, rows_most).await;
            // What was read is right, whatever becomes of the connection.
            let _ = snapshot.end().await;
            read?;
            newest.page(given, asked.limit, asked.after)
        })
        .await?
    }
}

/// The newest rows among those that were seen.
struct Newest {
    rows: Vec<(Arc<SeriesKey>, Row)>,
    /// One more than is shown, which tells whether there is another page.
    most: usize,
    /// Only rows that started after it are all here; none when that is all of them.
    complete_after: Option<i64>,
}

impl Newest {
    async fn read(
        &mut self,
        snapshot: &mut Snapshot,
        heads: Vec<HeadRows>,
        selector: &Selector,
        range: &Range<i64>,
        rows_most: u64,
    ) -> Result<(), store::Error> {
        for head in sift(snapshot, heads).await? {
            let key = Arc::new(head.key);
            self.add(head.rows.into_iter().map(|(_, row)| (Arc::clone(&key), row)));
        }
        self.settle();
        let found = find(snapshot, selector, &selector.check_names()).await?;
        let checks: BTreeSet<String> = found.series.iter().map(|(_, key)| key.check.clone()).collect();
        let checks: Vec<String> = checks.into_iter().collect();
        let series: HashMap<i64, Arc<SeriesKey>> =
            found.series.into_iter().map(|(id, key)| (id, Arc::new(key))).collect();
        let of = SegmentsOf { checks: &checks, at: (range.start, range.end) };
        let (mut rows_read, mut oldest_read) = (0, i64::MAX);
        for facts in snapshot.segment_facts(of).await? {
            // The segments that are left end earlier than this one, so they have nothing newer.
            if self.is_full_down_to(facts.max_at) {
                break;
            }
            // Only where none that was read reaches beyond: it would be read for the next page too. The end of a day is
            // such a place.
            if rows_read >= rows_most && facts.max_at < oldest_read {
                self.complete_after = Some(facts.max_at);
                break;
            }
            let Some(bytes) = snapshot.segment(&facts).await? else { continue };
            rows_read += u64::try_from(facts.row_count).unwrap_or(0);
            oldest_read = oldest_read.min(facts.min_at);
            self.add_segment(&bytes, &series, range);
        }
        Ok(())
    }

    fn add(&mut self, rows: impl Iterator<Item = (Arc<SeriesKey>, Row)>) {
        self.rows.extend(rows);
        // Rarely, because it sorts.
        if self.rows.len() > 2 * self.most + SPARE {
            self.settle();
        }
    }

    /// Brings the rows into their order, the same on each page, and leaves those that have a place.
    fn settle(&mut self) {
        self.rows.sort_by(|(a, x), (b, y)| {
            (Reverse(x.at), a, x.attempt, x.total_us).cmp(&(Reverse(y.at), b, y.attempt, y.total_us))
        });
        self.rows.truncate(self.most);
    }

    /// Whether nothing that started at or before `at` has a place.
    fn is_full_down_to(&self, at: i64) -> bool {
        self.rows.len() == self.most && self.rows.last().is_some_and(|(_, row)| row.at > at)
    }

    fn add_segment(&mut self, bytes: &[u8], series: &HashMap<i64, Arc<SeriesKey>>, range: &Range<i64>) {
        let segment = match segment::decode(bytes) {
            Ok(segment) => segment,
            Err(error) => {
                tracing::error!(%error, "a segment of the history cannot be read; a page goes without it");
                return;
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
        self.settle();
    }

    fn page(mut self, given: usize, limit: usize, after: Option<Cursor>) -> Result<Page, Refused> {
        if let Some(at) = self.complete_after {
            self.rows.retain(|(_, row)| row.at > at);
        }
        let more = self.rows.len() == self.most;
        let shown: Vec<_> = self.rows.into_iter().skip(given).take(limit).collect();
        let next = shown.last().filter(|_| more).map(|(_, last)| {
            let same = shown.iter().filter(|(_, row)| row.at == last.at).count();
            let before = after.filter(|after| after.at == last.at).map_or(0, |after| after.given);
            Cursor { at: last.at, given: before + same }
        });
        if next.is_some_and(|next| next.given > GIVEN_MOST) {
            return Err(Refused::TooMuch(format!(
                "more than {GIVEN_MOST} runs began at the same instant: name probes, targets or a part"
            )));
        }
        let next = next.or(self.complete_after.map(|at| Cursor { at, given: 0 }));
        Ok((shown.into_iter().filter_map(|(key, row)| view(&key, &row)).collect(), next))
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
