//! A UDP link: like a NAT, it gives each client its own socket towards the upstream, so that answers find back.

use super::{
    Direction, Fault, LinkControl, Shape, any_port,
    control::State,
    dice::{Dice, Fate},
};
use bytes::Bytes;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    time::{Instant, interval, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// Clients served at once; datagrams of others are dropped.
const MAX_CLIENTS: usize = 1024;
/// A client that sent nothing for so long loses its socket.
const IDLE: Duration = Duration::from_secs(60);
/// Datagrams and bytes under way at once; more are dropped.
const MAX_QUEUED: usize = 8192;
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// Answers that wait to be scheduled.
const ANSWERS: usize = 256;
const MAX_DATAGRAM: usize = 65_535;
/// How long to wait before trying again to get the port back.
const RETRY: Duration = Duration::from_millis(50);

/// A UDP proxy with impairments. Dropping it closes the port and forgets its clients.
#[derive(Debug)]
pub struct UdpLink {
    addr: SocketAddr,
    control: LinkControl,
    _task: AbortOnDropHandle<()>,
}

impl UdpLink {
    /// Listens on a free port of 127.0.0.1 and leads to `to`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn listen(to: SocketAddr, there: Shape, back: Shape, seed: u64) -> io::Result<UdpLink> {
        UdpLink::open(to, there, back, seed)
    }

    /// The same without an await. Must be called on a tokio runtime.
    pub(crate) fn open(to: SocketAddr, there: Shape, back: Shape, seed: u64) -> io::Result<UdpLink> {
        let socket = bind(any_port())?;
        let addr = socket.local_addr()?;
        let control = LinkControl::new(there, back);
        let task = tokio::spawn(run(socket, addr, to, control.clone(), seed));
        Ok(UdpLink { addr, control, _task: AbortOnDropHandle::new(task) })
    }

    /// The address to send to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The handle that impairs and heals this link.
    pub fn control(&self) -> LinkControl {
        self.control.clone()
    }
}

fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(at)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

async fn run(first: UdpSocket, at: SocketAddr, to: SocketAddr, control: LinkControl, seed: u64) {
    let mut state = control.watch();
    let mut socket = first;
    let mut dice = (Dice::new(seed, 0), Dice::new(seed, 1));
    loop {
        let fault = state.borrow_and_update().fault;
        if fault == Fault::Refuse {
            match refuse(socket, at, &mut state).await {
                Some(again) => socket = again,
                None => return,
            }
        } else {
            Session::new(&socket, to, &control, &mut dice).run(&mut state).await;
        }
    }
}

async fn refused(state: &mut watch::Receiver<State>) {
    let _ = state.wait_for(|state| state.fault == Fault::Refuse).await;
}

/// Makes the kernel answer "port unreachable" until the fault is over, and takes the port back. A socket that is
/// connected to a peer which never sends keeps the port: the kernel finds no receiver for anybody else's datagrams.
async fn refuse(socket: UdpSocket, at: SocketAddr, state: &mut watch::Receiver<State>) -> Option<UdpSocket> {
    const NOBODY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9);
    drop(socket);
    let held = bind(at).ok();
    if let Some(socket) = &held {
        let _ = socket.connect(NOBODY).await;
    }
    state.wait_for(|state| state.fault != Fault::Refuse).await.ok()?;
    drop(held);
    loop {
        match bind(at) {
            Ok(socket) => return Some(socket),
            Err(error) => {
                tracing::warn!(%at, %error, "a healed link cannot have its port yet");
                sleep(RETRY).await;
            }
        }
    }
}

/// What is under way, ordered by when it is due, then by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    due: Instant,
    serial: u64,
    back: bool,
    client: SocketAddr,
    data: Bytes,
}

struct Client {
    upstream: Arc<UdpSocket>,
    seen: Instant,
    _answers: AbortOnDropHandle<()>,
}

/// The link between two refusals.
struct Session<'a> {
    public: &'a UdpSocket,
    to: SocketAddr,
    control: &'a LinkControl,
    dice: &'a mut (Dice, Dice),
    clients: HashMap<SocketAddr, Client>,
    queue: BinaryHeap<Reverse<Queued>>,
    queued_bytes: usize,
    serial: u64,
}

impl<'a> Session<'a> {
    fn new(
        public: &'a UdpSocket,
        to: SocketAddr,
        control: &'a LinkControl,
        dice: &'a mut (Dice, Dice),
    ) -> Session<'a> {
        let (clients, queue) = (HashMap::new(), BinaryHeap::new());
        Session { public, to, control, dice, clients, queue, queued_bytes: 0, serial: 0 }
    }

    /// Runs until the link refuses.
    async fn run(mut self, state: &mut watch::Receiver<State>) {
        let (answer, mut answers) = mpsc::channel(ANSWERS);
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut tidy = interval(IDLE / 4);
        loop {
            let due = self.queue.peek().map(|Reverse(queued)| queued.due);
            tokio::select! {
                () = refused(state) => return,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.deliver().await,
                received = self.public.recv_from(&mut buffer) => if let Ok((size, client)) = received
                    && self.admit(client, &answer)
                {
                    self.schedule(false, client, Bytes::copy_from_slice(&buffer[..size]));
                },
                Some((client, data)) = answers.recv() => self.schedule(true, client, data),
                _ = tidy.tick() => self.clients.retain(|_, client| client.seen.elapsed() < IDLE),
            }
        }
    }

    /// Finds or makes the socket of a client; false when there are too many.
    fn admit(&mut self, addr: SocketAddr, answer: &mpsc::Sender<(SocketAddr, Bytes)>) -> bool {
        if let Some(client) = self.clients.get_mut(&addr) {
            client.seen = Instant::now();
            return true;
        }
        let upstream = match upstream(self.to) {
            Ok(socket) if self.clients.len() < MAX_CLIENTS => Arc::new(socket),
            _ => {
                self.control.counters().overflowed.fetch_add(1, Relaxed);
                return false;
            }
        };
        self.control.counters().connections.fetch_add(1, Relaxed);
        let task = tokio::spawn(listen(upstream.clone(), addr, answer.clone()));
        let client = Client { upstream, seen: Instant::now(), _answers: AbortOnDropHandle::new(task) };
        self.clients.insert(addr, client);
        true
    }

    fn schedule(&mut self, back: bool, client: SocketAddr, data: Bytes) {
        let state = self.control.state();
        let (dice, direction) = match back {
            false => (&mut self.dice.0, Direction::There),
            true => (&mut self.dice.1, Direction::Back),
        };
        let Fate { first, second } = dice.datagram(Instant::now(), state.shape(direction));
        if first.is_none() {
            self.control.counters().lost.fetch_add(1, Relaxed);
        }
        if state.fault == Fault::Blackhole {
            return;
        }
        for due in [first, second].into_iter().flatten() {
            if self.queue.len() >= MAX_QUEUED || self.queued_bytes + data.len() > MAX_QUEUED_BYTES {
                self.control.counters().overflowed.fetch_add(1, Relaxed);
                continue;
            }
            self.serial += 1;
            self.queued_bytes += data.len();
            let queued = Queued { due, serial: self.serial, back, client, data: data.clone() };
            self.queue.push(Reverse(queued));
        }
    }

    /// Sends what is due; what reaches a black hole is gone.
    async fn deliver(&mut self) {
        let (now, fault) = (Instant::now(), self.control.fault());
        while self.queue.peek().is_some_and(|Reverse(queued)| queued.due <= now) {
            let Some(Reverse(queued)) = self.queue.pop() else { return };
            self.queued_bytes -= queued.data.len();
            if fault == Fault::Blackhole {
                continue;
            }
            let (sent, direction) = if queued.back {
                (self.public.send_to(&queued.data, queued.client).await, Direction::Back)
            } else {
                let Some(client) = self.clients.get(&queued.client) else { continue };
                let mut sent = client.upstream.send(&queued.data).await;
                if sent.is_err() {
                    // That was the news about an earlier datagram (port unreachable): this one has not been tried.
                    sent = client.upstream.send(&queued.data).await;
                }
                (sent, Direction::There)
            };
            // A datagram that the kernel does not take is lost, as on any path.
            if let Ok(bytes) = sent {
                self.control.delivered(direction, bytes);
            }
        }
    }
}

/// A socket that exchanges datagrams with the upstream only.
fn upstream(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Hands the upstream's answers to the session. An error (the upstream's port is closed) is not the end: it may open.
async fn listen(upstream: Arc<UdpSocket>, client: SocketAddr, answer: mpsc::Sender<(SocketAddr, Bytes)>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        if let Ok(size) = upstream.recv(&mut buffer).await
            && answer.send((client, Bytes::copy_from_slice(&buffer[..size]))).await.is_err()
        {
            return;
        }
    }
}
