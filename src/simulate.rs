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
        println!("{}  {:<14} {}", decision.at, decision.kind.to_string(), decision.title);
    }
    for difference in &replay.differences {
        match difference {
            Difference::OnlyLive(what) => println!("only live:     {what}"),
            Difference::OnlyReplayed(what) => println!("only replayed: {what}"),
        }
    }
    if let Some(cause) = probable_cause(replay) {
        println!("{cause}");
    }
    let Replay { passes, entries, terms, plans, decisions, .. } = replay;
    println!(
        "{passes} passes over {entries} log entries in {terms} terms gave {} decisions and {plans} plans; {}",
        decisions.len(),
        if replay.differences.is_empty() { "all as they were made live" } else { "they differ" },
    );
}

/// Why decisions may differ, where the database tells.
fn probable_cause(replay: &Replay) -> Option<String> {
    if replay.differences.is_empty() {
        return None;
    }
    let last = replay.erased.last()?;
    let times = match replay.erased.len() {
        1 => format!("at {last}"),
        times => format!("{times} times, at last at {last}"),
    };
    Some(format!(
        "Probable cause: what was measured in this range was erased on request {times}, so that not all is there any more \
         that was decided from."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_is_a_cause_only_of_differences() {
        let at = Micros(1_795_000_000_000_000);
        let mut replay = Replay { erased: vec![at], ..Replay::default() };
        assert_eq!(probable_cause(&replay), None);
        replay.differences.push(Difference::OnlyLive("x".into()));
        let cause = probable_cause(&replay).expect("a cause");
        assert!(cause.contains(&format!("erased on request at {at}")), "{cause}");
        replay.erased.insert(0, at);
        assert!(probable_cause(&replay).expect("a cause").contains("2 times, at last"), "{replay:?}");
        replay.erased.clear();
        assert_eq!(probable_cause(&replay), None);
    }
}
