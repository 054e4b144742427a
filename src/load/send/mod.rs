//! `sextant load send`: plays all probes of a configuration over real HTTP, and measures how the collector keeps up.
//!
//! It is an open loop: every report has a time at which it is due, whatever the collector does, and its latency counts
//! from that time, so that waiting in a queue of ours is not hidden (*coordinated omission*). What probes do to make a
//! report (measure, spool, pack) is done before the clock starts, so that this program takes little of the processors
//! that it shares with the collector; [`piece`] says how.

mod outcome;
mod piece;
mod plan;
mod uplink;
mod verify;

use super::{figures::grouped, process};
use anyhow::Context;
use clap::value_parser;
use outcome::Outcome;
use plan::{Plan, Volume};
use runtime::{
    clock::{SharedClock, SystemClock},
    random::Random,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use uplink::{Told, Way};
use url::Url;
use verify::Before;

/// Of each probe, so many of the last batches are sent again at the end.
const KEPT: usize = 3;

/// Sends reports of all probes at a rate, obeys Retry-After, and sends each until it is acknowledged. At the end it looks
/// whether the collector stored what it acknowledged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration document that the collector runs with; its token files must be readable.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The collector's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8600")]
    collector: Url,
    /// Samples a second, of all probes together.
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..))]
    rate: u32,
    /// How long to send, seconds.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Samples in each report. A probe gathers up to 500 in half a second.
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=500))]
    samples_per_report: u32,
    /// The most memory for reports that wait for their time, MiB.
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    memory: usize,
    /// The collector's process, to tell its processor time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// How long to go on at the end until everything is acknowledged, seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Sends, and prints how it went.
///
/// # Errors
/// When a report was not acknowledged, or the collector has not stored what it acknowledged.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (config, _) = collector::config::load(&args.config)?;
    let clock = SystemClock::shared();
    let vantages = plan::vantages(&config)?;
    let client = runtime::tls::http_client(Duration::from_secs(5))?;
    let volume = Volume {
        rate: f64::from(args.rate),
        length: Duration::from_secs(args.seconds.into()),
        samples_per_report: args.samples_per_report as usize,
        memory: args.memory << 20,
    };
    let series: usize = vantages.iter().map(|vantage| vantage.series.len()).sum();
    eprintln!(
        "{} probes, {} series: packing {} s of reports before the clock starts",
        vantages.len(),
        grouped(series as u64),
        args.seconds
    );
    let now = clock.clone();
    let plan = tokio::task::spawn_blocking(move || plan::make(vantages, volume, || now.now())).await??;
    let before = Before::ask(&client, &args.collector, &config, plan.begin, volume.length).await?;
    let way = way(&args, client, clock, &plan);
    let mut outcome = Outcome::of(&plan, series);
    let told = played(&args, &way, plan, &mut outcome).await?;
    outcome.stored = before.compare(&way, &told, outcome.acknowledged_samples).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{outcome}");
    }
    outcome.judge()
}

fn way(args: &Args, client: reqwest::Client, clock: SharedClock, plan: &Plan) -> Way {
    let late = clock.now().since(plan.begin);
    if late > 0 {
        eprintln!(
            "packing took longer than expected: all samples are {:.1} s older than they should be",
            late as f64 / 1e6
        );
    }
    let begin = Instant::now() + plan::until(plan.begin, clock.now());
    let end = begin + Duration::from_secs(u64::from(args.seconds) + args.patience);
    Way { client, collector: args.collector.clone(), clock, random: Random::from_os(), begin, end }
}

/// How a probe fared, and the token it used.
type Fared = (Arc<str>, Told);

/// Plays all probes to the end.
async fn played(args: &Args, way: &Way, plan: Plan, outcome: &mut Outcome) -> anyhow::Result<Vec<Fared>> {
    let pid = args.pid.map(|pid| pid.to_string());
    tokio::time::sleep_until(way.begin).await;
    let used = |process: &str| process::usage(process);
    let (theirs, ours) = (pid.as_deref().map(used).transpose()?, used("self")?);
    let mut probes = JoinSet::new();
    for (vantage, queue) in plan.queues {
        let (way, token) = (way.clone(), Arc::<str>::from(vantage.token));
        probes.spawn(async move { (Arc::clone(&token), uplink::run(way, token, queue).await) });
    }
    let mut told = Vec::new();
    while let Some(fared) = probes.join_next().await {
        told.push(fared.context("a probe's task failed")?);
    }
    outcome.took_s = way.begin.elapsed().as_secs_f64();
    outcome.tool_cpu_s = used("self")?.cpu_s - ours.cpu_s;
    if let (Some(pid), Some(before)) = (&pid, theirs) {
        let after = used(pid)?;
        outcome.collector_cpu_s = Some(after.cpu_s - before.cpu_s);
        outcome.collector_peak_rss_mib = Some(after.peak_rss_mib);
    }
    outcome.add(&told);
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        let parse = |rate| Command::try_parse_from(["send", "--config", "c.yaml", "--rate", rate]);
        assert!(parse("0").is_err() && parse("-1").is_err());
        assert_eq!(parse("1").expect("a rate").args.rate, 1);
    }
}
