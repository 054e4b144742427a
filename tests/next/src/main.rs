//! The collector as its next versions could be: today's code with further migrations, so that tests can run two versions
//! beside each other and go back from one to the other.

use clap::{Parser, ValueEnum};
use collector::{
    Collector, Settings,
    store::{ExtraMigration, newest_schema},
};
use runtime::{
    clock::SystemClock,
    random::Random,
    signal,
    telemetry::{self, LogFormat},
};
use std::{net::SocketAddr, path::PathBuf};

/// What the next version does: columns that today's program does not know, in tables that it reads and writes.
const EXPAND: &str = "
ALTER TABLE report_log ADD COLUMN next_hint BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN next_hint TEXT;
ALTER TABLE timeline ADD COLUMN next_hint BIGINT NOT NULL DEFAULT 7;
ALTER TABLE plan ADD COLUMN next_hint TEXT NOT NULL DEFAULT 'none';
ALTER TABLE delivery ADD COLUMN next_hint BOOLEAN NOT NULL DEFAULT TRUE;
CREATE TABLE next_table (id BIGINT NOT NULL PRIMARY KEY, words TEXT NOT NULL);
";

/// What the version after that does: it takes away what today's program may not know is gone.
const CONTRACT: &str = "
ALTER TABLE delivery DROP COLUMN next_hint;
DROP TABLE next_table;
";

/// Which of the next versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    /// N+1: it only expands; today's version may run beside it.
    Expand,
    /// N+2: today's version must not run on what it leaves.
    Contract,
}

/// Takes what `sextant collector` takes.
#[derive(Debug, Parser)]
struct Cli {
    #[arg(value_parser = ["collector"])]
    role: String,
    #[arg(long)]
    config: PathBuf,
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, env = "SEXTANT_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    #[arg(long, env = "SEXTANT_NEXT")]
    version: Version,
}

fn main() -> anyhow::Result<()> {
    runtime::tls::install();
    let cli = Cli::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let telemetry = telemetry::init("collector", LogFormat::Human)?;
    let settings = Settings {
        config: cli.config,
        data: cli.data,
        listen: cli.listen,
        database: cli.database,
        lab: None,
        extra_migrations: migrations(cli.version),
    };
    let collector = Collector::build(settings, SystemClock::shared(), Random::from_os()).await?;
    println!("Sextant's dashboard: http://{}/", collector.address());
    let ended = collector.run(signal::stop_requested()).await;
    telemetry.shutdown().await;
    Ok(ended?)
}

fn migrations(version: Version) -> Vec<ExtraMigration> {
    let today = newest_schema();
    let migration = |version: i64, least: i64, description: &str, sql: &str| ExtraMigration {
        version,
        description: description.to_owned(),
        sql: format!(
            "{sql}INSERT INTO schema_info (version, least_program, applied) VALUES ({version}, {least}, 0);\n"
        ),
    };
    let mut all = vec![migration(today + 1, today, "expand", EXPAND)];
    if version == Version::Contract {
        all.push(migration(today + 2, today + 2, "contract", CONTRACT));
    }
    all
}
