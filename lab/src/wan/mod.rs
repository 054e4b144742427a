//! The wide area network: named sites, the delays between them, and links that are made when somebody dials.
//!
//! The round-trip times are rounded figures of public cloud regions, good for illustration and nothing else. All
//! conditions (partitions, slow or lossy sites) hold for present and future links until they are healed; where
//! several meet on a link, delays add up and the worst fault counts.

mod conditions;
mod matrix;

pub use matrix::{EDGE, REGIONS, SITES, round_trip};

use crate::{
    http::lock,
    link::{Fault, LinkControl, Shape, TcpLink, UdpLink},
};
use conditions::Conditions;
use std::{collections::HashMap, io, net::SocketAddr, sync::Mutex, time::Duration};

/// Links one network can have; each costs a port and a task.
const MAX_LINKS: usize = 1024;
/// Jitter as a part of the one-way delay.
const JITTER: f64 = 0.03;
/// Loss on every path between sites.
const LOSS: f64 = 0.0002;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum WanError {
    #[error("there is no site {0:?}: use one of {list}", list = SITES.join(", "))]
    UnknownSite(String),
    #[error("the network has {MAX_LINKS} links already: dial fewer different addresses")]
    Full,
    #[error("no port for a link on 127.0.0.1: free some ports or file descriptors")]
    Listen(#[source] io::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Tcp,
    Udp,
}

/// What a link is for: it is shared by all who dial the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Path {
    kind: Kind,
    from: &'static str,
    to: &'static str,
    addr: SocketAddr,
}

#[derive(Debug)]
enum Link {
    Tcp(TcpLink),
    Udp(UdpLink),
}

impl Link {
    fn addr(&self) -> SocketAddr {
        match self {
            Link::Tcp(link) => link.addr(),
            Link::Udp(link) => link.addr(),
        }
    }

    fn control(&self) -> LinkControl {
        match self {
            Link::Tcp(link) => link.control(),
            Link::Udp(link) => link.control(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    links: HashMap<Path, Link>,
    conditions: Conditions,
}

/// The network. Dropping it drops every link.
#[derive(Debug)]
pub struct Wan {
    seed: u64,
    state: Mutex<State>,
}

impl Wan {
    /// A healthy network without links.
    pub fn new(seed: u64) -> Wan {
        Wan { seed, state: Mutex::default() }
    }

    /// The address to dial at the site `from` in order to reach the TCP server `addr` at the site `to`.
    ///
    /// # Errors
    /// For an unknown site, or when no link can be made.
    pub async fn connect(&self, from: &str, to: &str, addr: SocketAddr) -> Result<SocketAddr, WanError> {
        self.link(Kind::Tcp, from, to, addr)
    }

    /// The same for a UDP server.
    ///
    /// # Errors
    /// For an unknown site, or when no link can be made.
    pub async fn connect_udp(&self, from: &str, to: &str, addr: SocketAddr) -> Result<SocketAddr, WanError> {
        self.link(Kind::Udp, from, to, addr)
    }

    fn link(&self, kind: Kind, from: &str, to: &str, addr: SocketAddr) -> Result<SocketAddr, WanError> {
        let path = Path { kind, from: site(from)?, to: site(to)?, addr };
        let mut state = lock(&self.state);
        if let Some(link) = state.links.get(&path) {
            return Ok(link.addr());
        }
        if state.links.len() >= MAX_LINKS {
            return Err(WanError::Full);
        }
        let shape = healthy(&path);
        // Links differ in their seed, so that they do not lose the same packets.
        let seed = self.seed.wrapping_mul(31).wrapping_add(state.links.len() as u64);
        let link = match kind {
            Kind::Tcp => TcpLink::open(crate::link::any_port(), addr, shape, shape, seed).map(Link::Tcp),
            Kind::Udp => UdpLink::open(addr, shape, shape, seed).map(Link::Udp),
        }
        .map_err(WanError::Listen)?;
        apply(&path, &link, &state.conditions);
        let at = link.addr();
        state.links.insert(path, link);
        Ok(at)
    }

    /// Breaks every link that has exactly one end at this site; a partition is [`Fault::Blackhole`].
    ///
    /// # Errors
    /// For an unknown site.
    pub fn fault_site(&self, at: &str, fault: Fault) -> Result<(), WanError> {
        let at = site(at)?;
        self.change(|conditions| conditions.site(at).fault = fault);
        Ok(())
    }

    /// Adds a one-way delay, in both directions, to every link that has exactly one end at this site.
    ///
    /// # Errors
    /// For an unknown site.
    pub fn slow_site(&self, at: &str, extra: Duration) -> Result<(), WanError> {
        let at = site(at)?;
        self.change(|conditions| conditions.site(at).extra = extra);
        Ok(())
    }

    /// Adds loss, 0 to 1, in both directions, to every link that has exactly one end at this site.
    ///
    /// # Errors
    /// For an unknown site.
    pub fn lossy_site(&self, at: &str, loss: f64) -> Result<(), WanError> {
        let at = site(at)?;
        self.change(|conditions| conditions.site(at).loss = loss);
        Ok(())
    }

    /// Breaks the links dialled at `from` towards `to`, not those dialled at `to`.
    ///
    /// # Errors
    /// For an unknown site.
    pub fn fault_pair(&self, from: &str, to: &str, fault: Fault) -> Result<(), WanError> {
        let pair = (site(from)?, site(to)?);
        self.change(|conditions| _ = conditions.pairs.insert(pair, fault));
        Ok(())
    }

    /// Breaks every link that leads to one server, also from its own site.
    pub fn fault_server(&self, addr: SocketAddr, fault: Fault) {
        self.change(|conditions| _ = conditions.servers.insert(addr, fault));
    }

    /// Ends all conditions.
    pub fn heal(&self) {
        self.change(|conditions| *conditions = Conditions::default());
    }

    /// Ends the conditions of a site and of its pairs; those of servers stay.
    ///
    /// # Errors
    /// For an unknown site.
    pub fn heal_site(&self, at: &str) -> Result<(), WanError> {
        let at = site(at)?;
        self.change(|conditions| conditions.forget(at));
        Ok(())
    }

    /// The handle of the link that [`Wan::connect`] made, to watch or to break that one alone. A later change
    /// of the network's conditions overrides what was set by this handle.
    pub fn control(&self, from: &str, to: &str, addr: SocketAddr) -> Option<LinkControl> {
        let path = Path { kind: Kind::Tcp, from: site(from).ok()?, to: site(to).ok()?, addr };
        lock(&self.state).links.get(&path).map(Link::control)
    }

    fn change(&self, change: impl FnOnce(&mut Conditions)) {
        let mut state = lock(&self.state);
        change(&mut state.conditions);
        for (path, link) in &state.links {
            apply(path, link, &state.conditions);
        }
    }
}

fn site(name: &str) -> Result<&'static str, WanError> {
    SITES.into_iter().find(|site| *site == name).ok_or_else(|| WanError::UnknownSite(name.into()))
}

/// The shape of each direction of a path without conditions.
fn healthy(path: &Path) -> Shape {
    let delay = round_trip(path.from, path.to).unwrap_or_default() / 2;
    let loss = if path.from == path.to { 0.0 } else { LOSS };
    Shape { delay, jitter: delay.mul_f64(JITTER), loss, ..Shape::default() }
}

fn apply(path: &Path, link: &Link, conditions: &Conditions) {
    let (shape, fault) = conditions.upon(path, healthy(path));
    link.control().apply(shape, shape, fault);
}
