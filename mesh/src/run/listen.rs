//! The reflector's TCP port: for peers whose UDP does not come through. Any HTTP request gets "204 No Content".

use crate::reflect::Core;
use runtime::lock::lock;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Connections at the same time; more are closed at once.
const CONNECTIONS: usize = 64;
/// The longest a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD: usize = 4096;
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n";

/// Listens at an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let raw = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        raw.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Connections of a reflector that ended a moment ago do not keep the next one from starting.
    raw.set_reuse_address(true)?;
    raw.set_nonblocking(true)?;
    raw.bind(&address.into())?;
    raw.listen(128)?;
    TcpListener::from_std(raw.into())
}

/// Answers peers until told to stop; whoever is no peer is hung up on.
pub(super) async fn run(listener: TcpListener, core: Arc<Mutex<Core>>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                if !lock(&core).knows(from.ip().to_canonical()) {
                    continue;
                }
                let stop = stop.clone();
                tokio::spawn(async move {
                    let _place = place;
                    // Whatever goes wrong, the connection is closed and the peer sees that.
                    let _ended = tokio::select! {
                        () = stop.cancelled() => Ok(Ok(())),
                        ended = tokio::time::timeout(PATIENCE, answer(stream)) => ended,
                    };
                });
            }
            Err(error) => {
                warn!(%error, "the mesh's TCP port cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 512];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let n = stream.read(&mut part).await?;
        if n == 0 || head.len() + n > HEAD {
            return Ok(());
        }
        head.extend_from_slice(&part[..n]);
    }
    stream.write_all(NO_CONTENT).await?;
    stream.shutdown().await
}
