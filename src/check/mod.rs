//! `sextant check`: is the configuration right, and what does one check see from here?

mod explain;
mod import;
mod junit;
mod run;

use crate::exit::{CONFIGURATION, Coded};
use collector::config::{self, Config};
use std::path::{Path, PathBuf};

/// Validates a configuration document. Every problem is listed, with line and column.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    document: Document,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run one check at once, from here, and explain what was sent, received and expected.
    Run(run::Args),
    /// Make a journey from a browser's recording (HAR) or from curl commands.
    Import(import::Args),
}

/// Which document.
#[derive(Debug, clap::Args)]
struct Document {
    /// The document.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, in the words of `sextant collector`.
    #[arg(long, env = "SEXTANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Validates, or runs.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Some(Command::Run(args)) => run::run(args).await,
        Some(Command::Import(args)) => import::run(args),
        None => validate(&args.document),
    }
}

/// Prints what is wrong or what was found.
fn validate(document: &Document) -> anyhow::Result<()> {
    let file = document.file.as_deref().or(document.config.as_deref()).unwrap_or(Path::new("sextant.yaml"));
    let config = load(file)?;
    for warning in config::warnings(&config) {
        eprintln!("warning: {warning}");
    }
    println!(
        "{} is valid: {} regions, {} probes, {} services, {} checks, {} receivers.",
        file.display(),
        config.regions.len(),
        config.probes.len(),
        config.services.len(),
        config.checks.len(),
        config.receivers.len(),
    );
    Ok(())
}

/// Reads a document.
fn load(file: &Path) -> anyhow::Result<Config> {
    let loaded = config::load(file).map_err(|error| Coded { code: CONFIGURATION, source: error.into() })?;
    Ok(loaded.0)
}
