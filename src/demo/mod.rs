//! `sextant demo`: the whole loop on one machine.
//!
//! Only the shop, its entrance and the links between regions are demo code (the `lab` crate). The probes, the
//! collector and the dashboard are the ones of production, with a configuration that [`folder`] writes to disk for
//! you to copy. [`cast`] starts everybody, [`narrate`] tells what happens, [`script`] breaks things without a person.

mod cast;
mod control;
mod folder;
mod narrate;
mod panel;
mod script;

use clap::{Parser, Subcommand};
use lab::world::How;
use runtime::{
    signal,
    telemetry::{self, LogFormat},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Runs a small world on this machine.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    stage: Stage,
}

/// How the demo is staged.
#[derive(Debug, clap::Args)]
pub struct Stage {
    /// Where the dashboard is served.
    #[arg(long, default_value = "127.0.0.1:8600", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// The folder for the configuration, secrets and databases; what an earlier demo left there is replaced.
    #[arg(long, default_value = "sextant-demo", value_name = "DIR")]
    pub dir: PathBuf,
    /// Seed of the links' jitter and the users' choices.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Play a script instead of waiting for you.
    #[arg(long, value_name = "NAME")]
    pub script: Option<script::Name>,
    /// How the script breaks the region.
    #[arg(long, default_value = "refuse", requires = "script", value_name = "HOW")]
    pub how: How,
    /// Which region the script breaks.
    #[arg(long, default_value = "eu-west-1", requires = "script", value_name = "REGION")]
    pub region: String,
    /// How many times the script is played; with more than one, median and worst are printed.
    #[arg(long, default_value_t = 1, requires = "script", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub runs: u16,
    /// End after the script: exit code 0 only if the loop closed every time.
    #[arg(long, requires = "script")]
    pub exit: bool,
    /// Print the script's result as JSON on stdout, and everything else on stderr.
    #[arg(long, requires = "script")]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Break a region of the demo that is running.
    Break {
        /// The region.
        region: String,
        /// refuse, blackhole, errors, slow, partition or lag.
        #[arg(long, default_value = "refuse")]
        how: How,
        /// Heal by itself after this time, for example 60s; until `heal` when not given.
        #[arg(long = "for", value_parser = seconds, value_name = "TIME")]
        duration: Option<Duration>,
        #[command(flatten)]
        place: control::Place,
    },
    /// End every fault of the demo that is running.
    Heal {
        #[command(flatten)]
        place: control::Place,
    },
}

/// `60s`, `2m` or plain seconds; at least one second.
fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('s') {
        Some(number) => (number, 1),
        None => text.strip_suffix('m').map_or((text, 1), |number| (number, 60)),
    };
    match number.parse::<u64>().map(|n| n.saturating_mul(unit)) {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("use seconds or minutes from 1s to 1440m, for example 60s".into()),
    }
}

/// Stages the demo, or speaks to the one that is running.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    match args.command {
        Some(Command::Break { region, how, duration, place }) => {
            control::break_region(&place, &region, how, duration).await
        }
        Some(Command::Heal { place }) => control::heal(&place).await,
        None => stage(&args.stage, format).await,
    }
}

async fn stage(stage: &Stage, format: LogFormat) -> anyhow::Result<()> {
    script::check(stage)?;
    // The narration tells what happens; the logs of five probes and a collector would drown it.
    telemetry::default_filter("warn");
    let telemetry = telemetry::init("demo", format)?;
    let cast = cast::Cast::start(stage).await?;
    let mut out = narrate::Narrator::new(stage.json);
    out.welcome(&cast);
    let played = match stage.script {
        None => {
            tokio::select! {
                stopped = signal::stop_requested() => stopped.map_err(Into::into),
                () = narrate::timeline(&cast, &out) => Ok(()),
                ended = cast.ended() => ended,
            }
        }
        Some(script) => {
            tokio::select! {
                stopped = signal::stop_requested() => stopped.map_err(Into::into),
                played = script::play(script, stage, &cast, &out) => played,
                () = narrate::timeline(&cast, &out) => Ok(()),
                ended = cast.ended() => ended,
            }
        }
    };
    if stage.script.is_some() && !stage.exit && played.is_ok() {
        out.say("The script is over; the demo goes on until Ctrl-C.");
        tokio::select! {
            stopped = signal::stop_requested() => stopped?,
            () = narrate::timeline(&cast, &out) => {}
            ended = cast.ended() => ended?,
        }
    }
    out.say("Stopping: probes send what they have, the collector commits it.");
    let stopped = cast.stop().await;
    telemetry.shutdown().await;
    played?;
    stopped
}
