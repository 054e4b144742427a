//! This probe's part in the mesh: does what the assignment says of it, and spools the windows that come of it.

use crate::{metrics::Metrics, net::denied, spool::SharedSpool};
use runtime::random::Random;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wire::{
    ProbeId, RegionId,
    assignment::Assignment,
    mesh::{MeshPlan, MeshWindow},
};

/// Windows on their way to the spool. Every session makes one in a minute, all of them together once in a while.
const WINDOWS: usize = 1024;
/// As many go into one report.
const TOGETHER: usize = 100;

/// What the task needs.
pub struct Participant {
    pub region: RegionId,
    pub random: Random,
    pub metrics: Metrics,
    pub spool: SharedSpool,
    /// What runs now.
    pub assigned: watch::Receiver<Option<Arc<Assignment>>>,
}

impl Participant {
    /// Takes part until `stop`. Windows that are not finished by then are not told: a cut one would look like loss.
    pub async fn run(mut self, stop: CancellationToken) {
        let (out, mut windows) = mpsc::channel(WINDOWS);
        let mut running: Option<Running> = None;
        let mut ready = Vec::new();
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
        let none = MeshPlan::default();
        let plan = assignment.mesh.as_ref().unwrap_or(&none);
        let peers: BTreeSet<ProbeId> = plan.sessions.iter().map(|session| session.peer.clone()).collect();
        self.metrics.mesh_with(&peers);
        if let Err(refused) = running.mesh.apply(plan).await {
            for why in refused {
                warn!(%why, "a part of the mesh is not measured");
            }
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

/// What was begun for one probe.
struct Running {
    probe: ProbeId,
    mesh: ::mesh::run::Mesh,
}
