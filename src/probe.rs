//! `sextant probe`: a vantage as a process.

use crate::exit::{Coded, REFUSED};
use anyhow::{Context, bail};
use probe::{App, RunError, Settings, Token, net::Override, selfcheck::Control};
use runtime::{
    clock::SystemClock,
    random::Random,
    signal,
    telemetry::{self, LogFormat},
};
use std::{fs, net::SocketAddr, path::PathBuf};
use wire::RegionId;

/// Measures from one region and reports to the collector. It goes on measuring while the collector is away.
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
    #[arg(long, env = "SEXTANT_SPOOL_BYTES", default_value_t = probe::settings::DEFAULT_SPOOL_BYTES, value_name = "BYTES")]
    spool_bytes: u64,
    /// Connect to ADDR:PORT where a check says HOST:PORT, as curl's --resolve does. Repeatable.
    #[arg(long, value_name = "HOST:PORT=ADDR:PORT")]
    resolve: Vec<Override>,
    /// Serve /healthz, /readyz and /metrics here.
    #[arg(long, env = "SEXTANT_PROBE_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// A place that has nothing to do with what is measured: when neither it nor the collector can be reached, this
    /// probe is blind and its failures do not count. Repeatable; at least one, best two or three.
    #[arg(long, env = "SEXTANT_CONTROL", value_delimiter = ',', value_name = "URL|HOST:PORT")]
    control: Vec<Control>,
    /// The most runs at one time. Otherwise the limit of open files and the memory say.
    #[arg(long, env = "SEXTANT_RUNS_MOST", value_name = "RUNS")]
    runs_most: Option<usize>,
}

/// Runs until SIGTERM.
pub async fn run(args: Args, format: LogFormat) -> anyhow::Result<()> {
    let telemetry = telemetry::init("probe", format)?;
    let token = fs::read_to_string(&args.token_file).with_context(|| {
        let file = args.token_file.display();
        format!(
            "cannot read the token file {file}: make it with `sextant secret token`, or correct --token-file"
        )
    })?;
    if token.trim().is_empty() {
        bail!("{} is empty: write the probe's token into it", args.token_file.display());
    }
    let settings = Settings {
        region: args.region,
        collectors: args.collector,
        token: Token::new(token),
        data: args.data,
        resolve: args.resolve,
        listen: args.listen,
        spool_bytes: args.spool_bytes,
        control: args.control,
        runs_most: args.runs_most,
    };
    let app = App::build(settings, SystemClock::shared(), Random::from_os())?;
    let ended = app.run(signal::stop_requested()).await;
    telemetry.shutdown().await;
    ended.map_err(|error| match error {
        refused @ RunError::Refused(_) => Coded { code: REFUSED, source: refused.into() }.into(),
        error => error.into(),
    })
}
