//! `mesh`, and `mesh` of each probe: who measures the network to whom, and with which keys.

use super::{host, probes, source};
use crate::config::{
    model::{Mesh, MeshSeat, SecretSource},
    read::At,
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use wire::{ProbeId, mesh::PORT};

/// Ten packets a second for a minute: 600 packets tell a loss of 1 % from none.
const DEFAULT_EVERY: Duration = Duration::from_millis(100);
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
/// Everybody measures everybody: more would be too many packets for anybody.
const MOST_SEATS: usize = 200;
/// A window with fewer packets says nothing about loss.
const LEAST_PACKETS: u32 = 10;
/// Probes keep every packet of a window in memory.
const MOST_PACKETS: u32 = 10_000;

/// Reads the section. `probes` are those of the document, for whether anybody takes part.
pub fn read(
    section: Option<&At<'_>>,
    probes: &BTreeMap<ProbeId, probes::Known>,
    folder: &Path,
) -> Option<Option<Mesh>> {
    let Some(section) = section else {
        return Some(None);
    };
    let seats = || probes.values().filter_map(|known| known.whole.as_ref()?.mesh.as_ref());
    // A probe with a mistake may have a seat all the same.
    let certain = probes.values().all(|known| known.whole.is_some());
    let fields = section.fields(&["key", "every", "window"])?;
    let key = fields.need("key", "{ file: secrets/mesh.key }").and_then(|at| source::secret(at, folder));
    let every = fields
        .or("every", DEFAULT_EVERY, |at| at.duration(Duration::from_millis(10)..=Duration::from_secs(10)));
    let window = fields
        .or("window", DEFAULT_WINDOW, |at| at.duration(Duration::from_secs(1)..=Duration::from_secs(600)));
    let (key, every, window): (SecretSource, _, _) = (key?, every?, window?);
    if every * MOST_PACKETS < window {
        section.problem_with_key(format!(
            "a window holds more than {MOST_PACKETS} packets; make `window` shorter or `every` longer"
        ));
        return None;
    }
    if every * LEAST_PACKETS > window {
        section.problem_with_key(format!(
            "a window holds fewer than {LEAST_PACKETS} packets; make `window` longer or `every` shorter"
        ));
        return None;
    }
    if certain && (seats().count() < 2 || seats().all(|seat| seat.address.is_none())) {
        section.problem_with_key(
            "nobody to measure: give at least two probes a `mesh`, and one of them an `address`, for example \
             `mesh: { address: 203.0.113.7:862 }`",
        );
        return None;
    }
    if seats().count() > MOST_SEATS {
        section.problem_with_key(format!(
            "{} probes take part, and every one measures every other; the limit is {MOST_SEATS}",
            seats().count()
        ));
        return None;
    }
    Some(Some(Mesh { key, every, window }))
}

/// Reads a probe's part: `{ address: host:port, listen: ip:port }`, or only the address; `send` for a probe that
/// nobody can reach. `configured` says whether there is a mesh.
pub fn seat(at: &At<'_>, configured: bool) -> Option<MeshSeat> {
    if !configured {
        at.problem_with_key(
            "there is no mesh to take part in; add the section `mesh: { key: { file: secrets/mesh.key } }`",
        );
        return None;
    }
    if ["off", "none", "no", "false"].iter().any(|word| at.is_word(word)) {
        return at.expected("`send`, or host:port; leave `mesh` out for a probe that takes no part");
    }
    if at.is_word("send") {
        return Some(MeshSeat { address: None, listen: None });
    }
    if at.is_text() {
        let address = host::server(at, PORT)?;
        let listen = anywhere(&address);
        return Some(MeshSeat { address: Some(address), listen: Some(listen) });
    }
    let fields = at.fields(&["address", "listen"])?;
    let address = fields.need("address", "probe.example.com:862").and_then(|at| host::server(at, PORT));
    let listen = fields.maybe("listen", socket);
    let (address, listen) = (address?, listen?);
    if let (Some(listen), Some(at)) = (listen, fields.get("listen"))
        && address.parse::<SocketAddr>().is_ok_and(|address| address.is_ipv4() != listen.is_ipv4())
    {
        at.problem("`listen` and `address` must both be IPv4 or both IPv6");
        return None;
    }
    let listen = listen.unwrap_or_else(|| anywhere(&address));
    Some(MeshSeat { address: Some(address), listen: Some(listen) })
}

/// All of the machine's addresses of the same family (IPv4 for a name), with the same port.
fn anywhere(address: &str) -> SocketAddr {
    match address.parse() {
        Ok(SocketAddr::V6(v6)) => (Ipv6Addr::UNSPECIFIED, v6.port()).into(),
        Ok(SocketAddr::V4(v4)) => (Ipv4Addr::UNSPECIFIED, v4.port()).into(),
        Err(_) => {
            let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
            (Ipv4Addr::UNSPECIFIED, port.unwrap_or(PORT)).into()
        }
    }
}

fn socket(at: &At<'_>) -> Option<SocketAddr> {
    let parsed: Option<SocketAddr> = at.text(100)?.parse().ok();
    match parsed {
        Some(address) if address.port() != 0 => Some(address),
        _ => at.expected("an IP address with a port, such as 0.0.0.0:862 or \"[::]:862\""),
    }
}
