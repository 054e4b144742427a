//! `sextant load`: puts a collector under load, as probes and as people do, and says how it did.
//!
//! A run has up to four steps: [`prepare`] writes a configuration with as many checks as are wanted, [`send`] plays all
//! of its probes against a collector. docs/performance.md shows them together.

mod figures;
mod history;
mod prepare;
mod process;
mod query;
mod scrape;
mod send;

/// Puts a collector under load, and measures it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Write a configuration with many checks, and the tokens of its probes.
    Prepare(prepare::Args),
    /// Fill a new database with days of history.
    History(history::Args),
    /// Ask a collector with history what dashboards ask, and measure the answers.
    Query(query::Args),
    /// Play all probes of a configuration: send reports at a rate, and measure how they are acknowledged.
    Send(send::Args),
}

/// Runs one step.
///
/// # Errors
/// When it cannot be done, or the collector did not keep what it acknowledged.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.step {
        Step::Prepare(args) => prepare::run(&args),
        Step::History(args) => history::run(args).await,
        Step::Query(args) => query::run(args).await,
        Step::Send(args) => send::run(args).await,
    }
}
