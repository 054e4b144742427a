//! A UDP socket whose packets are stamped by the kernel, where it can.
//!
//! A program that reads the clock measures also how long it waited for a processor: tens of milliseconds on a busy
//! machine. The kernel stamps packets when the driver takes or hands them over. On Linux it needs no privilege; where
//! it does not work, stamps are read by the program and say so.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "plain.rs"]
mod system;

use crate::{clock, packet::Stamp};
use runtime::lock::lock;
use socket2::{Domain, Protocol, Socket as Raw, Type};
use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    sync::Mutex,
};
use tokio::io::Interest;

/// How packets leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Let the kernel take stamps if it can; off only to compare.
    pub kernel_stamps: bool,
    /// Differentiated services code point, 0 to 63.
    pub dscp: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { kernel_stamps: true, dscp: 0 }
    }
}

/// A packet that came.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    pub len: usize,
    pub from: SocketAddr,
    pub stamp: Stamp,
    /// Whether the kernel took the stamp.
    pub by_kernel: bool,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
}

/// The socket. `Tag` is what names a packet to the caller when the kernel says that it left.
#[derive(Debug)]
pub struct Socket<Tag> {
    /// The same socket twice: to wait for packets, and to take and send them without asking whether it is ready.
    ready: tokio::net::UdpSocket,
    socket: UdpSocket,
    stamps: bool,
    /// Packets that left and whose stamp has not come: the kernel numbers them from 0.
    outgoing: Mutex<Outgoing<Tag>>,
}

#[derive(Debug)]
struct Outgoing<Tag> {
    next: u32,
    waiting: VecDeque<(u32, Tag)>,
}

/// Stamps of more packets than this are not waited for: the oldest are given up.
const WAITING_AT_MOST: usize = 512;

impl<Tag> Socket<Tag> {
    /// Opens a socket at a local address.
    ///
    /// # Errors
    /// When the address is not ours, in use or privileged.
    pub fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let raw = Raw::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        let class = u32::from(options.dscp) << 2;
        // As in TWAMP (RFC 5357, section 4.2.1), packets leave with the largest TTL: the other end can count hops.
        if address.is_ipv4() {
            raw.set_ttl_v4(255)?;
            raw.set_tos_v4(class)?;
        } else {
            // The unspecified address is for both families.
            raw.set_only_v6(!address.ip().is_unspecified())?;
            raw.set_unicast_hops_v6(255)?;
            system::set_class_v6(&raw, class)?;
        }
        raw.set_nonblocking(true)?;
        raw.bind(&address.into())?;
        let socket = UdpSocket::from(raw);
        system::report_ttl(&socket);
        let stamps = options.kernel_stamps && system::enable_stamps(&socket);
        Ok(Self {
            ready: tokio::net::UdpSocket::from_std(socket.try_clone()?)?,
            socket,
            stamps,
            outgoing: Mutex::new(Outgoing { next: 0, waiting: VecDeque::new() }),
        })
    }

    /// Only packets from this address are received from now on, and [`Socket::send`] sends to it.
    ///
    /// # Errors
    /// When there is no route.
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.connect(address)
    }

    /// Where the socket is bound.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether the kernel takes stamps.
    pub fn has_kernel_stamps(&self) -> bool {
        self.stamps
    }

    /// Sends to where the socket is connected, at once or not at all.
    ///
    /// # Errors
    /// When the packet did not leave this machine: no buffer, no route, forbidden.
    pub fn send(&self, bytes: &[u8], tag: Tag) -> io::Result<()> {
        // A refusal that an earlier packet met is told in place of sending this one.
        let send = || self.socket.send(bytes);
        self.sent(tag, send().or_else(|error| if is_refusal(&error) { send() } else { Err(error) }))
    }

    /// Sends to an address, at once or not at all.
    ///
    /// # Errors
    /// As for [`Socket::send`].
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr, tag: Tag) -> io::Result<()> {
        self.sent(tag, self.socket.send_to(bytes, to))
    }

    fn sent(&self, tag: Tag, result: io::Result<usize>) -> io::Result<()> {
        let mut outgoing = lock(&self.outgoing);
        match result {
            Ok(_) => {
                if self.stamps {
                    let id = outgoing.next;
                    outgoing.next = id.wrapping_add(1);
                    outgoing.waiting.push_back((id, tag));
                    if outgoing.waiting.len() > WAITING_AT_MOST {
                        outgoing.waiting.pop_front();
                    }
                }
                Ok(())
            }
            Err(error) => {
                // Whether the kernel counted this packet depends on its version and on how far the packet came, so
                // both start to count again.
                if self.stamps {
                    system::enable_stamps(&self.socket);
                    *outgoing = Outgoing { next: 0, waiting: VecDeque::new() };
                }
                Err(error)
            }
        }
    }

    /// The next packet of which the kernel says when it left. To be called until there is none.
    pub fn left(&self) -> Option<(Tag, Stamp)> {
        if !self.stamps {
            return None;
        }
        loop {
            let (id, stamp) = system::left(&self.socket)?;
            let mut outgoing = lock(&self.outgoing);
            let place = outgoing.waiting.iter().position(|(waiting, _)| *waiting == id);
            if let Some((_, tag)) = place.and_then(|place| outgoing.waiting.remove(place)) {
                return Some((tag, stamp));
            }
        }
    }

    /// Waits for a packet. Refusals that earlier packets met on their way are skipped.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            self.ready.readable().await?;
            match self.ready.try_io(Interest::READABLE, || system::receive(&self.socket, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_refusal(&error) => {}
                Err(error) => return Err(error),
                Ok(raw) => {
                    let stamp = raw.stamp.unwrap_or_else(|| Stamp::from_unix_ns(clock::wall_ns()));
                    let by_kernel = raw.stamp.is_some();
                    return Ok(Received { len: raw.len, from: raw.from, stamp, by_kernel, ttl: raw.ttl });
                }
            }
        }
    }
}

/// Whether an error only tells what became of an earlier packet (ICMP, RFC 1122, section 4.1.3.3).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::HostUnreachable
    )
}

/// A packet as the system gives it.
struct RawReceived {
    len: usize,
    from: SocketAddr,
    stamp: Option<Stamp>,
    ttl: Option<u8>,
}

#[cfg(test)]
mod tests;
