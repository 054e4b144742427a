//! `sextant backup`: the whole database in one file, made while the collector runs.

use crate::{
    place::{Chosen, Place},
    version::VERSION,
};
use anyhow::{Context, ensure};
use collector::{
    backup::{
        Key, Summary,
        file::{self, Out, Output},
    },
    store::backup::{Progress, Source},
};
use runtime::{
    clock::{Clock, SystemClock},
    random::Random,
};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often a long table tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Copies the whole database into one file, while the collector runs.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// The file to write, whole or not at all; an older one of that name is replaced. `-` is stdout.
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Encrypt with the key in this file, which `sextant secret backup` makes.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read a backup from its first byte to its last, and say whether it is whole. Needs no database.
    Verify(Verify),
}

/// Looks whether a backup is whole.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The backup; `-` is stdin.
    file: PathBuf,
    /// The file with its key, when it is encrypted.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Makes or verifies one.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Command::Verify(args)) = args.command {
        return verify(&args);
    }
    let key = key(args.key_file.as_deref())?;
    let path = args.out.context("--out is missing")?;
    // Before the snapshot: everything that was committed by then is in the archive.
    let now = SystemClock.now();
    let source = match args.place.choose() {
        Chosen::Folder(folder) => Source::folder(&folder).await?,
        Chosen::Postgres(url) => Source::postgres(&url).await?,
    };
    let seal = key.as_ref().map(|key| (key, Random::from_os().bytes()));
    let summary = if path == Path::new("-") {
        ensure!(
            !io::stdout().is_terminal(),
            "--out - writes the archive to stdout: lead that into a file or a program"
        );
        let out = Out::begin(io::stdout(), seal).context("cannot write to stdout")?;
        dump(source, out, now).await?
    } else {
        let output = Output::create(&path)?;
        let out =
            Out::begin(output.file(), seal).with_context(|| format!("cannot write {}", path.display()))?;
        let summary = dump(source, out, now).await?;
        output.finish()?;
        summary
    };
    tell(&summary);
    Ok(())
}

async fn dump<W: Write>(source: Source, out: Out<W>, now: wire::Micros) -> anyhow::Result<Summary> {
    let mut teller = Teller::default();
    let (out, mut summary) = source.dump(out, now, VERSION, |progress| teller.tell(progress)).await?;
    summary.sealed = matches!(out, Out::Sealed(_));
    out.finish().context("cannot write the archive: look whether the disk is full, or who reads the pipe")?;
    Ok(summary)
}

fn verify(args: &Verify) -> anyhow::Result<()> {
    let key = key(args.key_file.as_deref())?;
    let summary = file::open(input(&args.file)?, key.as_ref())?.verify()?;
    for (table, rows) in &summary.tables {
        eprintln!("{:<24}{rows:>14} rows", table.name);
    }
    tell(&summary);
    Ok(())
}

/// Opens an archive, or stdin for `-`.
pub fn input(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?))
}

/// Reads a key, if one is named.
pub fn key(path: Option<&Path>) -> anyhow::Result<Option<Key>> {
    Ok(path.map(file::key).transpose()?)
}

/// Says what an archive holds, to stderr: stdout may be the archive.
pub fn tell(summary: &Summary) {
    let header = &summary.header;
    eprintln!(
        "{} rows of {} tables, as of {}; {} of {}, schema {}, made by version {}{}",
        summary.rows(),
        summary.tables.len(),
        header.created,
        header.engine,
        header.instance,
        header.schema,
        header.program,
        if summary.sealed { ", encrypted" } else { "" },
    );
}

/// Tells how far it is: each table at its end, and long ones now and then.
#[derive(Debug)]
pub struct Teller(Instant);

impl Default for Teller {
    fn default() -> Self {
        Teller(Instant::now())
    }
}

impl Teller {
    /// Tells it, if it is time.
    pub fn tell(&mut self, progress: Progress<'_>) {
        let Progress { table, rows, done, bytes } = progress;
        if !done && self.0.elapsed() < TELL_EVERY {
            return;
        }
        self.0 = Instant::now();
        let end = if done { "" } else { " so far" };
        eprintln!("{table:<24}{rows:>14} rows{end} ({} MiB in all)", bytes >> 20);
    }
}
