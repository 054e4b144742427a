//! What a probe's command line asks for: to run, which needs options, or to read what it keeps, which needs others.

use crate::{
    cli::{self, Args, Error},
    evidence,
};
use clap::{ArgMatches, Command as Clap, FromArgMatches, Subcommand};
use runtime::telemetry::LogFormat;
use std::io;
use tokio::runtime::{Builder, Runtime};

/// One of the two. `sextant probe` and the slim binary share it.
#[derive(Debug)]
pub enum Command {
    /// Measure and report, until SIGTERM.
    Run(Box<Args>),
    Aside(Aside),
}

/// What is done beside a running probe.
#[derive(Debug, Subcommand)]
pub enum Aside {
    /// Read the evidence that a region's policy keeps on this probe.
    Evidence(evidence::Args),
}

impl Command {
    /// The runtime that [`Command::run`] is meant to run on.
    ///
    /// # Errors
    /// When the system refuses threads or files.
    pub fn runtime(&self) -> io::Result<Runtime> {
        match self {
            Command::Run(args) => args.runtime(),
            Command::Aside(_) => Builder::new_current_thread().build(),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// When a probe cannot start or fails, or nothing is found.
    pub async fn run(self, format: LogFormat) -> Result<(), Error> {
        match self {
            Command::Run(args) => cli::run(*args, format).await,
            Command::Aside(Aside::Evidence(args)) => {
                evidence::run(&args, &mut io::stdout().lock()).map_err(Error::from)
            }
        }
    }
}

// By hand, because the options of a run are needed only where no other thing is asked for: derived code would ask for
// them as soon as one of them is set by its environment variable.
impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Aside::from_arg_matches(matches).map(Command::Aside),
            None => Args::from_arg_matches(matches).map(|args| Command::Run(Box::new(args))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Command {
    fn augment_args(command: Clap) -> Clap {
        let command = <Args as clap::Args>::augment_args(command);
        Aside::augment_subcommands(command)
            .subcommand_required(false)
            .arg_required_else_help(false)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Clap) -> Clap {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        command: Command,
    }

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        Probe::try_parse_from([&["sextant-probe"], arguments].concat()).map(|probe| probe.command)
    }

    #[test]
    fn what_is_done_beside_needs_none_of_the_options_of_a_run() {
        assert!(matches!(parse(&["evidence", "list", "--data", "d"]), Ok(Command::Aside(_))));
        assert!(matches!(parse(&["evidence", "show", "abcdef01"]), Ok(Command::Aside(_))));
        let run = ["--region", "north", "--token-file", "t", "--collector", "http://a.test"];
        assert!(matches!(parse(&run), Ok(Command::Run(_))));
        for bad in [&["evidence"][..], &["evidence", "show"], &["--region", "north"], &["other"], &[]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let both = [&run[..], &["evidence", "list"]].concat();
        assert!(parse(&both).is_err(), "a run has no further words");
    }
}
