//! A socket for echo requests: an unprivileged one where the system allows it, else a raw one.

use super::packet;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::net::UdpSocket;

/// Room for one packet, bytes: an IPv4 header of full length, and more than we ever ask to be sent back.
const PACKET_MOST: usize = 256;

/// A socket that is connected to one address, so that the system passes on nothing from elsewhere.
pub(super) struct Pinger {
    /// Not UDP: the type is only used for waiting, sending and receiving, which are the same for every socket that
    /// carries packets. It spares us `AsyncFd`, which cannot be made without unsafe code.
    socket: UdpSocket,
    to: IpAddr,
    /// Packets come with their IPv4 header.
    header: bool,
}

impl Pinger {
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] where this process may open neither kind of socket.
    pub(super) fn open(to: IpAddr) -> io::Result<Pinger> {
        let (domain, protocol) = match to {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        // Linux allows the first kind to the groups in `net.ipv4.ping_group_range`, the second with CAP_NET_RAW.
        let (socket, raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
            Ok(socket) => (socket, false),
            Err(_) => (Socket::new(domain, Type::RAW, Some(protocol))?, true),
        };
        // What is refused here is the address: it says nothing of what this process may do.
        socket.connect(&SockAddr::from(SocketAddr::new(to, 0))).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::other("this machine does not send there"),
            _ => error,
        })?;
        Pinger::over(socket, to, raw && to.is_ipv4())
    }

    /// Over a connected socket; `header` says that packets come with their IPv4 header.
    pub(super) fn over(socket: Socket, to: IpAddr, header: bool) -> io::Result<Pinger> {
        socket.set_nonblocking(true)?;
        Ok(Pinger { socket: UdpSocket::from_std(socket.into())?, to, header })
    }

    /// Sends one request.
    pub(super) async fn send(&self, sequence: u16, token: &[u8; 16]) -> io::Result<()> {
        self.socket.send(&packet::request(self.to, sequence, token)).await.map(drop)
    }

    /// Waits for a reply to one of the requests with `token`, and gives its sequence number.
    pub(super) async fn receive(&self, token: &[u8; 16]) -> io::Result<u16> {
        let mut buffer = [0; PACKET_MOST];
        loop {
            let length = self.socket.recv(&mut buffer).await?;
            if let Some(sequence) = packet::reply(&buffer[..length], self.to, self.header, token) {
                return Ok(sequence);
            }
        }
    }
}
