//! `sextant check run NAME`: the probe's own engine, once, on a terminal.

use super::{explain, junit::Suite, load};
use crate::exit::{CHECK_FAILED, CONFIGURATION, Coded};
use anyhow::{Context, anyhow, bail};
use collector::config::{self, Config};
use probe::{
    check::{self, Run, Trace},
    net::{Net, Override},
    secrets::Secrets,
};
use runtime::{clock::SystemClock, random::Random};
use std::path::{Path, PathBuf};
use wire::{
    CheckId,
    assignment::{AssignedCheck, Target},
    sample::Outcome,
};

/// Runs one check against each of its targets, once. Exit code 0 when all succeed, 10 when one fails.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The check's id.
    #[arg(value_name = "NAME")]
    name: String,
    /// The configuration document.
    #[arg(long, env = "SEXTANT_CONFIG", default_value = "sextant.yaml", value_name = "FILE")]
    config: PathBuf,
    /// Only this target: a region, or `public`.
    #[arg(long, value_name = "TARGET")]
    to: Option<Target>,
    /// Connect to ADDR:PORT where the check says HOST:PORT, as curl's --resolve does. Repeatable.
    #[arg(long, value_name = "HOST:PORT=ADDR:PORT")]
    resolve: Vec<Override>,
    /// The file that says where the secrets are that checks use by name, as for `sextant probe`.
    #[arg(long, env = "SEXTANT_SECRETS", value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Print one JSON object a line, one for each target, instead of an explanation.
    #[arg(long)]
    json: bool,
    /// Write JUnit XML to this file; `-` writes it to stdout, and the explanation to stderr.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Say that the check runs on this machine and not on its probes. It does so without this flag too.
    #[arg(long)]
    from_here: bool,
}

/// What stands for stdout.
const STDOUT: &str = "-";

/// Runs it.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let junit_on_stdout = args.junit.as_deref() == Some(Path::new(STDOUT));
    if junit_on_stdout && args.json {
        bail!("--json and --junit {STDOUT} both write to stdout; give --junit a file");
    }
    if args.from_here {
        eprintln!("running {} from this machine", args.name);
    }
    let config = load(&args.config)?;
    let check = find(&config, &args.name)?;
    let secrets = args.secrets.as_deref().map(Secrets::load).transpose();
    let secrets =
        secrets.map_err(|error| Coded { code: CONFIGURATION, source: error.into() })?.unwrap_or_default();
    for warning in secrets.warnings() {
        eprintln!("warning: {warning}");
    }
    let net = Net::new(args.resolve.clone())?.with_secrets(secrets);
    let (random, clock) = (Random::from_os(), SystemClock::shared());
    let wanted = |target: &Target| args.to.as_ref().is_none_or(|only| only == target);
    let endpoints: Vec<_> = check.endpoints.iter().filter(|endpoint| wanted(&endpoint.target)).collect();
    if endpoints.is_empty() {
        let targets: Vec<String> =
            check.endpoints.iter().map(|endpoint| endpoint.target.to_string()).collect();
        bail!("{} does not measure that target: use one of {}", args.name, targets.join(", "));
    }
    let mut failed = 0;
    let mut suite = Suite::new(&check);
    for endpoint in &endpoints {
        let trace = Trace { trace_id: random.bytes(), span_id: random.bytes() };
        let run = Run { trace, started: clock.now(), explain: true };
        let measured = check::run(&check, endpoint, &net, &run).await;
        failed += usize::from(measured.outcome != Outcome::Ok);
        suite.add(endpoint, &measured);
        if args.json {
            println!("{}", explain::json(&check, endpoint, &measured));
        } else if junit_on_stdout {
            eprint!("{}", explain::text(&check, endpoint, &measured));
        } else {
            print!("{}", explain::text(&check, endpoint, &measured));
        }
    }
    match &args.junit {
        Some(_) if junit_on_stdout => print!("{}", suite.xml()),
        Some(path) => {
            std::fs::write(path, suite.xml()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {}
    }
    if failed > 0 {
        let source = anyhow!("{failed} of {} targets of {} failed", endpoints.len(), args.name);
        return Err(Coded { code: CHECK_FAILED, source }.into());
    }
    Ok(())
}

/// The check as one of its probes would be told it.
fn find(config: &Config, name: &str) -> anyhow::Result<AssignedCheck> {
    let unknown = || {
        let known: Vec<&str> = config.checks.keys().map(CheckId::as_str).collect();
        anyhow!("there is no check {name:?} in the configuration; the checks are {}", known.join(", "))
    };
    let id: CheckId = name.parse().map_err(|_| unknown())?;
    let probe = config.checks.get(&id).and_then(|check| check.from.first()).ok_or_else(unknown)?;
    let assigned = config::assignment(config, 0, probe).ok_or_else(unknown)?;
    assigned.checks.into_iter().find(|check| check.id == id).ok_or_else(unknown)
}
