//! A TCP link: listens, and lets each connection through to one upstream with delay, loss and faults.

use super::{Fault, LinkControl, Shape, any_port, control::State, pump};
use std::{io, net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

/// Connections a link carries at once. More wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
const BACKLOG: u32 = 1024;
/// How long to wait before trying again what the kernel refused: to listen, or to accept.
const RETRY: Duration = Duration::from_millis(50);

/// A TCP proxy with impairments. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct TcpLink {
    addr: SocketAddr,
    control: LinkControl,
    _task: AbortOnDropHandle<()>,
}

impl TcpLink {
    /// Listens on a free port of 127.0.0.1 and leads to `to`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn listen(to: SocketAddr, there: Shape, back: Shape, seed: u64) -> io::Result<TcpLink> {
        TcpLink::open(any_port(), to, there, back, seed)
    }

    /// The same on a given address; port 0 takes a free one. Must be called on a tokio runtime.
    pub(crate) fn open(
        at: SocketAddr,
        to: SocketAddr,
        there: Shape,
        back: Shape,
        seed: u64,
    ) -> io::Result<TcpLink> {
        let listener = bind(at)?.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        let control = LinkControl::new(there, back);
        let task = tokio::spawn(run(listener, addr, to, control.clone(), seed));
        Ok(TcpLink { addr, control, _task: AbortOnDropHandle::new(task) })
    }

    /// The address to dial.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The handle that impairs and heals this link.
    pub fn control(&self) -> LinkControl {
        self.control.clone()
    }
}

/// A socket bound with SO_REUSEADDR, so that connections of an earlier listener do not block the port.
fn bind(at: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    Ok(socket)
}

async fn run(first: TcpListener, at: SocketAddr, to: SocketAddr, control: LinkControl, seed: u64) {
    let mut state = control.watch();
    let mut listener = first;
    let mut connections = JoinSet::new();
    loop {
        if state.borrow_and_update().fault == Fault::Refuse {
            match refuse(listener, at, &mut state).await {
                Some(again) => listener = again,
                None => return,
            }
            continue;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => {
                    let serial = control.counters().connections.fetch_add(1, Relaxed);
                    connections.spawn(pump::carry(client, to, control.clone(), seed, serial));
                }
                Err(error) => {
                    tracing::debug!(%at, %error, "a link cannot accept");
                    sleep(RETRY).await;
                }
            },
        }
    }
}

/// Closes the listener until the fault is over, and listens again on the same port. Meanwhile a socket that is
/// bound but does not listen keeps the port: the kernel refuses connections to it and gives it to nobody else.
async fn refuse(
    listener: TcpListener,
    at: SocketAddr,
    state: &mut watch::Receiver<State>,
) -> Option<TcpListener> {
    drop(listener);
    let mut held = bind(at).ok();
    state.wait_for(|state| state.fault != Fault::Refuse).await.ok()?;
    loop {
        let socket = held.take().map_or_else(|| bind(at), Ok);
        match socket.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return Some(listener),
            Err(error) => {
                tracing::warn!(%at, %error, "a healed link cannot listen again yet");
                sleep(RETRY).await;
            }
        }
    }
}
