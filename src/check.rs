//! `sextant check`: is the configuration right?

use crate::exit::{CONFIGURATION, Coded};
use collector::config;
use std::path::{Path, PathBuf};

/// Validates a configuration document. Every problem is listed, with line and column.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The document.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, in the words of `sextant collector`.
    #[arg(long, env = "SEXTANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints what is wrong or what was found.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = args.file.as_deref().or(args.config.as_deref()).unwrap_or(Path::new("sextant.yaml"));
    let (config, _) =
        config::load(file).map_err(|error| Coded { code: CONFIGURATION, source: error.into() })?;
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
