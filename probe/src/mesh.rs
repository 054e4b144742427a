//! This probe's part in the mesh: does what the assignment says of it, and spools the windows that come of it.

use crate::{
    metrics::Metrics,
    net::{Net, denied},
    spool::SharedSpool,
};
use runtime::random::Random;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::{
    ProbeId, RegionId,
    assignment::Assignment,
    mesh::{MeshPlan, MeshRole, MeshWindow},
};

/// Windows on their way to the spool. Every session makes one in a minute, all of them together once in a while.
const WINDOWS: usize = 1024;
/// How long until what could not be begun is tried again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
/// As many go into one report.
const TOGETHER: usize = 100;

/// What the task needs.
pub struct Participant {
    pub region: RegionId,
    pub random: Random,
    /// Addresses that are used in place of others.
    pub net: Net,
    pub metrics: Metrics,
    pub spool: SharedSpool,
    /// What runs now.
    pub assigned: watch::Receiver<Option<Arc<Assignment>>>,
    /// What is not measured, and why.
    pub trouble: watch::Sender<Option<String>>,
}

impl Participant {
    /// Takes part until `stop`. Windows that are not finished by then are not told: a cut one would look like loss.
    pub async fn run(mut self, stop: CancellationToken) {
        let (out, mut windows) = mpsc::channel(WINDOWS);
        let mut running: Option<Running> = None;
        let mut ready = Vec::new();
        let mut again = tokio::time::interval(AGAIN);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.assigned.changed() => {
                    if changed.is_err() {
                        // The pacer ended; the order to stop follows.
                        stop.cancelled().await;
                        break;
                    }
                    let assignment = self.assigned.borrow_and_update().clone();
                    if let Some(assignment) = assignment {
                        running = self.follow(running, &assignment, &out).await;
                    }
                }
                // A port that somebody else has may be free one day.
                _ = again.tick(), if self.trouble.borrow().is_some() => {
                    let assignment = self.assigned.borrow().clone();
                    if let Some(assignment) = assignment {
                        running = self.follow(running, &assignment, &out).await;
                    }
                }
                _ = windows.recv_many(&mut ready, TOGETHER) => self.keep(std::mem::take(&mut ready)).await,
            }
        }
        if let Some(running) = running {
            running.mesh.stop().await;
        }
        while let Ok(window) = windows.try_recv() {
            ready.push(window);
        }
        self.keep(ready).await;
    }

    /// Brings what runs in line with an assignment.
    async fn follow(
        &self,
        running: Option<Running>,
        assignment: &Assignment,
        out: &mpsc::Sender<MeshWindow>,
    ) -> Option<Running> {
        // A token that now belongs to another probe makes it another one.
        let same = |running: &Running| running.probe == assignment.probe;
        let mut running = match running {
            Some(running) if same(&running) => running,
            Some(other) => {
                other.mesh.stop().await;
                self.begin(&assignment.probe, out)
            }
            None if assignment.mesh.is_none() => return None,
            None => self.begin(&assignment.probe, out),
        };
        let plan = pinned(assignment.mesh.clone().unwrap_or_default(), &self.net);
        let peers: BTreeSet<ProbeId> = plan.sessions.iter().map(|session| session.peer.clone()).collect();
        self.metrics.mesh_with(&peers);
        let refused = running.mesh.apply(&plan).await.err().unwrap_or_default();
        let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let trouble =
            (!told.is_empty()).then(|| format!("a part of the mesh is not measured: {}", told.join("; ")));
        if *self.trouble.borrow() != trouble {
            match &trouble {
                Some(trouble) => warn!("{trouble}"),
                None => info!("the whole mesh is measured"),
            }
            self.trouble.send_replace(trouble);
        }
        Some(running)
    }

    fn begin(&self, probe: &ProbeId, out: &mpsc::Sender<MeshWindow>) -> Running {
        let settings = ::mesh::run::Settings {
            probe: probe.clone(),
            region: self.region.clone(),
            random: self.random.clone(),
            denied,
            kernel_stamps: true,
        };
        Running { probe: probe.clone(), mesh: ::mesh::run::Mesh::new(settings, out.clone()) }
    }

    async fn keep(&self, windows: Vec<MeshWindow>) {
        let Some(first) = windows.first() else { return };
        windows.iter().for_each(|window| self.metrics.mesh_window(window));
        self.spool.append_windows(first.from.clone(), windows).await;
    }
}

/// The plan with the addresses that this probe was told to use in place of others.
fn pinned(mut plan: MeshPlan, net: &Net) -> MeshPlan {
    for session in &mut plan.sessions {
        let MeshRole::Send(send) = &mut session.role else { continue };
        for address in send.fallback.iter_mut().chain([&mut send.address]) {
            let pin = address.rsplit_once(':').and_then(|(host, port)| net.pinned(host, port.parse().ok()?));
            if let Some(pin) = pin {
                *address = pin.to_string();
            }
        }
    }
    plan
}

/// What was begun for one probe.
struct Running {
    probe: ProbeId,
    mesh: ::mesh::run::Mesh,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::mesh::{MeshSend, MeshSession};

    #[test]
    fn an_override_is_for_the_mesh_too() {
        let net = Net::new(vec!["probe.eu.test:862=127.0.0.1:9".parse().expect("valid")]).expect("a network");
        let send = |address: &str| MeshSession {
            ssid: 7,
            peer: "eu-1".parse().expect("an id"),
            peer_region: "eu".parse().expect("an id"),
            role: MeshRole::Send(MeshSend::to(address)),
            key: None,
        };
        let plan =
            MeshPlan { listen: None, sessions: vec![send("probe.eu.test:862"), send("other.test:862")] };
        let plan = pinned(plan, &net);
        let addresses: Vec<_> = plan
            .sessions
            .iter()
            .map(|session| match &session.role {
                MeshRole::Send(send) => send.address.as_str(),
                MeshRole::Reflect(_) => "",
            })
            .collect();
        assert_eq!(addresses, ["127.0.0.1:9", "other.test:862"]);
    }
}
