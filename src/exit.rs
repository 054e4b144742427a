//! How a command ends: 0 done, 1 failed, 2 wrong usage (by clap), 3 wrong configuration, 4 refused by the collector,
//! 10 a check failed, 141 nobody reads standard output any more.

use std::{
    io::{self, Write},
    panic,
    process::{self, ExitCode},
};

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

/// What a shell tells of a program that SIGPIPE has ended, as it ends others when nobody reads on.
const CLOSED_PIPE: u8 = 141;

/// Whoever read standard output has seen enough, as `head` has: nothing went wrong. Only writing there tells so; a pipe that
/// breaks elsewhere is an error.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct NobodyReads;

impl NobodyReads {
    /// A writer whose errors say it.
    pub fn told_by<W: Write + Send>(out: W) -> impl Write + Send {
        Telling(out)
    }

    fn is_in(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| {
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause.is::<NobodyReads>() || inner.is_some_and(|inner| inner.is::<NobodyReads>())
        })
    }
}

/// Ends this program quietly when it prints and nobody reads on; without this, `println!` panics then.
pub fn quietly_when_nobody_reads() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        if panicked.payload_as_str().is_some_and(is_closed_pipe) {
            process::exit(CLOSED_PIPE.into());
        }
        usual(panicked);
    }));
}

/// Reads the words of the standard library's own panic; others are mistakes of ours.
fn is_closed_pipe(words: &str) -> bool {
    words.starts_with("failed printing to stdout") && words.contains("Broken pipe")
}

/// Errors of a closed pipe as [`NobodyReads`].
struct Telling<W>(W);

fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, NobodyReads),
        _ => error,
    }
}

impl<W: Write> Write for Telling<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(told)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(told)
    }
}

/// Prints what went wrong, with its causes, and picks the code.
pub fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if NobodyReads::is_in(&error) {
        return ExitCode::from(CLOSED_PIPE);
    }
    let (code, error) = match error.downcast::<Coded>() {
        Ok(Coded { code, source }) => (code, source),
        Err(error) => (1, error),
    };
    runtime::exit::tell("sextant", &*error);
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_closed_standard_output_is_no_error() {
        let error = NobodyReads::told_by(Closed).write(b"x").expect_err("closed");
        let export = collector::history::export::Error::Write(error);
        let error =
            anyhow::Result::<()>::Err(export.into()).context("- was not written").expect_err("an error");
        assert!(NobodyReads::is_in(&error));
        assert_eq!(code(Err(error)), ExitCode::from(CLOSED_PIPE));
        let elsewhere =
            anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("the database");
        assert!(!NobodyReads::is_in(&elsewhere));
    }

    #[test]
    fn the_words_of_println_are_known() {
        assert!(is_closed_pipe("failed printing to stdout: Broken pipe (os error 32)"));
        assert!(!is_closed_pipe("failed printing to stderr: Broken pipe (os error 32)"));
        assert!(!is_closed_pipe("failed printing to stdout: No space left on device (os error 28)"));
    }
}
