//! Sextant: multi-region synthetic monitoring that steers traffic around trouble, and proves it.
//!
//! One binary for every role. Each subcommand is a file here; what they do lives in the crates beside.

mod backup;
mod check;
mod collector;
mod demo;
mod erase;
mod evidence;
mod exit;
mod export;
mod load;
mod place;
mod probe;
mod restore;
mod secret;
mod simulate;
mod version;

use ::probe::cli::LogStyle;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Multi-region synthetic monitoring that steers traffic around trouble, and proves it.
#[derive(Debug, Parser)]
#[command(name = "sextant", version = version::VERSION, arg_required_else_help = true)]
#[command(
    after_help = "Try it: `sextant demo` breaks a world of its own. Logs go to stderr; SEXTANT_LOG filters \
                        them. Metrics and traces go out by OTLP when the OTEL_* variables say where."
)]
struct Cli {
    /// How log lines look.
    #[arg(long, global = true, env = "SEXTANT_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    log_format: LogStyle,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a small world on this machine: five regions, a shop, faults to order, and the loop that answers them.
    Demo(Box<demo::Args>),
    /// Run the centre: takes reports, decides, steers, shows.
    Collector(collector::Args),
    /// Run a probe, a vantage in one region: it measures and reports, and goes on while the collector is away.
    #[command(arg_required_else_help = false)]
    Probe(probe::Args),
    /// Validate a configuration document, or run one of its checks at once.
    Check(check::Args),
    /// Copy the whole database into one file, while the collector runs; or look whether such a file is whole.
    Backup(backup::Args),
    /// Fill a new, empty database from a file that `sextant backup` made.
    Restore(restore::Args),
    /// Put a collector under load, and measure it.
    Load(Box<load::Args>),
    /// Make the decisions of a time range again, from the log, and compare them with those of then.
    Simulate(simulate::Args),
    /// Open evidence that a collector has encrypted.
    Evidence(evidence::Args),
    /// Forget measurements on request, also while collectors run.
    Erase(erase::Args),
    /// Write the history of a time range to a Parquet or CSV file.
    Export(export::Args),
    /// Make a secret: a probe's token, a webhook key, a key of the mesh, of backups or of evidence.
    Secret(secret::Args),
}

fn main() -> ExitCode {
    runtime::tls::install();
    let cli = Cli::parse();
    let format = cli.log_format.into();
    // What runs for long prints little, and goes on without a reader.
    if !matches!(cli.command, Command::Collector(_) | Command::Probe(_) | Command::Demo(_)) {
        exit::quietly_when_nobody_reads();
    }
    let threads = match &cli.command {
        Command::Probe(args) => args.runtime(),
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    let done = match threads {
        Err(error) => Err(anyhow::Error::new(error).context("cannot start worker threads")),
        Ok(threads) => threads.block_on(async {
            match cli.command {
                Command::Demo(args) => demo::run(*args, format).await,
                Command::Collector(args) => collector::run(args, format).await,
                Command::Probe(args) => probe::run(args, format).await,
                Command::Check(args) => check::run(&args).await,
                Command::Backup(args) => backup::run(args).await,
                Command::Restore(args) => restore::run(args).await,
                Command::Load(args) => load::run(*args).await,
                Command::Simulate(args) => simulate::run(args).await,
                Command::Evidence(args) => evidence::run(&args),
                Command::Erase(args) => erase::run(args).await,
                Command::Export(args) => export::run(args).await,
                Command::Secret(args) => secret::run(&args),
            }
        }),
    };
    exit::code(done)
}
