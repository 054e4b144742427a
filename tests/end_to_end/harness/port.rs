//! A port that stays ours while the process that listens on it is dead.

use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

/// A port of 127.0.0.1. The socket here is bound and never listens: the kernel refuses connections as long as
/// nobody else listens, gives the port to nobody, and lets a child bind it with SO_REUSEADDR.
#[derive(Debug)]
pub struct Port {
    pub address: SocketAddr,
    _held: TcpSocket,
}

impl Port {
    /// Takes a free port.
    pub fn reserve() -> anyhow::Result<Port> {
        let held = TcpSocket::new_v4()?;
        held.set_reuseaddr(true)?;
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).context("no free port")?;
        Ok(Port { address: held.local_addr()?, _held: held })
    }
}
