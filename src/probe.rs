//! `sextant probe`: a vantage as a process. What it does is in `probe::cli`, which the slim binary shares.

use crate::exit::Coded;
use runtime::telemetry::LogFormat;

pub use probe::cli::Args;

/// Runs until SIGTERM.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    probe::cli::run(args, format).await.map_err(|error| match error.exit_code() {
        1 => error.into(),
        code => Coded { code, source: error.into() }.into(),
    })
}
