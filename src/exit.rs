//! How a command ends: 0 done, 1 failed, 2 wrong usage (by clap), 3 wrong configuration, 4 refused by the collector,
//! 10 a check failed.

use std::process::ExitCode;

/// The configuration is wrong.
pub const CONFIGURATION: u8 = 3;
/// The collector refused the probe's token or region.
pub const REFUSED: u8 = 4;

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
    eprintln!("sextant: {error}");
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat their cause in their own message.
        if !said.contains(&text) {
            eprintln!("  because: {text}");
        }
        said = text;
        cause = error.source();
    }
    ExitCode::from(code)
}
