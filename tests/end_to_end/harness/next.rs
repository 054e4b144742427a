//! The collector as its next versions could be: today's code with further migrations, so that tests can run two versions
//! beside each other and go back from one to the other.
//!
//! The process is this very test binary, started again with the one test [`next_version_process`].

use anyhow::Context;
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
use std::env;
use tokio::process::Command;

/// Tells [`next_version_process`] which version to be.
const ROLE: &str = "SEXTANT_TEST_NEXT";

/// What the next version does: columns that today's program does not know, in tables that it reads and writes.
const EXPAND: &str = "
ALTER TABLE report_log ADD COLUMN next_hint BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN next_hint TEXT;
ALTER TABLE segment ADD COLUMN next_hint BIGINT NOT NULL DEFAULT 3;
ALTER TABLE rollup ADD COLUMN next_hint BIGINT NOT NULL DEFAULT 4;
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

/// One of the next versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// N+1: it only expands; today's version may run beside it.
    Expand,
    /// N+2: today's version must not run on what it leaves.
    Contract,
}

impl Next {
    /// The command of a collector of this version; it takes its settings from the variables of `sextant collector`.
    pub fn command(self) -> Command {
        let mut command = Command::new(env::current_exe().expect("this test runs"));
        let (_, test) = concat!(module_path!(), "::next_version_process")
            .split_once("::")
            .expect("the name of a test does not begin with the name of its crate");
        command.args(["--exact", test, "--nocapture"]).env(ROLE, format!("{self:?}"));
        command
    }

    fn migrations(self) -> Vec<ExtraMigration> {
        let today = newest_schema();
        let migration = |version: i64, least: i64, description: &str, sql: &str| ExtraMigration {
            version,
            description: description.to_owned(),
            sql: format!(
                "{sql}INSERT INTO schema_info (version, least_program, applied) VALUES ({version}, {least}, 0);\n"
            ),
        };
        let mut all = vec![migration(today + 1, today, "expand", EXPAND)];
        if self == Next::Contract {
            all.push(migration(today + 2, today + 2, "contract", CONTRACT));
        }
        all
    }
}

/// Not a test: the body of such a collector's process. It ends at SIGTERM.
#[test]
fn next_version_process() -> anyhow::Result<()> {
    let Ok(role) = env::var(ROLE) else { return Ok(()) };
    let next = if role == "Expand" { Next::Expand } else { Next::Contract };
    let variable = |name: &str| env::var(name).with_context(|| name.to_owned());
    let settings = Settings {
        config: variable("SEXTANT_CONFIG")?.into(),
        data: variable("SEXTANT_DATA")?.into(),
        listen: variable("SEXTANT_LISTEN")?.parse()?,
        database: variable("SEXTANT_DATABASE_URL").ok(),
        seal_every: collector::history::SEAL_EVERY,
        lab: None,
        extra_migrations: next.migrations(),
    };
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let telemetry = telemetry::init("collector", LogFormat::Human)?;
        let collector = Collector::build(settings, SystemClock::shared(), Random::from_os()).await?;
        println!("Sextant's dashboard: http://{}/", collector.address());
        let ended = collector.run(signal::stop_requested()).await;
        telemetry.shutdown().await;
        Ok(ended?)
    })
}
