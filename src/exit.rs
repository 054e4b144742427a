//! How a command ends: 0 done, 1 failed, 2 wrong usage (by clap), 3 wrong configuration, 4 refused by the collector,
//! 10 a check failed.

use std::process::ExitCode;

/// The configuration is wrong.
pub const CONFIGURATION: u8 = 3;
/// An end with a code of its own. Its message has been printed, or is the inner error's.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Coded {
    pub code: u8,
    pub source: anyhow::Error,
}

/// A check that was run failed.
pub const CHECK_FAILED: u8 = 10;

/// Prints what went wrong, with its causes, and picks the code.
pub fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let (code, error) = match error.downcast::<Coded>() {
        Ok(Coded { code, source }) => (code, source),
        Err(error) => (1, error),
    };
    runtime::exit::tell("sextant", &*error);
    ExitCode::from(code)
}
