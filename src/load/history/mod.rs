//! `sextant load history`: days of history, as if probes had reported all the time.
//!
//! Runs are made up ([`series::synthetic`]) and go straight through the collector's sealing: segments as compaction would
//! leave them, roll-ups, and evidence of failing and slow runs. The log gets only what has evidence, since it would have
//! forgotten the rest.

mod make;
mod mirror;

use super::figures::grouped;
use crate::place::Place;
use anyhow::{Context, ensure};
use clap::value_parser;
use collector::{
    config::{Check, Config},
    history::{SHARDS, SeriesKey, shard_of},
    store::{Entry, Seal, SealState, Store},
};
use make::{Job, Made, Span};
use runtime::clock::SystemClock;
use serde_json::value::to_raw_value;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use url::Url;
use wire::{
    CheckId, Micros, ProbeId,
    report::{MAX_SAMPLES, Report},
    sample::Sample,
};

/// Fills a new database with the history of all checks of a configuration. The collector must not be running.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The configuration document that the collector will run with.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Days of history.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=1000))]
    days: u32,
    /// Seconds between two runs of a series.
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..=86_400))]
    interval: u32,
    /// Where it ends, as RFC 3339; now when not given.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Send every run to this VictoriaMetrics too (its address, such as http://127.0.0.1:8428), to compare with.
    #[arg(long, value_name = "URL")]
    mirror: Option<Url>,
}

/// Writes it.
///
/// # Errors
/// When the database is in use, has history already, or fails.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (config, _) = collector::config::load(&args.config)?;
    let began = Instant::now();
    let (store, _lock) = args.place.clone().make().await?;
    let span = span(&args);
    let writer = Writer::begin(store, span, args.mirror).await?;
    let jobs = jobs(&config, &writer.store).await?;
    let counts = writer.run(jobs, span).await?;
    let took = began.elapsed().as_secs_f64();
    println!(
        "{} runs of {} series from {} to {}, {} of them with evidence, in {took:.0} s ({} a second)",
        grouped(counts.rows as u64),
        grouped(counts.series as u64),
        span.from,
        span.to,
        grouped(counts.evidence as u64),
        grouped((counts.rows as f64 / took) as u64)
    );
    println!(
        "segments: {:.2} bytes a run; roll-ups: {} hours of series",
        counts.segment_bytes as f64 / counts.rows.max(1) as f64,
        grouped(counts.rollups as u64)
    );
    if counts.points > 0 {
        println!("mirrored: {} values", grouped(counts.points as u64));
    }
    Ok(())
}

fn span(args: &Args) -> Span {
    let to = args.to.map_or_else(|| SystemClock::shared().now(), |at| Micros(at.as_microsecond()));
    let from = to.minus(Duration::from_secs(u64::from(args.days) * 86_400));
    Span { from, to, interval_us: i64::from(args.interval) * 1_000_000, mirrored: args.mirror.is_some() }
}

/// All checks, with the numbers of their series.
async fn jobs(config: &Config, store: &Store) -> anyhow::Result<Vec<Job>> {
    let mut jobs = Vec::with_capacity(config.checks.len());
    for (id, check) in &config.checks {
        let places = places(check);
        let key = |(probe, target): &(ProbeId, _)| SeriesKey {
            check: id.to_string(),
            probe: probe.to_string(),
            target: format!("{target}"),
            part: String::new(),
        };
        let ids = store.series_ids(&places.iter().map(key).collect::<Vec<_>>()).await?;
        let series = ids.into_iter().zip(places).map(|(id, (probe, target))| (id, probe, target)).collect();
        jobs.push(Job { check: CheckId::clone(id), service: check.service.clone(), series });
    }
    Ok(jobs)
}

fn places(check: &Check) -> Vec<(ProbeId, wire::assignment::Target)> {
    let pairs = check
        .from
        .iter()
        .flat_map(|probe| check.to.iter().map(move |target| (probe.clone(), target.clone())));
    pairs.collect()
}

/// What was written.
#[derive(Debug, Default)]
struct Counts {
    series: usize,
    rows: usize,
    segment_bytes: usize,
    rollups: usize,
    evidence: usize,
    points: usize,
}

/// Writes what the threads make.
struct Writer {
    store: Store,
    term: i64,
    state: SealState,
    /// The number of the next report of evidence.
    sequence: i64,
    mirror: Option<(reqwest::Client, Url)>,
    counts: Counts,
}

impl Writer {
    async fn begin(store: Store, span: Span, mirror: Option<Url>) -> anyhow::Result<Writer> {
        let mut snapshot = store.history().await?;
        let oldest = snapshot.oldest_day().await?;
        snapshot.end().await?;
        ensure!(oldest.is_none(), "the database has history already: name a new folder or an empty database");
        let now = SystemClock::shared().now();
        let term = store.claim("sextant load history", now, None).await?;
        let term = term.context("a collector is running on this database: stop it first")?;
        let state = store.seal_state().await?;
        let mirror = mirror
            .map(|url| Ok::<_, anyhow::Error>((runtime::tls::http_client(Duration::from_secs(5))?, url)));
        let mirror = mirror.transpose()?;
        // Numbers of a spool begin at the clock; these are of one that was new when the history began.
        Ok(Writer { store, term, state, sequence: span.from.0, mirror, counts: Counts::default() })
    }

    /// Makes all checks with all processors, and writes one after the other.
    async fn run(mut self, jobs: Vec<Job>, span: Span) -> anyhow::Result<Counts> {
        self.counts.series = jobs.iter().map(|job| job.series.len()).sum();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let jobs = Arc::new(Mutex::new(jobs));
        // Bounded, because a check takes tens of megabytes.
        let (sender, mut made) = mpsc::channel(threads);
        for _ in 0..threads {
            let (jobs, sender) = (Arc::clone(&jobs), sender.clone());
            thread::spawn(move || {
                let next = || runtime::lock::lock(&jobs).pop();
                while let Some(job) = next() {
                    if sender.blocking_send(make::make(job, span)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut renewed = Instant::now();
        while let Some(made) = made.recv().await {
            if renewed.elapsed() >= Duration::from_secs(1) {
                ensure!(self.store.renew(self.term).await?, "a collector has taken this database over");
                renewed = Instant::now();
            }
            self.write(made?).await?;
        }
        // The evidence in the log is sealed already, as part of the history.
        let shards: Vec<usize> = (0..SHARDS).collect();
        self.store.advance(self.term, &shards, self.store.log_head().await?).await?;
        self.store.release(self.term).await?;
        self.store.close().await;
        Ok(self.counts)
    }

    async fn write(&mut self, made: Made) -> anyhow::Result<()> {
        let shard = shard_of(made.job.check.as_str());
        let position = self.state.cursors[shard];
        let seal = Seal {
            shard,
            from: position,
            changes: self.state.changes[shard],
            position,
            segments: &made.segments,
            rollups: &made.rollups,
            days: &made.days,
        };
        ensure!(
            self.store.seal(self.term, &seal).await?,
            "somebody else seals in this database: stop the collector"
        );
        let mut entries = Vec::new();
        for (probe, samples) in made.evidence {
            for samples in samples.chunks(MAX_SAMPLES) {
                entries.push(self.entry(&probe, samples)?);
            }
        }
        if !entries.is_empty() {
            self.store.append(&entries).await?;
        }
        self.counts.rows += made.rows;
        self.counts.segment_bytes += made.segments.iter().map(|segment| segment.data.len()).sum::<usize>();
        self.counts.rollups += made.rollups.len();
        self.counts.points += made.lines.points;
        if let Some((client, url)) = &self.mirror {
            made.lines.send(client, url).await?;
        }
        Ok(())
    }

    /// A report of runs with evidence, as it would have come.
    fn entry(&mut self, probe: &ProbeId, samples: &[Sample]) -> anyhow::Result<Entry> {
        self.counts.evidence += samples.len();
        self.sequence += 1;
        let report = Report {
            probe: probe.clone(),
            sequence: self.sequence,
            samples: samples.to_vec(),
            mesh: Vec::new(),
        };
        let last = samples.last().map_or(Micros(0), |sample| sample.started.plus_us(sample.total_us.into()));
        let received = last.plus_us(1_000);
        let raw = to_raw_value(&report)?;
        Ok(Entry::report(received, 0, (received, 0), report, &raw))
    }
}
