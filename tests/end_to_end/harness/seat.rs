//! The place of one collector: its port, its data folder, its way to the database. Processes come and go in it.

use super::{LONG, Process, api::Api, eventually, next::Next, port::Port, process::sextant, sealing};
use anyhow::{Context, ensure};
use lab::link::{Fault, TcpLink};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A collector's place, with a process in it or none.
#[derive(Debug)]
pub struct Seat {
    name: String,
    pub port: Port,
    pub api: Api,
    /// The next version that is started here; this one when none.
    pub next: Option<Next>,
    pub data: PathBuf,
    /// The way to the database, where there is one to cut.
    pub link: Option<TcpLink>,
    /// The database's address, when it is none of the data folder.
    pub url: Option<String>,
    /// Seals all of the history every second, and tells when it begins to ([`super::sealing`]).
    pub busy: bool,
    process: Option<Process>,
}

impl Seat {
    /// An empty place.
    pub fn new(
        name: String,
        data: PathBuf,
        link: Option<TcpLink>,
        url: Option<String>,
    ) -> anyhow::Result<Seat> {
        let port = Port::reserve()?;
        let api = Api::new(port.address)?;
        Ok(Seat { name, port, api, next: None, data, link, url, busy: false, process: None })
    }

    /// The command of a collector here.
    pub fn command(&self, document: &Path) -> Command {
        let mut command = match self.next {
            Some(next) => next.command(),
            None => {
                let mut command = sextant();
                command.arg("collector");
                command
            }
        };
        // All of it by variables, which the next versions read too.
        command.env("SEXTANT_CONFIG", document).env("SEXTANT_DATA", &self.data);
        command.env("SEXTANT_LISTEN", self.port.address.to_string());
        if let Some(url) = &self.url {
            command.env("SEXTANT_DATABASE_URL", url);
        }
        if self.busy {
            command.env("SEXTANT_SEAL_EVERY", "1").env("SEXTANT_LOG", sealing::FILTER);
        }
        command
    }

    /// Starts a collector, without waiting for it. The one before must have ended.
    pub fn spawn(&mut self, document: &Path, logs: &Path) -> anyhow::Result<&mut Process> {
        let process = Process::start(&self.name, logs, self.command(document))?;
        Ok(self.process.insert(process))
    }

    /// Waits until the collector answers, and so takes reports; it may still be reading what is not sealed.
    pub async fn wait_until_alive(&mut self) -> anyhow::Result<()> {
        let Seat { api, process, .. } = self;
        let Some(process) = process else { anyhow::bail!("nobody was started here") };
        eventually("the collector answers", LONG, async || {
            process.check_running()?;
            api.text("/livez").await
        })
        .await;
        Ok(())
    }

    /// Waits until the collector is ready.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let Seat { api, process, port, .. } = self;
        let Some(process) = process else { anyhow::bail!("nobody was started here") };
        eventually("the collector is ready", LONG, async || {
            process.check_running()?;
            api.text("/readyz").await
        })
        .await;
        let said = format!("Sextant's dashboard: http://{}/", port.address);
        ensure!(process.stdout().contains(&said), "the collector said {:?}", process.stdout());
        Ok(())
    }

    /// Sets what is wrong with the way to the database.
    pub fn cut(&self, fault: Fault) -> anyhow::Result<()> {
        self.link.as_ref().context("there is no network to cut")?.control().set_fault(fault);
        Ok(())
    }

    /// The process that was started last.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a collector was started here")
    }

    /// Takes the process out, if there ever was one.
    pub fn leave(&mut self) -> Option<Process> {
        self.process.take()
    }
}
