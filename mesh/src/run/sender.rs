//! One session's sender at work.

use super::{Settings, dial, fallback::Fallback, turns::Turns};
use crate::{
    clock::{self, Discipline},
    packet::{AUTHENTICATED_LEN, Answer, Key, LONGEST, tlv},
    session::{Heard, Identity, Session},
    socket::{Options, Received, Socket},
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wire::mesh::{MeshMethod, MeshSend, MeshWindow};

/// What a sender is told.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) identity: Identity,
    pub(super) send: MeshSend,
    pub(super) key: Option<Key>,
    pub(super) settings: Settings,
    pub(super) windows: mpsc::Sender<MeshWindow>,
}

/// A socket that is connected to the peer's address.
type Dialled = (SocketAddr, Socket<u32>);

struct Sender {
    job: Job,
    session: Session,
    turns: Turns,
    fallback: Fallback,
    /// Absent while the peer's address is not known.
    socket: Option<Dialled>,
    /// Looks the peer's address up again after a silent window, without holding up the packets.
    lookup: Option<JoinHandle<Option<Dialled>>>,
    extensions: Vec<u8>,
    discipline: Discipline,
}

/// Measures until told to stop.
pub(super) async fn run(job: Job, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = async { Sender::new(job).await.work().await } => {}
    }
}

impl Sender {
    async fn new(job: Job) -> Self {
        let target = job.send.fallback.clone().unwrap_or_else(|| job.send.address.clone());
        let patience = Duration::from_micros(u64::from(job.send.timeout_us));
        let fallback = Fallback::new(target, job.settings.denied, patience);
        let socket = connect(&job).await;
        // The first packet must not wait for a name to be resolved, so the clock begins here.
        let now = clock::now();
        let interval_ns = i64::from(job.send.interval_us) * 1000;
        Self {
            session: Session::new(job.identity.clone(), (&job.send).into(), now),
            turns: Turns::new(now.monotonic_ns, interval_ns, job.settings.random.clone()),
            fallback,
            socket,
            lookup: None,
            extensions: extensions(job.key.is_some()),
            discipline: clock::discipline(),
            job,
        }
    }

    async fn work(&mut self) {
        let mut buffer = vec![0; LONGEST + 1];
        loop {
            let turn = until(self.turns.next_ns());
            let close = until(self.session.closes_at_ns());
            tokio::select! {
                received = receive(self.socket.as_ref(), &mut buffer) => match received {
                    Ok(received) => self.hear(&buffer[..received.len], received),
                    Err(error) => {
                        warn!(peer = %self.job.identity.to, %error, "a socket of the mesh is broken, another follows");
                        self.socket = None;
                    }
                },
                () = tokio::time::sleep(turn) => self.take_turn(),
                () = tokio::time::sleep(close) => self.close(),
                found = looked_up(self.lookup.as_mut()) => {
                    self.lookup = None;
                    self.move_to(found);
                }
            }
        }
    }

    fn take_turn(&mut self) {
        let now = clock::now();
        for _missed in 0..self.turns.take(now.monotonic_ns) {
            self.session.not_sent(now);
        }
        let Some((_, socket)) = &self.socket else {
            self.session.not_sent(now);
            return;
        };
        let key = self.job.key.as_ref();
        // Read again as late as possible: when the kernel takes no stamps this one counts.
        let at = clock::now();
        let request = self.session.request(at.stamp(), self.discipline.estimate(), self.extensions.clone());
        let mut bytes = request.encode(key);
        if let Some(key) = key {
            tlv::sign(&mut bytes, AUTHENTICATED_LEN, key);
        }
        match socket.send(&bytes, request.sequence) {
            Ok(()) => {
                self.session.sent(at, request.sent);
            }
            Err(error) => {
                debug!(peer = %self.job.identity.to, %error, "a packet of the mesh could not be sent");
                self.session.not_sent(at);
            }
        }
        self.note_left();
    }

    fn note_left(&mut self) {
        while let Some((sequence, at)) = self.socket.as_ref().and_then(|(_, socket)| socket.left()) {
            self.session.left(sequence, at);
        }
    }

    fn hear(&mut self, bytes: &[u8], received: Received) {
        let at = clock::now();
        self.note_left();
        let key = self.job.key.as_ref();
        let answer = match Answer::decode(bytes, key) {
            Ok(answer) => answer,
            Err(why) => {
                debug!(peer = %self.job.identity.to, %why, "a packet is no answer of the mesh");
                self.session.reject(at);
                return;
            }
        };
        let intact = key.is_none_or(|key| tlv::authentic(bytes, AUTHENTICATED_LEN, key));
        let told = match intact {
            true => tlv::Told::read(&answer.extensions, answer.error.format),
            false => tlv::Told::default(),
        };
        let Received { stamp, by_kernel, .. } = received;
        self.session.hear(Heard { answer, told, received: stamp, by_kernel, at });
    }

    fn close(&mut self) {
        self.discipline = clock::discipline();
        let mut silent = None;
        while let Some(window) = self.session.close(clock::now(), &self.discipline) {
            silent = Some(window.answered == 0 && window.sent + window.not_sent > 0);
            self.give(window);
        }
        for window in self.fallback.take(&self.job.identity) {
            self.give(window);
        }
        match silent {
            Some(true) => {
                self.fallback.start();
                let job = self.job.clone();
                self.lookup.get_or_insert_with(|| tokio::spawn(async move { connect(&job).await }));
            }
            Some(false) => self.fallback.stop(),
            None => {}
        }
    }

    /// After a silent window: the peer may have moved, or have an address now.
    fn move_to(&mut self, found: Option<Dialled>) {
        let Some((address, socket)) = found else { return };
        if self.socket.as_ref().is_some_and(|(known, _)| *known == address) {
            return;
        }
        info!(peer = %self.job.identity.to, %address, "a peer of the mesh has an address now, or another one");
        self.socket = Some((address, socket));
        self.session = Session::new(self.job.identity.clone(), (&self.job.send).into(), clock::now());
    }

    fn give(&self, window: MeshWindow) {
        if window.method == MeshMethod::Stamp && window.rejected > 0 {
            warn!(peer = %window.to, rejected = window.rejected, "packets of the mesh were not authentic or no answers");
        }
        if self.job.windows.try_send(window).is_err() {
            warn!(peer = %self.job.identity.to, "nobody takes the mesh's windows, one is dropped");
        }
    }
}

/// What a sender asks the reflector to fill in.
fn extensions(authenticated: bool) -> Vec<u8> {
    let mut extensions = Vec::new();
    tlv::push(&mut extensions, tlv::FOLLOW_UP, &[0; tlv::FollowUp::LEN]);
    tlv::push(&mut extensions, tlv::TIMESTAMP_INFO, &[0; tlv::TimestampInfo::LEN]);
    if authenticated {
        tlv::push(&mut extensions, tlv::HMAC, &[0; 16]);
    }
    extensions
}

/// Waits for a lookup; forever when there is none.
async fn looked_up(lookup: Option<&mut JoinHandle<Option<Dialled>>>) -> Option<Dialled> {
    match lookup {
        Some(lookup) => lookup.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

async fn connect(job: &Job) -> Option<Dialled> {
    let told = |why: &dyn std::fmt::Display| warn!(peer = %job.identity.to, %why, "a peer of the mesh cannot be reached");
    let address =
        dial::resolve(&job.send.address, job.settings.denied).await.map_err(|why| told(&why)).ok()?;
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let options = Options { kernel_stamps: job.settings.kernel_stamps, dscp: job.send.dscp };
    let socket = Socket::bind(SocketAddr::new(any, 0), options).and_then(|socket| {
        socket.connect(address)?;
        Ok(socket)
    });
    Some((address, socket.map_err(|error| told(&error)).ok()?))
}

async fn receive(socket: Option<&Dialled>, buffer: &mut [u8]) -> std::io::Result<Received> {
    match socket {
        Some((_, socket)) => socket.receive(buffer).await,
        None => std::future::pending().await,
    }
}

/// From now to a monotonic instant.
fn until(ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ns - clock::monotonic_ns()).unwrap_or(0))
}
