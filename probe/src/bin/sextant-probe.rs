//! The slim binary for machines that only measure: `sextant probe` without the collector, its databases and pages.

use clap::Parser;
use probe::{cli::LogStyle, command::Command};
use std::process::ExitCode;

/// Measures from one region and reports to the collector. It goes on measuring while the collector is away.
#[derive(Debug, Parser)]
#[command(name = "sextant-probe", version, arg_required_else_help = true)]
#[command(
    after_help = "The same as `sextant probe`. Logs go to stderr; SEXTANT_LOG filters them. Metrics and traces go \
                        out by OTLP when the OTEL_* variables say where."
)]
struct Cli {
    /// How log lines look.
    #[arg(long, env = "SEXTANT_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    log_format: LogStyle,
    #[command(flatten)]
    probe: Command,
}

fn main() -> ExitCode {
    runtime::tls::install();
    let Cli { log_format, probe } = Cli::parse();
    let threads = match probe.runtime() {
        Ok(threads) => threads,
        Err(error) => {
            runtime::exit::tell("sextant-probe", &error);
            return ExitCode::FAILURE;
        }
    };
    match threads.block_on(probe.run(log_format.into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            runtime::exit::tell("sextant-probe", &error);
            ExitCode::from(error.exit_code())
        }
    }
}
