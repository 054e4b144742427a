//! The reflector at work: one UDP socket for all sessions, and a TCP port of the same number for the fall-back.

use super::listen;
use crate::{
    clock::{self, Discipline},
    packet::{LONGEST, Stamp},
    reflect::{Arrival, Core, Counters, Provision, Ticket},
    socket::{Options, Received, Socket},
};
use runtime::lock::lock;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

/// So many packets a second from one address are answered: ten sessions at ten times the usual rate.
pub const PER_SECOND: u32 = 1000;
/// The kernel is asked for the state of its clock this often, nanoseconds.
const DISCIPLINE_NS: i64 = 1_000_000_000;
/// An ephemeral port must be free for UDP and TCP; so many are tried.
const PORTS: usize = 16;

/// A running reflector. Dropping it stops it.
#[derive(Debug)]
pub struct Reflector {
    core: Arc<Mutex<Core>>,
    address: SocketAddr,
    kernel_stamps: bool,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Reflector {
    /// Starts to listen. Nobody is answered before [`Reflector::provision`]. Port 0 takes any that is free.
    ///
    /// # Errors
    /// When the address is not ours, in use or privileged.
    pub fn bind(address: SocketAddr, kernel_stamps: bool) -> io::Result<Self> {
        let options = Options { kernel_stamps, ..Options::default() };
        let (socket, listener) = both(address, options)?;
        let core = Arc::new(Mutex::new(Core::new(PER_SECOND)));
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let address = socket.local_address()?;
        let kernel_stamps = socket.has_kernel_stamps();
        tracker.spawn(answer(socket, Arc::clone(&core), stop.clone()));
        tracker.spawn(listen::run(listener, Arc::clone(&core), stop.clone()));
        Ok(Self { core, address, kernel_stamps, stop, tracker })
    }

    /// Replaces the sessions that are answered; counts of those that stay go on.
    pub fn provision(&self, sessions: impl IntoIterator<Item = Provision>) {
        lock(&self.core).provision(sessions);
    }

    /// How many packets met which fate.
    pub fn counters(&self) -> Counters {
        lock(&self.core).counters()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the kernel takes the stamps.
    pub fn has_kernel_stamps(&self) -> bool {
        self.kernel_stamps
    }

    /// Stops and waits until the ports are free again.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Binds the same port for UDP and TCP.
fn both(address: SocketAddr, options: Options) -> io::Result<(Socket<Ticket>, tokio::net::TcpListener)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let socket = Socket::bind(address, options)?;
        match listen::bind(socket.local_address()?) {
            Ok(listener) => return Ok((socket, listener)),
            Err(error) if address.port() != 0 || attempt == PORTS => return Err(error),
            Err(_taken_by_another) => {}
        }
    }
}

async fn answer(socket: Socket<Ticket>, core: Arc<Mutex<Core>>, stop: CancellationToken) {
    let mut buffer = vec![0; LONGEST + 1];
    let mut discipline = (i64::MIN, Discipline::unknown("not asked yet"));
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.receive(&mut buffer) => received,
        };
        let now_ns = clock::monotonic_ns();
        if now_ns.saturating_sub(discipline.0) >= DISCIPLINE_NS {
            discipline = (now_ns, clock::discipline());
        }
        match received {
            Ok(received) => reflect(&socket, &core, &buffer[..received.len], received, &discipline.1, now_ns),
            // The socket itself stays usable; without a pause a lasting error would take all of the processor.
            Err(error) => {
                warn!(%error, "the mesh's reflector cannot receive");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn reflect(
    socket: &Socket<Ticket>,
    core: &Mutex<Core>,
    bytes: &[u8],
    received: Received,
    discipline: &Discipline,
    now_ns: i64,
) {
    let Received { from, stamp: reached, by_kernel, ttl, .. } = received;
    let mut core = lock(core);
    // First what is known of earlier answers, because this one tells it.
    while let Some((ticket, at)) = socket.left() {
        core.left(&ticket, at);
    }
    let arrival = Arrival { from, bytes, reached, by_kernel, ttl };
    let returned = || Stamp::from_unix_ns(clock::wall_ns());
    match core.reflect(arrival, discipline.estimate(), now_ns, returned) {
        Ok(reply) => {
            if let Err(error) = socket.send_to(&reply.bytes, from, reply.ticket) {
                debug!(%error, %from, "an answer of the mesh could not be sent");
            }
        }
        Err(why) => debug!(%from, %why, "a packet of the mesh is not answered"),
    }
}
