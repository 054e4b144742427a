//! `sextant load query`: asks what dashboards ask, many times, and measures the answers; on demand the same questions of
//! a Prometheus-compatible store that has the same runs.

mod questions;

use super::figures::{Percentiles, grouped};
use anyhow::{Context, ensure};
use clap::value_parser;
use questions::{Question, Subject};
use reqwest::Client;
use runtime::clock::SystemClock;
use serde::Serialize;
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use url::Url;
use wire::Micros;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How far the counts of two stores may differ: runs at the edges of a range belong to it in one of them only.
const TOLERANCE: f64 = 0.01;

/// Asks a collector with history what dashboards ask, and prints how long the answers take.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration document that the collector runs with.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The collector's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8600")]
    collector: Url,
    /// Ask this Prometheus or VictoriaMetrics too: it has the same runs, see `load history --mirror`.
    #[arg(long, value_name = "URL")]
    promql: Option<Url>,
    /// How many days of history there are.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(i64).range(1..=1000))]
    days: i64,
    /// How often each question is asked, each time about another check.
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=100_000))]
    times: u32,
    /// How many questions are on the way at a time.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=64))]
    concurrency: u32,
    /// Until when is asked, as RFC 3339; now when not given.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// One question's figures.
#[derive(Debug, Serialize)]
struct Line {
    question: String,
    ours: Percentiles,
    /// Mean size of our answers, bytes.
    answer_bytes: usize,
    theirs: Option<Percentiles>,
}

/// Asks, and prints how long it took.
///
/// # Errors
/// When an answer fails or is empty, or the two stores have not the same runs.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (config, _) = collector::config::load(&args.config)?;
    let client = runtime::tls::http_client(Duration::from_secs(5))?;
    let to = args.to.map_or_else(|| SystemClock::shared().now(), |at| Micros(at.as_microsecond()));
    let subjects = Arc::new(questions::subjects(&config));
    ensure!(!subjects.is_empty(), "the configuration has no check");
    if let Some(promql) = &args.promql {
        compare(&client, &args.collector, promql, &subjects[0], to).await?;
    }
    let mut lines = Vec::new();
    for question in questions::questions(args.days) {
        let asker = Asker { client: client.clone(), question, subjects: Arc::clone(&subjects), to };
        let collector = args.collector.clone();
        let ours =
            Arc::new(move |question: Question, of: &Subject, to| vec![question.ours(&collector, of, to)]);
        let (times, bytes) = asker.ask(&args, ours).await?;
        let theirs = match &args.promql {
            Some(store) if !question.theirs(store, &subjects[0], to).is_empty() => {
                let store = store.clone();
                let urls =
                    Arc::new(move |question: Question, of: &Subject, to| question.theirs(&store, of, to));
                Some(Percentiles::of(asker.ask(&args, urls).await?.0))
            }
            _ => None,
        };
        lines.push(Line {
            question: question.name(),
            ours: Percentiles::of(times),
            answer_bytes: bytes,
            theirs,
        });
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&lines)?)
    } else {
        print(&lines)
    }
    Ok(())
}

fn print(lines: &[Line]) {
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>10} | {:>9} {:>9}",
        "question", "p50", "p99", "max", "bytes", "theirs", "p99"
    );
    for Line { question, ours, answer_bytes, theirs } in lines {
        let theirs =
            theirs.map_or(("-".to_owned(), "-".to_owned()), |theirs| (ms(theirs.p50_ms), ms(theirs.p99_ms)));
        let bytes = grouped(*answer_bytes as u64);
        println!(
            "{question:<44} {:>9} {:>9} {:>9} {bytes:>10} | {:>9} {:>9}",
            ms(ours.p50_ms),
            ms(ours.p99_ms),
            ms(ours.max_ms),
            theirs.0,
            theirs.1
        );
    }
}

fn ms(ms: f64) -> String {
    format!("{ms:.1} ms")
}

/// The URLs that answer a question together.
type Urls = Arc<dyn Fn(Question, &Subject, Micros) -> Vec<Url> + Send + Sync>;

/// Asks one question about many subjects.
#[derive(Clone)]
struct Asker {
    client: Client,
    question: Question,
    subjects: Arc<Vec<Subject>>,
    to: Micros,
}

impl Asker {
    /// How long each time took, and the mean size of an answer. The first time of each connection is not counted.
    async fn ask(&self, args: &Args, urls: Urls) -> anyhow::Result<(Vec<Duration>, usize)> {
        let turn = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..args.concurrency {
            let (asker, urls, turn, most) =
                (self.clone(), Arc::clone(&urls), Arc::clone(&turn), args.times as usize);
            workers.spawn(async move {
                let (mut times, mut bytes) = (Vec::new(), 0);
                asker.once(&urls, asker.subjects.len() - 1).await?;
                loop {
                    let n = turn.fetch_add(1, Ordering::Relaxed);
                    if n >= most {
                        return anyhow::Ok((times, bytes));
                    }
                    let began = Instant::now();
                    bytes += asker.once(&urls, n).await?;
                    times.push(began.elapsed());
                }
            });
        }
        let (mut all, mut sum) = (Vec::new(), 0);
        while let Some(done) = workers.join_next().await {
            let (times, bytes) = done.context("a worker failed")??;
            all.extend(times);
            sum += bytes;
        }
        let mean = sum / all.len().max(1);
        Ok((all, mean))
    }

    /// Asks about one subject and reads the answer to its end; says how large it was.
    async fn once(&self, urls: &Urls, n: usize) -> anyhow::Result<usize> {
        let subject = &self.subjects[n % self.subjects.len()];
        let mut asked = JoinSet::new();
        // A dashboard asks at the same time what makes one panel.
        for url in urls(self.question, subject, self.to) {
            let client = self.client.clone();
            asked.spawn(async move { get(&client, url).await.map(|text| text.len()) });
        }
        let mut bytes = 0;
        while let Some(done) = asked.join_next().await {
            bytes += done.context("a request failed")??;
        }
        Ok(bytes)
    }
}

/// An answer that is there and not empty.
async fn get(client: &Client, url: Url) -> anyhow::Result<String> {
    let answer = client
        .get(url.clone())
        .timeout(ANSWER)
        .send()
        .await
        .with_context(|| format!("no answer to {url}"))?;
    let status = answer.status();
    let text = answer.text().await.with_context(|| format!("the answer to {url} broke off"))?;
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    let empty =
        ["\"groups\":[]", "\"items\":[]", "\"result\":[]"].iter().any(|nothing| text.contains(nothing));
    // A service without a failure is a good one.
    ensure!(!empty || url.path().ends_with("/evidence"), "{url} has no answer: is the history there?");
    Ok(text)
}

/// Makes sure that both stores have the same runs of a check in the last 24 hours.
async fn compare(
    client: &Client,
    collector: &Url,
    store: &Url,
    of: &Subject,
    to: Micros,
) -> anyhow::Result<()> {
    let day = Question::Check { days: 1, buckets: 1 };
    let ours: Value = serde_json::from_str(&get(client, day.ours(collector, of, to)).await?)?;
    let groups = ours["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sum = |name: &str| groups.iter().filter_map(|group| group["whole"][name].as_f64()).sum::<f64>();
    let counts = [("count_over_time", sum("runs")), ("sum_over_time", sum("ok"))];
    for (function, ours) in counts {
        let query = format!("sum({function}(probe_success{{check=\"{}\"}}[86400s]))", of.check());
        let theirs: Value = serde_json::from_str(&get(client, day.at_once(store, to, &query)).await?)?;
        let theirs: f64 = theirs["data"]["result"][0]["value"][1]
            .as_str()
            .and_then(|text| text.parse().ok())
            .context("the other store did not tell a number")?;
        let apart = (ours - theirs).abs() / ours.max(1.0);
        ensure!(
            ours > 0.0 && apart <= TOLERANCE,
            "the stores have not the same runs: by {function} of check {} ours has {ours}, the other {theirs}",
            of.check()
        );
        eprintln!("{function} of 24 h of check {}: ours {ours}, the other's {theirs}", of.check());
    }
    Ok(())
}
