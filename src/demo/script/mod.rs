//! Scripts: the demo without a person, with a result that a machine can read.

mod measure;
mod outage;
mod summary;

use super::{Stage, cast::Cast, narrate::Narrator};
use anyhow::bail;
use lab::world::{How, WorldConfig};
use serde::Serialize;
use std::time::Duration;
use summary::Summary;

/// The scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Break a region, wait until traffic was proved to have moved, heal it, wait until all users are back.
    Outage,
    /// Break a region for three seconds: nothing may move.
    Blip,
}

/// What a script found, printed with `--json`.
#[derive(Debug, Serialize)]
struct Result {
    script: Name,
    how: How,
    region: String,
    /// Whether every run did what it should.
    closed: bool,
    runs: Vec<outage::Run>,
    summary: Summary,
}

/// Refuses what cannot be played, before anything is started.
pub fn check(stage: &Stage) -> anyhow::Result<()> {
    let Some(script) = stage.script else { return Ok(()) };
    let shops = WorldConfig::new(stage.seed, "").shop_regions;
    if !shops.contains(&stage.region) {
        bail!("there is no shop in {:?} to break: use one of {}", stage.region, shops.join(", "));
    }
    if script == Name::Outage && matches!(stage.how, How::Slow | How::Lag) {
        bail!(
            "the outage script cannot use --how {}: that degrades a region, and nobody is moved for it",
            stage.how
        );
    }
    Ok(())
}

/// Plays a script as often as asked.
pub async fn play(script: Name, stage: &Stage, cast: &Cast, out: &Narrator) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for number in 1..=stage.runs {
        out.say(&format!("--- {script:?} {number} of {}: {} by {} ---", stage.runs, stage.region, stage.how));
        let run = match script {
            Name::Outage => outage::play(stage, cast).await?,
            Name::Blip => outage::blip(stage, cast, Duration::from_secs(3)).await?,
        };
        out.say(&run.to_string());
        runs.push(run);
    }
    let summary = Summary::of(&runs);
    let closed = runs.iter().all(|run| run.closed);
    if runs.len() > 1 {
        out.say(&summary.to_string());
    }
    let problems: Vec<String> = runs.iter().flat_map(|run| run.problems.clone()).collect();
    let result = Result { script, how: stage.how, region: stage.region.clone(), closed, runs, summary };
    if stage.json {
        println!("{}", serde_json::to_string_pretty(&result)?);
    }
    if !closed {
        bail!("the loop did not close: {}", problems.join("; "));
    }
    Ok(())
}
