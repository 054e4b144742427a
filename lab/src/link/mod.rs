//! Impairment links: proxies on 127.0.0.1 that delay, lose, refuse or swallow what passes through them.
//!
//! They stand in for `tc netem`, which many kernels (and all unprivileged users) lack. What they cannot do: a
//! proxy's `accept` happens after the kernel has already answered the SYN, so *connect time through a link is
//! always that of loopback*. Instead the connection to the upstream is made one `there` delay after the accept,
//! and every chunk of data is delivered one delay after it arrived, so the first answer is seen no earlier than
//! one round trip after the connect (on a real path it would be two). Making the handshake itself slow would
//! take raw sockets.
//!
//! Timers have a resolution of one millisecond and round up: short delays are stretched by 1 to 2 ms.

mod control;
mod dice;
mod pump;
mod tcp;
mod udp;

pub use control::{LinkControl, LinkStats};
pub use tcp::TcpLink;
pub use udp::UdpLink;

use std::time::Duration;

/// How one direction of a link treats what passes. The default passes everything at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// One-way delay.
    pub delay: Duration,
    /// Up to this much is added to the delay, evenly distributed. Order is kept.
    pub jitter: Duration,
    /// The probability, 0 to 1, that a packet is lost. On TCP a loss shows as retransmission delay: no byte is
    /// ever lost.
    pub loss: f64,
    /// The probability, 0 to 1, that a datagram arrives twice. UDP only.
    pub duplicate: f64,
    /// The probability, 0 to 1, that a datagram is held back so that later ones overtake it. UDP only.
    pub reorder: f64,
}

impl Shape {
    /// A shape that only delays.
    pub fn delayed(delay: Duration) -> Shape {
        Shape { delay, ..Shape::default() }
    }
}

/// A direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the one who dials to the upstream.
    There,
    /// From the upstream to the one who dialled.
    Back,
}

/// What is wrong with a link. Ordered by precedence: where nothing arrives, nothing can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Fault {
    #[default]
    None,
    /// TCP: connections are reset and new ones refused. UDP: datagrams are answered by ICMP port unreachable.
    Refuse,
    /// Nothing passes and nothing is answered. TCP connections made before the fault stall and go on at heal;
    /// those made during the fault succeed to connect (see the module), stay silent and are reset at heal.
    Blackhole,
}

/// Loopback, any free port.
pub(crate) fn any_port() -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, 0).into()
}
