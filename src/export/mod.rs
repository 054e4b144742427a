//! `sextant export`: the history of a range as a file that standard tools read.

mod columns;
mod csv;
mod output;
mod table;

use crate::place::Place;
use anyhow::{Context, bail};
use clap::ValueEnum;
use collector::history::{
    export::{Export, Exported},
    known,
    query::selector::{Part, Selector},
};
use columns::Columns;
use csv::Csv;
use output::Output;
use runtime::clock::{Clock, SystemClock};
use std::{io, path::PathBuf};
use table::{Column, Value};
use wire::{CheckId, Micros, ProbeId, assignment::Target, instant::rfc3339};

/// Writes history of a time range to a file. A collector may be running; nothing in the database is changed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The beginning, an RFC 3339 instant such as 2026-11-20T00:00:00Z.
    #[arg(long, value_parser = rfc3339::parse, value_name = "INSTANT")]
    from: Micros,
    /// The end, which is not in it; now when left out.
    #[arg(long, value_parser = rfc3339::parse, value_name = "INSTANT")]
    to: Option<Micros>,
    /// Only these checks.
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    check: Vec<CheckId>,
    /// Only from these probes.
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    probe: Vec<ProbeId>,
    /// Only against these targets: regions, or `public`.
    #[arg(long, value_delimiter = ',', value_name = "TARGET,…")]
    target: Vec<Target>,
    /// What to write.
    #[arg(long, value_enum, default_value_t = What::Samples)]
    what: What,
    /// The form of the file; by its ending when left out.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file, which appears when it is whole; `-` writes CSV to stdout.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Every run, and every step of a journey.
    Samples,
    /// Counts and latencies of whole hours.
    Rollups,
    /// What is kept of failing and slow runs.
    Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Parquet,
    Csv,
}

/// A file of rows.
trait Sheet {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()>;

    /// Writes what is left.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Exports, and says how much.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let format = format(&args)?;
    let to = args.to.unwrap_or_else(|| SystemClock.now());
    if args.from >= to {
        bail!("--from, {}, is not before --to, {to}: nothing lies between", args.from);
    }
    let store = args.place.read().await?;
    let selector = Selector {
        checks: args.check.into_iter().map(String::from).collect(),
        probes: args.probe.into_iter().map(String::from).collect(),
        targets: args.target.into_iter().map(String::from).collect(),
        part: Part::Every,
    };
    if let Err(error) = known::require(&store, &names(&selector)).await {
        store.close().await;
        bail!(error);
    }
    let export = Export { store: store.clone(), selector, range: args.from.0..to.0 };
    let output = Output::create(&args.out)?;
    let exported = write(&export, args.what, format, &output).await;
    store.close().await;
    let exported = exported.with_context(|| format!("{} was not written", args.out.display()))?;
    output.finish()?;
    let what = match args.what {
        What::Samples => "runs",
        What::Rollups => "hours of series",
        What::Evidence => "pieces of evidence",
    };
    eprintln!("{} {what} from {} to {to}", exported.rows, args.from);
    if exported.damaged > 0 {
        bail!(
            "{} stored parts of the history are damaged and not in the file; the lines before say which",
            exported.damaged
        );
    }
    Ok(())
}

/// A file without rows must mean that there were none, and not that a name was mistyped.
fn names(selector: &Selector) -> known::Names {
    let Selector { checks, probes, targets, .. } = selector.clone();
    known::Names { checks, probes, targets }
}

fn format(args: &Args) -> anyhow::Result<Format> {
    let ending = args.out.extension().and_then(|ending| ending.to_str());
    let stdout = args.out.as_os_str() == "-";
    match (args.format, ending) {
        (Some(Format::Parquet), _) if stdout => bail!("Parquet cannot be written to stdout: name a file"),
        (Some(format), _) => Ok(format),
        (None, Some("parquet")) => Ok(Format::Parquet),
        (None, Some("csv")) => Ok(Format::Csv),
        (None, _) if stdout => Ok(Format::Csv),
        (None, _) => bail!("say --format parquet or --format csv: {} tells neither", args.out.display()),
    }
}

async fn write(export: &Export, what: What, format: Format, output: &Output) -> anyhow::Result<Exported> {
    let sheet = |columns: &[Column]| -> io::Result<Box<dyn Sheet>> {
        Ok(match format {
            Format::Parquet => Box::new(Columns::new(output.writer()?, columns)?),
            Format::Csv => Box::new(Csv::new(output.writer()?, columns)?),
        })
    };
    let (sheet, exported) = match what {
        What::Samples => {
            let mut sheet = sheet(table::SAMPLES)?;
            let exported = export.samples(|key, row| sheet.row(table::sample(key, row))).await?;
            (sheet, exported)
        }
        What::Rollups => {
            let mut sheet = sheet(table::ROLLUPS)?;
            let each = |key: &_, hour, rollup: &_| sheet.row(table::rollup(key, hour, rollup));
            let exported = export.rollups(each).await?;
            (sheet, exported)
        }
        What::Evidence => {
            let mut sheet = sheet(table::EVIDENCE)?;
            let exported = export.evidence(|evidence| sheet.row(table::evidence(evidence))).await?;
            (sheet, exported)
        }
    };
    sheet.finish()?;
    Ok(exported)
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

    #[tokio::test]
    async fn a_name_that_nobody_knows_gives_no_file() {
        let (folder, store) = crate::place::tests::shop().await;
        let out = folder.path().join("out.csv");
        let (data, file) = (folder.path().display(), out.display());
        let export = async |words: &str| {
            let words = format!("export --data {data} --from 2026-11-20T00:00:00Z --out {file} {words}");
            run(Command::try_parse_from(words.split_whitespace()).expect("parsed").args).await
        };
        for what in ["samples", "rollups", "evidence"] {
            let error = export(&format!("--check shop-helth --what {what}")).await.expect_err("refused");
            assert!(error.to_string().contains("did you mean shop-health?"), "{error}");
            assert!(!out.exists(), "{what}");
            export(&format!("--check shop-health,shop-health --what {what}"))
                .await
                .expect("known, and no rows");
            assert!(out.exists(), "{what}");
            std::fs::remove_file(&out).expect("it is there");
        }
        let error = export("--check shop-health --probe probe-nroth").await.expect_err("refused");
        assert!(error.to_string().contains("did you mean probe-north?"), "{error}");
        store.close().await;
    }
}
