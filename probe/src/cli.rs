//! The command line of a probe: one set of options for `sextant probe` and for the slim binary `sextant-probe`.

use crate::{
    App, BuildError, RunError, Settings, Token, evidence, net::Override, residency::Limits,
    selfcheck::Control, settings::DEFAULT_SPOOL_BYTES,
};
use runtime::{
    clock::SystemClock,
    random::Random,
    signal,
    telemetry::{self, LogFormat},
};
use std::{fs, io, net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};
use tokio::runtime::{Builder, Runtime};
use wire::RegionId;

/// The options of a probe.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The region that this probe is in; its token must belong to a probe of that region.
    #[arg(long, env = "SEXTANT_REGION", value_name = "ID")]
    region: RegionId,
    /// The collector's address. Give several for failover; they are tried in order.
    #[arg(long, env = "SEXTANT_COLLECTOR", value_delimiter = ',', required = true, value_name = "URL")]
    collector: Vec<url::Url>,
    /// The file that holds the probe's token.
    #[arg(long, env = "SEXTANT_TOKEN_FILE", value_name = "FILE")]
    token_file: PathBuf,
    /// The folder for unsent samples and the last assignment. Each probe needs its own.
    #[arg(long, env = "SEXTANT_PROBE_DATA", default_value = "sextant-probe-data", value_name = "DIR")]
    data: PathBuf,
    /// The most disk that unsent samples may take, bytes; when it is full, the oldest are lost first.
    #[arg(long, env = "SEXTANT_SPOOL_BYTES", default_value_t = DEFAULT_SPOOL_BYTES, value_name = "BYTES")]
    spool_bytes: u64,
    /// Connect to ADDR:PORT where a check says HOST:PORT, as curl's --resolve does. Repeatable.
    #[arg(long, value_name = "HOST:PORT=ADDR:PORT")]
    resolve: Vec<Override>,
    /// Threads that run checks. One carries thousands of runs a second; more spare wide machines a queue, and cost
    /// processor time in passing work on.
    #[arg(long, env = "SEXTANT_PROBE_THREADS", default_value = "1", value_name = "N")]
    threads: NonZeroUsize,
    /// Serve /healthz, /readyz and /metrics here.
    #[arg(long, env = "SEXTANT_PROBE_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// A place that has nothing to do with what is measured: when neither it nor a collector can be reached, this
    /// probe is blind and its failures do not count. Repeatable.
    #[arg(long, env = "SEXTANT_CONTROL", value_delimiter = ',', value_name = "URL|HOST:PORT")]
    control: Vec<Control>,
    /// The most runs at one time. Otherwise the limit of open files and the memory say.
    #[arg(long, env = "SEXTANT_RUNS_MOST", value_name = "RUNS")]
    runs_most: Option<usize>,
    /// The file that says where the secrets are that checks use by name; the collector never sees it.
    #[arg(long, env = "SEXTANT_SECRETS", value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// The most disk that evidence may take which must stay on this probe, bytes; the oldest goes first.
    #[arg(long, env = "SEXTANT_EVIDENCE_BYTES", default_value_t = Limits::default().bytes, value_name = "BYTES")]
    evidence_bytes: u64,
    /// How long such evidence is kept, days, 1 to 3650.
    #[arg(long, env = "SEXTANT_EVIDENCE_DAYS", default_value_t = 30, value_name = "DAYS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3650))]
    evidence_days: u16,
}

impl Args {
    /// The runtime that [`run`] is meant to run on.
    ///
    /// # Errors
    /// When the system refuses threads or files.
    pub fn runtime(&self) -> io::Result<Runtime> {
        match self.threads.get() {
            1 => Builder::new_current_thread().enable_all().build(),
            many => Builder::new_multi_thread().worker_threads(many).enable_all().build(),
        }
    }
}

/// How log lines look, as an option.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum LogStyle {
    Human,
    Json,
}

impl From<LogStyle> for LogFormat {
    fn from(style: LogStyle) -> LogFormat {
        match style {
            LogStyle::Human => LogFormat::Human,
            LogStyle::Json => LogFormat::Json,
        }
    }
}

/// Why a probe process ends other than by being asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    #[error(
        "cannot read the token file {}: make it with `sextant secret token`, or correct --token-file",
        .file.display()
    )]
    TokenFile { file: PathBuf, source: io::Error },
    #[error("{} is empty: write the probe's token into it", .0.display())]
    EmptyToken(PathBuf),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Evidence(#[from] evidence::Error),
}

impl Error {
    /// The exit code where the collector refused this probe.
    pub const REFUSED: u8 = 4;

    /// The exit code that this error means: 1, or [`Error::REFUSED`].
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Error::Run(RunError::Refused(_))) { Error::REFUSED } else { 1 }
    }
}

/// Runs a probe until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, the collector refuses it, or a part of it failed.
pub async fn run(args: Args, format: LogFormat) -> Result<(), Error> {
    let telemetry = telemetry::init("probe", format)?;
    let settings = Settings {
        token: read_token(&args)?,
        region: args.region,
        collectors: args.collector,
        data: args.data,
        resolve: args.resolve,
        listen: args.listen,
        control: args.control,
        runs_most: args.runs_most,
        spool_bytes: args.spool_bytes,
        secrets: args.secrets,
        evidence: Limits {
            bytes: args.evidence_bytes,
            age: Duration::from_secs(u64::from(args.evidence_days) * 24 * 3600),
        },
    };
    let app = App::build(settings, SystemClock::shared(), Random::from_os())?;
    let ended = app.run(signal::stop_requested()).await;
    telemetry.shutdown().await;
    Ok(ended?)
}

fn read_token(args: &Args) -> Result<Token, Error> {
    let file = args.token_file.clone();
    let token =
        fs::read_to_string(&file).map_err(|source| Error::TokenFile { file: file.clone(), source })?;
    if token.trim().is_empty() { Err(Error::EmptyToken(file)) } else { Ok(Token::new(token)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        args: Args,
    }

    fn parse(options: &[&str]) -> Result<Args, clap::Error> {
        Probe::try_parse_from([&["sextant-probe"], options].concat()).map(|probe| probe.args)
    }

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let good = ["--region", "north", "--token-file", "t", "--collector", "http://a.test,https://b.test"];
        let args = parse(&[&good[..], &["--resolve", "a.test:80=127.0.0.1:1"]].concat()).expect("good");
        assert_eq!((args.collector.len(), args.resolve.len()), (2, 1));
        assert_eq!(args.spool_bytes, DEFAULT_SPOOL_BYTES);
        for bad in [
            &["--region", "North"][..],
            &["--resolve", "a.test"],
            &["--spool-bytes", "-1"],
            &["--threads", "0"],
        ] {
            assert!(parse(&[&good[..], bad].concat()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_that_is_missing_or_empty_says_which_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let options = |file: &str| {
            parse(&["--region", "north", "--collector", "http://a.test", "--token-file", file]).expect("good")
        };
        let name = file.to_str().expect("UTF-8");
        let missing = read_token(&options(name)).expect_err("missing");
        assert!(missing.to_string().contains(name) && missing.to_string().contains("sextant secret token"));
        fs::write(&file, " \n").expect("written");
        let empty = read_token(&options(name)).expect_err("empty");
        assert!(empty.to_string().contains("is empty"), "{empty}");
        assert_eq!(empty.exit_code(), 1);
    }
}
