//! `sextant probe evidence`: reads what stays on this probe, also while it runs.

use crate::residency::{self, FindError, Record};
use std::{
    io::{self, Write},
    path::PathBuf,
};
use wire::sample::Outcome;

/// Reads kept evidence.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// One line for each piece of evidence, the newest last: when, hash, check, target, outcome.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// What one failing run saw. Say the hash that the collector shows, or its first 8 digits or more.
    Show {
        #[arg(value_name = "HASH")]
        hash: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The data folder of the probe.
    #[arg(long, env = "SEXTANT_PROBE_DATA", default_value = "sextant-probe-data", value_name = "DIR")]
    data: PathBuf,
}

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Find(#[from] FindError),
    #[error("the evidence {0} is not what the probe hashed when it saw it: somebody changed it")]
    Changed(String),
    #[error("cannot write")]
    Write(#[from] io::Error),
}

/// Does it.
///
/// # Errors
/// When the folder cannot be read, or the evidence is not there or was changed.
pub fn run(args: &Args, out: &mut impl Write) -> Result<(), Error> {
    let folder = |place: &Place| place.data.join(residency::FOLDER);
    let text = match &args.action {
        Action::List { place } => residency::list(&folder(place))?.iter().map(line).collect(),
        Action::Show { hash, place } => told(&residency::find(&folder(place), hash)?)?,
    };
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn line(record: &Record) -> String {
    let Record { hash, check, target, started, outcome, .. } = record;
    format!("{started}  {hash}  {check}  {target}  {}\n", word(*outcome))
}

fn told(record: &Record) -> Result<String, Error> {
    let content = record.content().ok_or_else(|| Error::Changed(record.hash.clone()))?;
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        // Evidence has no control characters but line ends and tabs; what else a changed file may hold is no order to a
        // terminal.
        let value: String = value.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        text.push_str(&format!("{name:<10}{}\n", value.trim_end().replace('\n', "\n          ")));
    };
    row("hash", &record.hash);
    row("probe", record.probe.as_str());
    row("check", record.check.as_str());
    row("target", &record.target.to_string());
    row("started", &record.started.to_string());
    row("outcome", &word(record.outcome));
    if let Some(step) = &record.step {
        row("step", step);
    }
    if let Some(summary) = &content.summary {
        row("summary", summary);
    }
    for (address, summary) in &content.addresses {
        row("address", &format!("{address}: {summary}"));
    }
    for url in &content.hops {
        row("redirect", url);
    }
    for name in &content.served_by {
        row("served by", name);
    }
    if let Some(excerpt) = &content.excerpt {
        row("body", excerpt);
    }
    Ok(text)
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "slow".to_owned(),
        Outcome::Fail(class) => class.to_string(),
        Outcome::Missed => "missed".to_owned(),
        Outcome::Unsupported => "unsupported".to_owned(),
    }
}
