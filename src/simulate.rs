//! `sextant simulate`: makes the decisions of a time range again, from the log, and compares them with those of then.

use crate::place::Place;
use anyhow::bail;
use collector::replay::{self, Difference, Missing, Replay};
use runtime::clock::{Clock, SystemClock};
use wire::Micros;

/// Replays a range of the log through the decision core and compares with what was decided live.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// From when on, as 2026-11-21T06:00:00Z; an hour ago when left out.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Micros>,
    /// Until when; now when left out.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Micros>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Reads an instant of RFC 3339.
pub fn instant(text: &str) -> Result<Micros, String> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed
        .map(|at| Micros(at.as_microsecond()))
        .map_err(|_| format!("{text:?} is no instant; write it as 2026-11-21T06:00:00Z"))
}

/// Replays, prints, and fails when something differs.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let to = args.to.unwrap_or_else(|| SystemClock.now());
    let from = args.from.unwrap_or_else(|| to.plus_us(-3_600_000_000));
    if from > to {
        bail!("--from is after --to: nothing lies between");
    }
    let store = args.place.read().await?;
    let replay = replay::run(&store, from, to).await?;
    store.close().await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&replay)?);
    } else {
        print(&replay);
    }
    if !replay.differences.is_empty() {
        bail!("{} decisions differ from those that were made live", replay.differences.len());
    }
    Ok(())
}

fn print(replay: &Replay) {
    if let Some(Missing { from, to, why }) = &replay.missing {
        println!(
            "Not from the beginning: {from} to {to} is missing, and all that follows is of later. {why}"
        );
    }
    for decision in &replay.decisions {
        let at =
            jiff::Timestamp::from_microsecond(decision.at.0).map(|at| at.to_string()).unwrap_or_default();
        println!("{at}  {:<14} {}", decision.kind.to_string(), decision.title);
    }
    for difference in &replay.differences {
        match difference {
            Difference::OnlyLive(what) => println!("only live:     {what}"),
            Difference::OnlyReplayed(what) => println!("only replayed: {what}"),
        }
    }
    let Replay { passes, entries, terms, plans, decisions, .. } = replay;
    println!(
        "{passes} passes over {entries} log entries in {terms} terms gave {} decisions and {plans} plans; {}",
        decisions.len(),
        if replay.differences.is_empty() { "all as they were made live" } else { "they differ" },
    );
}
