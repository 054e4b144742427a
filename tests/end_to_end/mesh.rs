//! The mesh with real processes: two probes measure the network between each other, the collector tells it, and when one of
//! them is gone nothing is claimed of the way to it.

use crate::harness::{LONG, Process, api::Api, eventually, port::Port, process::sextant};
use anyhow::{Context, ensure};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
};
use tokio::process::Command;
use wire::{
    mesh::{MeshMethod, MeshWindow},
    view::Page,
};

fn with(arguments: &[&str], folder: &Path) -> Command {
    let mut command = sextant();
    command.args(arguments).current_dir(folder);
    command
}

/// An address whose port is free for UDP and TCP.
fn free() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = udp.local_addr().expect("it is bound");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

async fn windows(api: &Api, path: &str) -> anyhow::Result<Vec<MeshWindow>> {
    Ok(api.get::<Page<MeshWindow>>(path).await?.items)
}

#[tokio::test]
async fn probes_measure_the_network_between_each_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let held = Port::reserve().expect("a free port");
    let (port, north, south) = (held.address, free(), free());
    let key = with(&["secret", "mesh"], path).output().await.expect("it runs");
    fs::write(path.join("mesh.key"), key.stdout).expect("written");
    for name in ["north", "south"] {
        fs::write(path.join(format!("{name}.token")), format!("token-of-{name}")).expect("written");
    }
    let config = format!(
        "version: 1\nregions: {{ a: {{}}, b: {{}} }}\nmesh: {{ key: {{ file: mesh.key }}, every: 20ms, window: 1s }}\n\
         probes:\n  north: {{ region: a, token: {{ file: north.token }}, mesh: \"{north}\" }}\n  south: {{ region: b, \
         token: {{ file: south.token }}, mesh: \"{south}\" }}\n"
    );
    fs::write(path.join("sextant.yaml"), config).expect("written");
    let listen = port.to_string();
    let collector = ["collector", "--config", "sextant.yaml", "--data", "collector", "--listen", &listen];
    let mut collector = Process::start("collector", path, with(&collector, path)).expect("it starts");
    let url = format!("http://{port}");
    let probe = |name: &str, region: &str| {
        let (token, data) = (format!("{name}.token"), format!("data-{name}"));
        let arguments =
            ["probe", "--region", region, "--token-file", &token, "--collector", &url, "--data", &data];
        Process::start(name, path, with(&arguments, path)).expect("it starts")
    };
    let (mut first, mut second) = (probe("north", "a"), probe("south", "b"));
    let api = Api::new(port).expect("a client");

    let seen = eventually("a window without loss", LONG, async || {
        let windows = windows(&api, "/api/v1/mesh").await?;
        let good = |w: &&MeshWindow| w.method == MeshMethod::Stamp && w.answered > 20 && w.loss.lost == 0;
        windows.iter().find(good).cloned().context("none yet")
    })
    .await;
    let rtt = seen.rtt.expect("it was answered");
    assert!(rtt.min_ns > 0 && rtt.p50_ns < 1_000_000_000, "{rtt:?}");
    assert!(seen.forward.is_some() && seen.reverse.is_some(), "both ways are told");
    let page = api.text("/").await.expect("the page");
    assert!(page.contains("Network between probes") && page.contains("data-loss="), "{page}");

    // The end that answers goes away: what is sent is lost, and nothing says otherwise.
    let reflector = if seen.to.as_str() == "north" { &mut first } else { &mut second };
    reflector.kill().await.expect("killed");
    eventually("a window without an answer", LONG, async || {
        let newest = windows(&api, "/api/v1/mesh/north/south?limit=5").await?;
        let stamp = newest.iter().find(|w| w.method == MeshMethod::Stamp).context("no window")?;
        ensure!(stamp.answered == 0 && stamp.sent > 0, "{stamp:?}");
        ensure!(stamp.rtt.is_none() && stamp.loss.lost == stamp.sent, "{stamp:?}");
        Ok(())
    })
    .await;
    let all = windows(&api, "/api/v1/mesh/south/north?limit=200").await.expect("the list");
    assert!(all.len() > 2 && all.is_sorted_by(|a, b| a.started >= b.started), "newest first");
    assert!(api.text("/api/v1/mesh/north/nobody").await.is_err(), "an unknown probe is refused");
    let sender = if seen.to.as_str() == "north" { &mut second } else { &mut first };
    assert_eq!(sender.stop().await.expect("it stops"), 0);
    assert_eq!(collector.stop().await.expect("it stops"), 0);
}
