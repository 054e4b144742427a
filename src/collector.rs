//! `sextant collector`: the centre as a process.

use crate::exit::{CONFIGURATION, Coded};
use clap::value_parser;
use collector::{BuildError, Collector, Settings};
use runtime::{
    clock::SystemClock,
    random::Random,
    signal,
    telemetry::{self, LogFormat},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Takes reports, decides, steers, shows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration document; see docs/configuration.md.
    #[arg(long, env = "SEXTANT_CONFIG", default_value = "sextant.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The folder for the database.
    #[arg(long, env = "SEXTANT_DATA", default_value = "sextant-data", value_name = "DIR")]
    data: PathBuf,
    /// Where pages, API and reports are served. Nothing asks for a password yet: keep it on a private address.
    #[arg(long, env = "SEXTANT_LISTEN", default_value = "127.0.0.1:8600", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Keep everything in this PostgreSQL database instead of a file in the data folder.
    #[arg(
        long,
        alias = "database-url",
        env = "SEXTANT_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database: Option<String>,
    /// How often each part of the history goes from memory to the database, seconds. Less needs less memory and makes a
    /// restart quicker; more writes less and packs better.
    #[arg(
        long,
        env = "SEXTANT_SEAL_EVERY",
        default_value_t = collector::history::SEAL_EVERY.as_secs(),
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=600)
    )]
    seal_every: u64,
}

/// Runs until SIGTERM.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    let telemetry = telemetry::init("collector", format)?;
    let settings = Settings {
        config: args.config,
        data: args.data,
        listen: args.listen,
        database: args.database,
        seal_every: Duration::from_secs(args.seal_every),
        extra_migrations: Vec::new(),
        lab: None,
    };
    let collector =
        Collector::build(settings, SystemClock::shared(), Random::from_os()).await.map_err(coded)?;
    println!("Sextant's dashboard: http://{}/", collector.address());
    let ended = collector.run(signal::stop_requested()).await;
    telemetry.shutdown().await;
    Ok(ended?)
}

fn coded(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::Config(_) | BuildError::Secrets(_) => {
            Coded { code: CONFIGURATION, source: error.into() }.into()
        }
        error => error.into(),
    }
}
