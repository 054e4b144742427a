//! Made-up histories: rows of some series, sealed in several steps, the rest in memory.

use crate::{
    config,
    history::{
        SHARDS, SeriesKey,
        prepare::{self, Numbered},
        query::{HeadRows, Heads, Queries, Question, selector::*},
        shard_of,
    },
    store::{Seal, Store},
};
use proptest::prelude::*;
use series::{Flags, HOUR_US, Row};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tokio::runtime::Runtime;
use wire::{
    Micros,
    sample::{FailClass, Outcome, Phases, Trigger},
};

/// A midnight.
pub const T0: i64 = 20_775 * 24 * HOUR_US;
/// How long rows are spread over.
pub const SPAN_US: i64 = 60 * HOUR_US;

/// Where histories are told one after the other, each with checks of its own.
pub struct Place {
    pub store: Store,
    term: i64,
    /// The log position of the newest row.
    position: AtomicI64,
    number: AtomicI64,
}

impl Place {
    pub fn new(store: Store, runtime: &Runtime) -> Place {
        runtime.block_on(Place::open(store))
    }

    pub async fn open(store: Store) -> Place {
        let term = store.take_lease("me", Micros(T0)).await.expect("taken");
        store.make_partitions(Micros(T0)).await.expect("made");
        Place { store, term, position: AtomicI64::new(0), number: AtomicI64::new(0) }
    }

    /// A name that no history had before.
    pub fn name(&self) -> String {
        format!("c{}", self.number.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives rows their places in the log, each the next one.
    pub fn log(&self, rows: &[(SeriesKey, Row)]) -> Vec<(i64, SeriesKey, Row)> {
        let next = || self.position.fetch_add(1, Ordering::Relaxed) + 1;
        rows.iter().map(|(key, row)| (next(), key.clone(), *row)).collect()
    }

    /// Seals these rows, and moves all cursors to the newest of them.
    pub async fn seal(&self, rows: &[(i64, SeriesKey, Row)], with_segments: bool) {
        let Some(position) = rows.iter().map(|(position, ..)| *position).max() else { return };
        let state = self.store.seal_state().await.expect("read");
        for shard in 0..SHARDS {
            let of: Vec<_> = rows.iter().filter(|(_, key, _)| shard_of(&key.check) == shard).collect();
            if of.is_empty() {
                continue;
            }
            let mut keys: Vec<SeriesKey> = of.iter().map(|(_, key, _)| key.clone()).collect();
            keys.sort();
            keys.dedup();
            let ids = self.store.series_ids(&keys).await.expect("numbered");
            let numbered: Vec<Numbered> = keys
                .into_iter()
                .zip(ids)
                .map(|(key, id)| {
                    let mut rows: Vec<Row> =
                        of.iter().filter(|(_, of, _)| *of == key).map(|(.., row)| *row).collect();
                    rows.sort_by_key(|row| row.at);
                    Numbered { check: key.check, id, rows }
                })
                .collect();
            let mut segments = prepare::segments(&numbered, 0).expect("few rows");
            if !with_segments {
                segments.clear();
            }
            let new = prepare::days(&numbered);
            let stored = self.store.packed_days(new.keys()).await.expect("read");
            let (rollups, days) = prepare::merge(new, stored).expect("sound");
            let (from, changes) = (state.cursors[shard], state.changes[shard]);
            let seal =
                Seal { shard, from, changes, position, segments: &segments, rollups: &rollups, days: &days };
            assert!(self.store.seal(self.term, &seal).await.expect("written"));
        }
    }

    /// Questions to this place, with rows in memory.
    pub fn queries(&self, heads: Heads) -> Queries {
        Queries::new(self.store.clone(), Arc::new(configuration()), heads)
    }
}

/// Two probes in two regions.
pub fn configuration() -> config::Config {
    let text = "version: 1
regions: {a: {}, b: {}}
probes: {p: {region: a, token: {env: T}}, q: {region: b, token: {env: U}}}
services: {shop: {regions: {a: http://a, b: http://b}}}
checks: {home: {service: shop, http: {}}}
";
    config::parse(text, "test.yaml").expect("a valid configuration")
}

/// Rows in memory, as they are told to a question.
pub fn heads(rows: Vec<(i64, SeriesKey, Row)>) -> Heads {
    Arc::new(move |selector, range| {
        let mut heads: Vec<HeadRows> = Vec::new();
        for (position, key, row) in &rows {
            if selector.takes(key.as_ref()) && range.contains(&row.at) {
                match heads.iter_mut().find(|head| head.key == *key) {
                    Some(head) => head.rows.push((*position, *row)),
                    None => heads.push(HeadRows { key: key.clone(), rows: vec![(*position, *row)] }),
                }
            }
        }
        heads
    })
}

pub fn key(check: &str, probe: &str, target: &str, part: &str) -> SeriesKey {
    SeriesKey { check: check.into(), probe: probe.into(), target: target.into(), part: part.into() }
}

/// A run that succeeded, or did not.
pub fn row(at: i64, outcome: Outcome, total_us: u32) -> Row {
    let wait = outcome == Outcome::Ok;
    Row {
        at,
        delay_us: 7,
        outcome,
        slow: wait && total_us > 200_000,
        total_us,
        phases: Phases { wait: wait.then_some(total_us), ..Phases::default() },
        status: wait.then_some(200),
        bytes: None,
        flags: Flags::default(),
        trigger: Trigger::Schedule,
        attempt: 1,
    }
}

/// What a row is of: the number of the check, probe, target, part.
type Of = (usize, &'static str, &'static str, &'static str);

/// A history and a question about it. Names of checks are numbers until it is told at a place.
#[derive(Debug, Clone)]
pub struct World {
    pub rows: Vec<(Of, Row)>,
    /// How many of the rows have been sealed, step by step, ascending.
    pub seals: Vec<usize>,
    /// After which step nothing is packed of which check, as if an older program had sealed until then.
    pub unpacked: Vec<(usize, usize)>,
    pub checks: Vec<usize>,
    pub probes: Vec<&'static str>,
    pub targets: Vec<&'static str>,
    pub part: Part,
    pub grouping: Grouping,
    pub from: i64,
    pub to: i64,
    pub buckets: u32,
    /// How many runs on a page.
    pub limit: usize,
}

impl World {
    pub fn question(&self, selector: Selector) -> Question {
        let quantiles = vec![("0.25".to_owned(), 0.25), ("0.999".to_owned(), 0.999)];
        let World { grouping, from, to, buckets, .. } = *self;
        Question { selector, grouping, from, to, buckets, quantiles }
    }

    /// The rows, with names for the checks.
    pub fn named(&self, names: &[String]) -> Vec<(SeriesKey, Row)> {
        let rows = self.rows.iter();
        rows.map(|((check, probe, target, part), row)| (key(&names[*check], probe, target, part), *row))
            .collect()
    }

    pub fn selector(&self, names: &[String]) -> Selector {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Selector {
            checks: self.checks.iter().map(|number| names[*number].clone()).collect(),
            probes: owned(&self.probes),
            targets: owned(&self.targets),
            part: self.part.clone(),
        }
    }

    /// Tells the history at a place: the rows with their positions, sealed as far as the world says.
    pub async fn tell(&self, place: &Place, names: &[String]) -> Vec<(i64, SeriesKey, Row)> {
        let logged = place.log(&self.named(names));
        let mut sealed = 0;
        for (step, upto) in self.seals.iter().enumerate() {
            place.seal(&logged[sealed..*upto], true).await;
            sealed = *upto;
            for (_, check) in self.unpacked.iter().filter(|(after, _)| *after == step) {
                place.store.unpack(&names[*check]).await.expect("deleted");
            }
        }
        place.store.compare_packed().await.expect("read");
        logged
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        12 => Just(Outcome::Ok),
        1 => Just(Outcome::Fail(FailClass::Dns)),
        1 => Just(Outcome::Fail(FailClass::Timeout)),
        1 => Just(Outcome::Fail(FailClass::Request)),
        1 => Just(Outcome::Missed),
        1 => Just(Outcome::Unsupported),
    ]
}

fn rows() -> impl Strategy<Value = Vec<(Of, Row)>> {
    let of = (0..3_usize, select(&["p", "q", "gone"]), select(&["a", "b", "public"]), select(&["", "open"]));
    // Few different instants, so that some are shared; and latencies of all sizes.
    let at = prop_oneof![(0..SPAN_US).boxed(), (0..60_i64).prop_map(|hour| hour * HOUR_US).boxed()];
    let total = prop_oneof![0..2_000_u32, 0..500_000_u32, any::<u32>()];
    let trigger =
        prop_oneof![8 => Just(Trigger::Schedule), 1 => Just(Trigger::Confirm), 1 => Just(Trigger::Proof)];
    let one = (of, at, outcomes(), total, trigger)
        .prop_map(|(of, at, outcome, total, trigger)| (of, Row { trigger, ..row(T0 + at, outcome, total) }));
    prop::collection::vec(one, 0..300)
}

fn select(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn subset(words: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::sample::subsequence(words, 1..=words.len())]
}

pub fn worlds() -> impl Strategy<Value = World> {
    let part = prop_oneof![Just(Part::Whole), Just(Part::Step("open".into())), Just(Part::Every)];
    let grouping = any::<[bool; 5]>().prop_map(|[check, vantage, probe, target, part]| Grouping {
        check,
        vantage,
        probe,
        target,
        part,
    });
    let end = || prop_oneof![-HOUR_US..SPAN_US + HOUR_US, (-1..62_i64).prop_map(|hour| hour * HOUR_US)];
    let checks = prop::sample::subsequence(vec![0, 1, 2], 1..=3);
    let which = (checks, subset(&["p", "q", "gone"]), subset(&["a", "b", "public"]), part);
    let seals = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let unpacked = prop::collection::vec((0..4_usize, 0..3_usize), 0..3);
    // Few buckets are of whole days.
    let buckets = prop_oneof![1..5_u32, 1..200_u32];
    (rows(), (seals, unpacked), which, grouping, (end(), end()), buckets, 1..40_usize).prop_map(
        |(rows, (seals, unpacked), (checks, probes, targets, part), grouping, (a, b), buckets, limit)| {
            let mut seals: Vec<usize> = seals.iter().map(|index| index.index(rows.len() + 1)).collect();
            seals.sort_unstable();
            let (from, to) = (T0 + a.min(b), T0 + a.max(b) + 1);
            World { rows, seals, unpacked, checks, probes, targets, part, grouping, from, to, buckets, limit }
        },
    )
}
