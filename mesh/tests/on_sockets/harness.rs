//! Two probes on one machine.

use mesh::run::{Mesh, Settings};
use runtime::random::Random;
use std::{net::SocketAddr, time::Duration};
use tokio::sync::mpsc;
use wire::mesh::{MeshKey, MeshMethod, MeshPlan, MeshReflect, MeshRole, MeshSend, MeshSession, MeshWindow};

/// Long enough for any machine; nothing is asserted about it.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn settings(probe: &str, region: &str) -> Settings {
    Settings {
        probe: probe.parse().expect("an id"),
        region: region.parse().expect("an id"),
        random: Random::seeded(7),
        denied: |_| None,
        kernel_stamps: true,
    }
}

pub fn key(fill: &str) -> MeshKey {
    fill.repeat(32).parse().expect("a key")
}

/// A quick session: a packet every 10 ms, windows of a second.
pub fn send_to(address: SocketAddr) -> MeshSend {
    MeshSend {
        interval_us: 10_000,
        window_us: 1_000_000,
        timeout_us: 500_000,
        ..MeshSend::to(address.to_string())
    }
}

pub fn sending(ssid: u16, send: MeshSend, key: Option<MeshKey>) -> MeshSession {
    session(ssid, "tokyo-1", "ap-northeast-1", MeshRole::Send(send), key)
}

pub fn reflecting(ssid: u16, key: Option<MeshKey>) -> MeshSession {
    session(ssid, "paris-1", "eu-west-3", MeshRole::Reflect(MeshReflect::default()), key)
}

fn session(ssid: u16, peer: &str, region: &str, role: MeshRole, key: Option<MeshKey>) -> MeshSession {
    MeshSession {
        ssid,
        peer: peer.parse().expect("an id"),
        peer_region: region.parse().expect("an id"),
        role,
        key,
    }
}

/// A probe that answers, and where.
pub async fn reflector(loopback: &str, sessions: Vec<MeshSession>) -> (Mesh, SocketAddr) {
    let (windows, _) = mpsc::channel(1);
    let mut mesh = Mesh::new(settings("tokyo-1", "ap-northeast-1"), windows);
    let listen = Some(loopback.parse().expect("an address"));
    mesh.apply(&MeshPlan { listen, sessions }).await.expect("a free port");
    let address = mesh.reflector().expect("a reflector").address();
    (mesh, address)
}

/// A probe that sends.
pub struct Sending {
    pub mesh: Mesh,
    pub windows: mpsc::Receiver<MeshWindow>,
}

impl Sending {
    pub async fn start(sessions: Vec<MeshSession>) -> Self {
        let (sender, windows) = mpsc::channel(100);
        let mut mesh = Mesh::new(settings("paris-1", "eu-west-3"), sender);
        mesh.apply(&MeshPlan { listen: None, sessions }).await.expect("a good plan");
        Self { mesh, windows }
    }

    pub async fn window(&mut self) -> MeshWindow {
        tokio::time::timeout(PATIENCE, self.windows.recv())
            .await
            .expect("a window in time")
            .expect("a running mesh")
    }

    /// The first window that is as wanted.
    pub async fn window_that(&mut self, wanted: impl Fn(&MeshWindow) -> bool) -> MeshWindow {
        loop {
            let window = self.window().await;
            if wanted(&window) {
                return window;
            }
        }
    }

    pub async fn window_by(&mut self, method: MeshMethod) -> MeshWindow {
        self.window_that(|window| window.method == method).await
    }
}
