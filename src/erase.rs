//! `sextant erase`: forgets measurements on request, also while collectors run.

use crate::{place::Place, simulate::instant};
use anyhow::bail;
use collector::history::{Erased, Selection, erase, known};
use collector::store::Store;
use runtime::clock::{Clock, SystemClock};
use wire::{CheckId, Micros, ProbeId, assignment::Target};

/// Forgets measurements of checks, probes, targets and times: runs, roll-ups, evidence, and what the log has of them.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("how").required(true).args(["dry_run", "yes"]),
    after_help = "What is named together must all be true of a run. Runs that are measured afterwards are kept. The \
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
    #[arg(long)]
    dry_run: bool,
    /// Forget it, for ever.
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Forgets, or counts, and says what.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let what = Selection {
        check: args.check.clone().map(String::from),
        probe: args.probe.clone().map(String::from),
        target: args.target.clone().map(String::from),
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
    let place = args.place.clone();
    // Who only counts changes nothing, not even the schema.
    let store = if args.dry_run { place.read().await? } else { place.open().await? };
    let erased = known_and_erased(&store, &what, &args).await;
    store.close().await;
    let erased = erased?;
    let told = Told { erased, unsealed: unsealed(&erased, &args) };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        print(&told, args.dry_run);
    }
    Ok(())
}

/// Forgets nothing by a name that nobody knows: whoever asked for it believes that it is gone.
async fn known_and_erased(store: &Store, what: &Selection, args: &Args) -> anyhow::Result<Erased> {
    known::require(store, &what.into()).await?;
    Ok(erase(store, what, args.evidence_only, args.dry_run, SystemClock.now()).await?)
}

/// What was, or would be, forgotten, for programs and for people.
#[derive(Debug, serde::Serialize)]
struct Told {
    #[serde(flatten)]
    erased: Erased,
    /// What happens to runs that are in the log only, and are not counted as runs therefore.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsealed: Option<String>,
}

/// The samples in the log may be all that there is of a run: it is sealed into history some minutes later. Only evidence goes
/// when only that was asked for.
fn unsealed(Erased { samples, .. }: &Erased, args: &Args) -> Option<String> {
    let told = match args {
        Args { evidence_only: true, .. } => return None,
        Args { dry_run: true, .. } if *samples == 0 => return None,
        Args { dry_run: true, .. } => format!(
            "Runs that are not sealed yet are counted among the {samples} samples in the log, and not as runs: they would be \
             hidden within seconds, and never sealed."
        ),
        _ => "Runs that were not sealed yet are hidden within seconds, and are never sealed.".to_owned(),
    };
    Some(told)
}

fn print(Told { erased, unsealed }: &Told, dry: bool) {
    let Erased { position, runs, segments, rollups, rollups_again, evidence, samples, unreadable } = erased;
    println!("{}", if dry { "This would be forgotten:" } else { "Forgotten:" });
    println!("  {runs} runs in {segments} segments");
    println!("  {rollups} hourly roll-ups; {rollups_again} made again from the runs that remain");
    println!("  {evidence} rows of evidence");
    println!("  {samples} samples in the log, up to its position {position}");
    if *unreadable > 0 {
        println!("{unreadable} entries of the log are damaged and cannot be read; they stay as they are");
    }
    if let Some(unsealed) = unsealed {
        println!("{unsealed}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &str) -> Result<Args, clap::Error> {
        let words = ["erase"].into_iter().chain(words.split_whitespace());
        Command::try_parse_from(words).map(|command| command.args)
    }

    #[test]
    fn nothing_is_forgotten_by_accident() {
        assert!(parse("--check shop").is_err(), "neither --dry-run nor --yes");
        assert!(parse("--check shop --yes --dry-run").is_err());
        assert!(parse("--check Shop --yes").is_err(), "no id");
        assert!(parse("--from yesterday --yes").is_err());
        let args = parse("--target public --from 2026-11-20T00:00:00Z --yes").expect("complete");
        assert_eq!((args.target, args.dry_run), (Some(Target::Public), false));
        assert_eq!(args.from, Some(Micros(1_795_132_800_000_000)));
    }

    #[test]
    fn both_ways_are_named_when_none_was_chosen() {
        let error = parse("--check shop").expect_err("neither").to_string();
        assert!(error.contains("--dry-run") && error.contains("--yes"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_not_forgotten_in_silence() {
        let (folder, store) = crate::place::tests::shop().await;
        let at = format!("--data {}", folder.path().display());
        for (named, said) in [
            ("--check shop-helth", "did you mean shop-health?"),
            ("--probe elsewhere", "the probes are: probe-north"),
            ("--target mars", "no target \"mars\""),
        ] {
            for how in ["--yes", "--dry-run", "--yes --evidence-only"] {
                let args = parse(&format!("{at} {named} {how}")).expect("parsed");
                let error = run(args).await.expect_err("refused").to_string();
                assert!(error.contains(said), "{named} {how}: {error}");
            }
        }
        run(parse(&format!("{at} --check shop-health --yes")).expect("parsed")).await.expect("known");
        store.close().await;
    }

    #[test]
    fn runs_that_are_not_sealed_are_told_of_also_by_who_only_counts() {
        let told = |how: &str, samples| {
            let erased = Erased { samples, ..Erased::default() };
            let args = parse(&format!("--check shop {how}")).expect("parsed");
            serde_json::to_value(Told { erased, unsealed: unsealed(&erased, &args) }).expect("JSON")
        };
        let dry = told("--dry-run", 29);
        assert_eq!((&dry["samples"], &dry["runs"]), (&29.into(), &0.into()));
        let sentence = dry["unsealed"].as_str().expect("a sentence");
        assert!(
            sentence.contains("not sealed yet are counted among the 29 samples in the log"),
            "{sentence}"
        );
        let done = told("--yes", 29);
        assert!(
            done["unsealed"].as_str().expect("a sentence").contains("are hidden within seconds"),
            "{done}"
        );
        for (how, samples) in
            [("--dry-run", 0), ("--dry-run --evidence-only", 29), ("--yes --evidence-only", 29)]
        {
            assert!(told(how, samples).get("unsealed").is_none(), "{how}");
        }
    }

    #[tokio::test]
    async fn counting_writes_nothing() {
        let (folder, store) = crate::place::tests::shop().await;
        store.close().await;
        let file = folder.path().join("sextant.db");
        let before = std::fs::read(&file).expect("the database");
        let how = format!("--data {} --check shop-health --dry-run", folder.path().display());
        run(parse(&how).expect("parsed")).await.expect("counted");
        assert!(std::fs::read(&file).expect("the database") == before, "not a byte is another");
    }

    #[tokio::test]
    async fn everything_is_never_meant() {
        let error = run(parse("--yes").expect("parsed")).await.expect_err("refused");
        assert!(error.to_string().contains("say what"), "{error}");
        let words = "--yes --from 2026-11-20T00:00:00Z --to 2026-11-20T00:00:00Z";
        let error = run(parse(words).expect("parsed")).await.expect_err("refused");
        assert!(error.to_string().contains("nothing lies between"), "{error}");
    }
}
