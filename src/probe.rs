//! `sextant probe`: a vantage as a process. What it does is in `probe::command`, which the slim binary shares.

use crate::exit::Coded;
use runtime::telemetry::LogFormat;

pub use probe::command::Command as Args;

/// Runs until SIGTERM, or reads what it keeps.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    args.run(format).await.map_err(|error| match error.exit_code() {
        1 => error.into(),
        code => Coded { code, source: error.into() }.into(),
    })
}
