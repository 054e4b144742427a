//! The mesh of one probe at work: a reflector, and a sender for each session, as the plan says.

mod dial;
mod fallback;
mod listen;
mod reflector;
mod sender;
mod turns;

pub use reflector::{PER_SECOND, Reflector};

use crate::{packet::Key, reflect::Provision, session::Identity};
use runtime::random::Random;
use sender::Job;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::sync::mpsc;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::info;
use wire::{
    ProbeId, RegionId,
    mesh::{MeshPlan, MeshRole, MeshSend, MeshSession, MeshWindow},
};

/// What does not change while the probe runs.
#[derive(Clone)]
pub struct Settings {
    /// Who measures.
    pub probe: ProbeId,
    pub region: RegionId,
    pub random: Random,
    /// Says why an address must not be contacted, after names were resolved; `None` allows it.
    pub denied: fn(IpAddr) -> Option<&'static str>,
    /// Let the kernel take stamps where it can.
    pub kernel_stamps: bool,
}

/// Why a plan cannot be carried out. What could be is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("cannot answer other probes at {address}: {source}; choose another address or port for the mesh")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("a mesh has at most {most} sessions for one probe, this plan has {found}", most = MeshPlan::MAX_SESSIONS)]
    TooMany { found: usize },
    #[error("session {ssid} with {peer} is not started: {why}")]
    Session { ssid: u16, peer: ProbeId, why: &'static str },
}

/// The running mesh. Dropping it stops everything.
pub struct Mesh {
    settings: Settings,
    windows: mpsc::Sender<MeshWindow>,
    reflector: Option<(SocketAddr, Reflector)>,
    senders: HashMap<(u16, ProbeId), Running>,
    tracker: TaskTracker,
}

struct Running {
    session: MeshSession,
    _stop: DropGuard,
}

impl Mesh {
    /// A mesh that does nothing yet. Finished windows go to `windows`; when nobody takes them they are dropped and the
    /// log says so.
    pub fn new(settings: Settings, windows: mpsc::Sender<MeshWindow>) -> Self {
        Self { settings, windows, reflector: None, senders: HashMap::new(), tracker: TaskTracker::new() }
    }

    /// Does what the plan says. Sessions that are the same as before are not disturbed.
    ///
    /// # Errors
    /// Everything that the plan asks for and that cannot be done; the rest is done.
    pub async fn apply(&mut self, plan: &MeshPlan) -> Result<(), Vec<Refused>> {
        if plan.sessions.len() > MeshPlan::MAX_SESSIONS {
            return Err(vec![Refused::TooMany { found: plan.sessions.len() }]);
        }
        let mut refused = Vec::new();
        if let Err(why) = self.reflect(plan).await {
            refused.push(why);
        }
        let wanted: HashMap<(u16, ProbeId), &MeshSession> = plan
            .sessions
            .iter()
            .filter(|session| matches!(session.role, MeshRole::Send(_)))
            .map(|session| ((session.ssid, session.peer.clone()), session))
            .collect();
        self.senders
            .retain(|name, running| wanted.get(name).is_some_and(|session| **session == running.session));
        for (name, session) in wanted {
            let MeshRole::Send(send) = &session.role else { continue };
            if self.senders.contains_key(&name) {
                continue;
            }
            match check(session.ssid, send) {
                Ok(()) => {
                    let running = self.start(session, send);
                    self.senders.insert(name, running);
                }
                Err(why) => {
                    refused.push(Refused::Session { ssid: session.ssid, peer: session.peer.clone(), why });
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// The running reflector.
    pub fn reflector(&self) -> Option<&Reflector> {
        self.reflector.as_ref().map(|(_, reflector)| reflector)
    }

    /// Stops everything and waits until it has stopped. Windows that are not finished are not sent.
    pub async fn stop(self) {
        let Self { reflector, senders, tracker, .. } = self;
        drop(senders);
        if let Some((_, reflector)) = reflector {
            reflector.stop().await;
        }
        tracker.close();
        tracker.wait().await;
    }

    async fn reflect(&mut self, plan: &MeshPlan) -> Result<(), Refused> {
        if let Some((_, old)) = self.reflector.take_if(|(bound, _)| Some(*bound) != plan.listen) {
            // Its ports must be free before they are taken again.
            old.stop().await;
        }
        let Some(address) = plan.listen else { return Ok(()) };
        if self.reflector.is_none() {
            let reflector = Reflector::bind(address, self.settings.kernel_stamps)
                .map_err(|source| Refused::Listen { address, source })?;
            info!(%address, kernel_stamps = reflector.has_kernel_stamps(), "answering other probes of the mesh");
            self.reflector = Some((address, reflector));
        }
        if let Some((_, reflector)) = &self.reflector {
            reflector.provision(plan.sessions.iter().filter_map(provision));
        }
        Ok(())
    }

    fn start(&self, session: &MeshSession, send: &MeshSend) -> Running {
        let stop = CancellationToken::new();
        let job = Job {
            identity: Identity {
                ssid: session.ssid,
                from: self.settings.probe.clone(),
                from_region: self.settings.region.clone(),
                to: session.peer.clone(),
                to_region: session.peer_region.clone(),
            },
            send: send.clone(),
            key: session.key.as_ref().map(|key| Key::new(key.bytes())),
            settings: self.settings.clone(),
            windows: self.windows.clone(),
        };
        self.tracker.spawn(sender::run(job, stop.clone()));
        Running { session: session.clone(), _stop: stop.drop_guard() }
    }
}

fn provision(session: &MeshSession) -> Option<Provision> {
    let MeshRole::Reflect(reflect) = &session.role else { return None };
    let key = session.key.as_ref().map(|key| Key::new(key.bytes()));
    Some(Provision { ssid: session.ssid, from: reflect.from, key })
}

/// The most packets that one window may have: they are kept until it is closed.
const MOST_OF_A_WINDOW: u32 = 10_000;

fn check(ssid: u16, send: &MeshSend) -> Result<(), &'static str> {
    let problems = [
        (ssid == 0, "its number must not be 0"),
        (
            !(10_000..=60_000_000).contains(&send.interval_us),
            "the time between packets must be 10 ms to 60 s",
        ),
        (!(1_000_000..=600_000_000).contains(&send.window_us), "a window must be 1 s to 600 s"),
        (
            !(10_000..=30_000_000).contains(&send.timeout_us),
            "the time to wait for an answer must be 10 ms to 30 s",
        ),
        (
            send.window_us / send.interval_us.max(1) > MOST_OF_A_WINDOW,
            "a window must not have more than 10 000 packets",
        ),
        (send.dscp > 63, "a differentiated services code point is 0 to 63"),
    ];
    problems.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, why)| Err(why))
}
