//! A real browser, driven by the Chrome DevTools Protocol: as much of it as a person at the dashboard needs.
//!
//! [`Browser`] is the process, [`cdp`] the connection, [`Page`] one tab with its wishes and its complaints.

mod cdp;
mod page;

pub use page::{Page, Scheme};

use anyhow::{Context, bail};
use cdp::Cdp;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// How long the browser may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

const PLACES: [&str; 6] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-headless-shell",
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// A headless browser; dropping it kills the whole process group.
pub struct Browser {
    cdp: Cdp,
    group: Pid,
    _process: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with a profile of its own.
    ///
    /// # Errors
    /// When none is installed, which is a failure of the test and not a reason to skip it, or when it does not start.
    pub async fn start() -> anyhow::Result<Browser> {
        let program = find()?;
        let profile = tempfile::Builder::new().prefix("sextant-chromium-").tempdir()?;
        let mut process = Command::new(&program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            // The group is what is killed at the end: the browser is many processes.
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let id = process.id().context("the browser ended at once")?;
        let group = Pid::from_raw(i32::try_from(id)?);
        let stderr = process.stderr.take().context("its stderr is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = match timeout(START, address(&mut lines)).await {
            Ok(address) => address?,
            Err(_) => bail!("{} did not say its DevTools address within {START:?}", program.display()),
        };
        // A full pipe would stop the browser.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Browser { cdp: Cdp::connect(&address).await?, group, _process: process, _profile: profile })
    }

    /// Opens a tab of `width` by `height` CSS pixels.
    pub async fn page(&self, width: u32, height: u32) -> anyhow::Result<Page> {
        Page::open(self.cdp.clone(), width, height).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // An error only says that it is gone already.
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

/// The DevTools address among the first lines; the lines themselves when the browser ends without one.
async fn address(lines: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<String> {
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            return Ok(address.to_owned());
        }
        said.push_str(&line);
        said.push('\n');
    }
    bail!("the browser ended before it said its DevTools address:\n{said}")
}

fn find() -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os("SEXTANT_TEST_CHROMIUM").map(PathBuf::from) {
        // A bare name is looked up in PATH when it is started.
        return Ok(given);
    }
    let found = PLACES.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).context(
        "no Chromium on this machine: run tests/run as root, or install it (on Debian: apt-get install \
         chromium), or name one with SEXTANT_TEST_CHROMIUM",
    )
}
