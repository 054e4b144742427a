//! What the tests of the history share: a configuration, and reports for it.

mod erase;
mod life;
mod tasks;

use super::{History, SeriesKey};
use crate::{
    assigned::Assignments,
    config::{self, Config},
    store::Store,
};
use runtime::clock::ManualClock;
use series::{Row, rollup::Rollup, segment};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wire::{
    Micros,
    report::Report,
    sample::{Sample, StepResult},
};

pub const T0: Micros = Micros(1_795_000_000_000_000);
pub const HOUR_US: i64 = 3_600_000_000;
/// The configured checks.
pub const CHECKS: [&str; 4] = ["home", "buy", "dns", "c101"];

/// Probes p and q, regions a and b; `dns` is run by p against a only, `buy` is a journey.
pub fn config() -> Config {
    let text = "version: 1
regions: {a: {}, b: {}}
probes:
  p: {region: a, token: {env: T}}
  q: {region: b, token: {env: U}}
services:
  shop: {regions: {a: http://a, b: http://b}}
checks:
  home: {service: shop, http: {}}
  buy:
    service: shop
    journey:
      steps:
        - {name: open, get: /}
        - {name: pay, get: /pay}
  dns: {service: shop, http: {}, from: [p], to: [a]}
  c101: {service: shop, http: {}}
";
    config::parse(text, "test.yaml").expect("a valid configuration")
}

/// The history of a collector that has just started with [`config`].
pub async fn open(store: &Store, clock: &ManualClock) -> History {
    let assignments = Assignments::open(store, &config(), "").await.expect("read");
    History::open(store.clone(), assignments, Arc::new(clock.clone())).await.expect("opened")
}

/// A run that succeeded, begun some seconds before [`T0`].
pub fn sample(check: &str, target: &str, age_s: i64) -> Sample {
    let started = T0.0 - age_s * 1_000_000;
    let text = format!(
        r#"{{"check": "{check}", "target": "{target}", "scheduled": {}, "started": {started}, "total_us": 48000,
            "outcome": "ok", "phases": {{"connect": 1000, "wait": 47000}}, "address": "192.0.2.1:443", "status": 200,
            "served_by": null, "bytes": 512, "trace_id": null, "evidence": null}}"#,
        started - 1_500,
    );
    serde_json::from_str(&text).expect("a sample")
}

/// A step that succeeded.
pub fn step(name: &str) -> StepResult {
    let text = format!(
        r#"{{"name": "{name}", "outcome": "ok", "total_us": 9000, "status": 200, "served_by": null, "attempts": 1}}"#
    );
    serde_json::from_str(&text).expect("a step")
}

pub fn report(probe: &str, sequence: i64, samples: Vec<Sample>) -> Report {
    Report { probe: probe.parse().expect("an id"), sequence, samples, mesh: Vec::new() }
}

/// Rows by series, as a multiset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows(BTreeMap<SeriesKey, Vec<Row>>);

impl Rows {
    pub fn add(&mut self, key: SeriesKey, row: Row) {
        let rows = self.0.entry(key).or_default();
        let sorted = |row: &Row| (row.at, row.total_us, format!("{row:?}"));
        let place = rows.partition_point(|other| sorted(other) < sorted(&row));
        rows.insert(place, row);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The roll-ups of all of them.
    pub fn rollups(&self) -> BTreeMap<(SeriesKey, i64), Rollup> {
        let mut rollups: BTreeMap<(SeriesKey, i64), Rollup> = BTreeMap::new();
        for (key, rows) in &self.0 {
            for row in rows {
                rollups.entry((key.clone(), row.at.div_euclid(HOUR_US))).or_default().add(row);
            }
        }
        // An hour of confirming runs alone has none.
        rollups.retain(|_, rollup| !rollup.is_empty());
        rollups
    }
}

/// All rows in segments.
pub async fn stored(store: &Store) -> Rows {
    let known = store.series_of(&CHECKS.into_iter().collect()).await.expect("read");
    let ids: BTreeMap<i64, SeriesKey> = known.into_iter().map(|(key, id)| (id, key)).collect();
    let mut rows = Rows::default();
    for stored in store.all_segments().await.expect("read") {
        let decoded = segment::decode(&stored.data).expect("sound");
        let mut count = 0;
        for entry in decoded.entries() {
            let key = &ids[&entry.series];
            assert_eq!(key.check, stored.check);
            for row in decoded.rows(entry.series).expect("sound") {
                assert_eq!(row.at.div_euclid(24 * HOUR_US), stored.day);
                assert!((stored.min_at..=stored.max_at).contains(&row.at));
                rows.add(key.clone(), row);
                count += 1;
            }
        }
        assert_eq!(count, stored.rows);
        assert!(count > 0, "no empty segment");
    }
    rows
}

/// All roll-ups in the database, of which all days are packed and say the same.
pub async fn rollups(store: &Store) -> BTreeMap<(SeriesKey, i64), Rollup> {
    let packed = store.compare_packed().await.expect("read");
    let known = store.series_of(&CHECKS.into_iter().collect()).await.expect("read");
    let hours = (T0.0 / HOUR_US - 9 * 24)..(T0.0 / HOUR_US + 24);
    let wanted = known.values().flat_map(|id| hours.clone().map(|hour| (*id, hour)));
    let found = store.rollups(wanted.collect::<Vec<_>>()).await.expect("read");
    let keys: BTreeMap<i64, &SeriesKey> = known.iter().map(|(key, id)| (*id, key)).collect();
    let days: BTreeSet<(&str, i64)> =
        found.keys().map(|(id, hour)| (keys[id].check.as_str(), hour.div_euclid(24))).collect();
    assert_eq!(days.len(), packed, "each day is packed");
    found.into_iter().map(|((series, hour), rollup)| ((keys[&series].clone(), hour), rollup)).collect()
}

pub fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}
