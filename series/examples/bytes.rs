//! What history costs on disk: `cargo run --release -p sextant-series --example bytes`, as a table in Markdown.
//!
//! Segments of 15 made-up series ([`series::synthetic`], which says how), a day and ten minutes of rows each, and what
//! the encoder and the decoder take for a row on this machine.

use series::{
    DAY_US, HOUR_US, Row,
    rollup::Rollup,
    segment,
    synthetic::{Noise, Series},
};
use std::{collections::BTreeMap, time::Instant};

const SERIES: u64 = 15;
/// 2026-11-20T00:00:00Z.
const FROM: i64 = 20_777 * DAY_US;
const SECOND_US: i64 = 1_000_000;

fn main() {
    println!("| series | noise | rows a series | bytes a sample | encode, ns a row | decode, ns a row |");
    println!("|---|---|---:|---:|---:|---:|");
    for (kind, http) in [("HTTP, six phases", true), ("single value", false)] {
        for noise in [Noise::Calm, Noise::Usual, Noise::Rough] {
            for (range_us, interval_s) in [
                (DAY_US, 10),
                (DAY_US, 30),
                (DAY_US, 60),
                (DAY_US, 300),
                (HOUR_US / 6, 10),
                (HOUR_US / 6, 30),
            ] {
                let rows = rows(http, noise, interval_s * SECOND_US, range_us);
                line(kind, noise, &rows);
            }
        }
    }
    println!();
    println!("| roll-up of an hour | bytes of its sketch |");
    println!("|---|---:|");
    for interval_s in [10, 30, 60] {
        let rows = rows(true, Noise::Usual, interval_s * SECOND_US, DAY_US);
        println!("| HTTP, one run in {interval_s} s | {:.0} |", sketch_bytes(&rows));
    }
}

fn rows(http: bool, noise: Noise, interval_us: i64, range_us: i64) -> Vec<Vec<Row>> {
    let count = usize::try_from(range_us / interval_us).expect("positive");
    let series = |seed| match http {
        true => Series::http(seed, FROM, interval_us, noise),
        false => Series::single(seed, FROM, interval_us, noise),
    };
    (0..SERIES).map(|seed| series(seed).map(Row::kept).take(count).collect()).collect()
}

fn line(kind: &str, noise: Noise, rows: &[Vec<Row>]) {
    let named: Vec<(i64, &[Row])> = (1..).zip(rows).map(|(id, rows)| (id, rows.as_slice())).collect();
    let all: usize = rows.iter().map(Vec::len).sum();
    let repeat = (200_000 / all).max(1);
    let begin = Instant::now();
    let mut bytes = Vec::new();
    for _ in 0..repeat {
        bytes = segment::encode(&named).expect("few rows");
    }
    let encoded = begin.elapsed();
    let begin = Instant::now();
    for _ in 0..repeat {
        let segment = segment::decode(&bytes).expect("just written");
        for (id, rows) in &named {
            assert!(segment.rows(*id).expect("just written") == *rows, "rows changed");
        }
    }
    let decoded = begin.elapsed();
    let ns = |time: std::time::Duration| time.as_secs_f64() * 1e9 / (all * repeat) as f64;
    println!(
        "| {kind} | {noise:?} | {} | {:.2} | {:.0} | {:.0} |",
        all / rows.len(),
        bytes.len() as f64 / all as f64,
        ns(encoded),
        ns(decoded)
    );
}

fn sketch_bytes(rows: &[Vec<Row>]) -> f64 {
    let mut hours: BTreeMap<(usize, i64), Rollup> = BTreeMap::new();
    for (series, rows) in rows.iter().enumerate() {
        rows.iter().for_each(|row| hours.entry((series, row.at.div_euclid(HOUR_US))).or_default().add(row));
    }
    let bytes: usize = hours.values().map(|hour| hour.sketch.encode().len()).sum();
    bytes as f64 / hours.len() as f64
}
