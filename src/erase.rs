//! `sextant erase`: forgets measurements on request, also while collectors run.

use crate::{place::Place, simulate::instant};
use anyhow::bail;
use collector::history::{Erased, Selection, erase};
use runtime::clock::{Clock, SystemClock};
use wire::{CheckId, Micros, ProbeId, assignment::Target};

/// Forgets measurements of checks, probes, targets and times: runs, roll-ups, evidence, and what the log has of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is named together must all be true of a run. Reports that arrive afterwards are kept. The \
                        timeline, plans, exports and backups are not touched."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Of this check only.
    #[arg(long, value_name = "CHECK")]
    check: Option<CheckId>,
    /// Of this probe only.
    #[arg(long, value_name = "PROBE")]
    probe: Option<ProbeId>,
    /// Of this target only: a region, or `public`.
    #[arg(long, value_name = "REGION")]
    target: Option<Target>,
    /// Runs that started at this instant or later, as 2026-11-21T06:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Micros>,
    /// Runs that started before this instant.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Micros>,
    /// Forget what failing and slow runs saw, and keep the runs and their timings.
    #[arg(long)]
    evidence_only: bool,
    /// Only count what would be forgotten.
    #[arg(long, required_unless_present = "yes")]
    dry_run: bool,
    /// Forget it, for ever.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Forgets, or counts, and says what.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let what = Selection {
        check: args.check.map(String::from),
        probe: args.probe.map(String::from),
        target: args.target.map(String::from),
        from: args.from.map(|at| at.0),
        to: args.to.map(|at| at.0),
    };
    if what == Selection::default() {
        bail!("say what is to be forgotten: name --check, --probe, --target, --from or --to");
    }
    if let (Some(from), Some(to)) = (what.from, what.to)
        && from >= to
    {
        bail!("--from is not before --to: nothing lies between");
    }
    let store = args.place.open().await?;
    let erased = erase(&store, &what, args.evidence_only, args.dry_run, SystemClock.now()).await;
    store.close().await;
    let erased = erased?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&erased)?);
    } else {
        print(&erased, args.dry_run);
    }
    Ok(())
}

fn print(erased: &Erased, dry: bool) {
    let Erased { position, runs, segments, rollups, rollups_again, evidence, samples } = erased;
    println!("{}", if dry { "This would be forgotten:" } else { "Forgotten:" });
    println!("  {runs} runs in {segments} segments");
    println!("  {rollups} hourly roll-ups; {rollups_again} made again from the runs that remain");
    println!("  {evidence} rows of evidence");
    println!("  {samples} samples in the log, up to its position {position}");
    if !dry {
        println!("Runs that were not sealed yet are hidden within seconds, and are never sealed.");
    }
}
