//! A region's server as a process of its own, so that it can be killed.
//!
//! The process is this very test binary, started again with the one test [`shop_server_process`].

use super::{LONG, Process, eventually, port::Port};
use anyhow::Context;
use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command, sync::mpsc};
use wire::RegionId;

/// Tells [`shop_server_process`] to be a server: `<region>@<address>`.
const ROLE: &str = "SEXTANT_TEST_SHOP";

/// A shop, dead or alive. Its address stays the same.
#[derive(Debug)]
pub struct Shop {
    region: RegionId,
    port: Port,
    logs: PathBuf,
    process: Process,
    alive: bool,
}

impl Shop {
    /// Starts it and waits until it answers.
    pub async fn start(region: RegionId, logs: &Path) -> anyhow::Result<Shop> {
        let port = Port::reserve()?;
        let process = spawn(&region, port.address, logs)?;
        let mut shop = Shop { region, port, logs: logs.to_owned(), process, alive: true };
        shop.wait_until_it_answers().await;
        Ok(shop)
    }

    /// Where it listens while it lives.
    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// Kills it (SIGKILL): connections break, new ones are refused.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.alive = false;
        self.process.kill().await
    }

    /// Starts it again on the same port and waits until it answers.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = spawn(&self.region, self.port.address, &self.logs)?;
        self.alive = true;
        self.wait_until_it_answers().await;
        Ok(())
    }

    /// Makes it answer every request with 500, or well again.
    pub async fn set_broken(&mut self, broken: bool) -> anyhow::Result<()> {
        let order: &[u8] = if broken { b"errors\n" } else { b"normal\n" };
        Ok(self.process.stdin()?.write_all(order).await?)
    }

    /// Stops it (SIGTERM) and returns its exit code; 0 when it was killed before.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        if self.alive { self.process.stop().await } else { Ok(0) }
    }

    async fn wait_until_it_answers(&mut self) {
        let (address, process) = (self.port.address, &mut self.process);
        eventually("the shop listens", LONG, async || {
            process.check_running()?;
            Ok(tokio::net::TcpStream::connect(address).await?)
        })
        .await;
    }
}

fn spawn(region: &RegionId, address: SocketAddr, logs: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    let test = concat!(module_path!(), "::shop_server_process");
    // The name of a test does not begin with the name of its crate.
    let (_, test) = test.split_once("::").context("a path")?;
    command.args(["--exact", test, "--nocapture"]).env(ROLE, format!("{region}@{address}"));
    Process::start(&format!("shop-{region}"), logs, command)
}

/// Not a test: the body of a shop's process. It ends at SIGTERM, and when whoever started it is gone.
#[test]
fn shop_server_process() -> anyhow::Result<()> {
    let Ok(role) = env::var(ROLE) else { return Ok(()) };
    let (region, address) = role.split_once('@').context("a region and an address")?;
    let (region, address): (RegionId, SocketAddr) = (region.parse()?, address.parse()?);
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let shop = eventually("the port is free", Duration::from_secs(30), async || {
            Ok(lab::shop::Shop::start(region.clone(), address).await?)
        })
        .await;
        let (sender, mut orders) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin().lines().try_for_each(|line| sender.send(line).map_err(drop))
        });
        let obey = async {
            while let Some(Ok(order)) = orders.recv().await {
                let broken = order == "errors";
                shop.set_mode(if broken { lab::shop::Mode::Errors } else { lab::shop::Mode::Normal });
            }
        };
        tokio::select! {
            () = obey => {}
            stopped = runtime::signal::stop_requested() => stopped?,
        }
        Ok(())
    })
}
