//! `sextant probe`: a vantage as a process. What it does is in `probe::cli`, which the slim binary shares.

use crate::exit::Coded;
use runtime::telemetry::LogFormat;

/// Measures from one region and reports to the collector. It goes on measuring while the collector is away.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    probe: probe::cli::Args,
}

impl Args {
    /// The runtime with as many threads as the options say.
    pub fn runtime(&self) -> std::io::Result<tokio::runtime::Runtime> {
        self.probe.runtime()
    }
}

/// Runs until SIGTERM.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    probe::cli::run(args.probe, format).await.map_err(|error| match error.exit_code() {
        1 => error.into(),
        code => Coded { code, source: error.into() }.into(),
    })
}
