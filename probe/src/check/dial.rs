//! Making the connection: name, address, socket, TLS, each a phase of its own.

use super::{
    fault::Fault,
    handshake::secure,
    record::{Phase, Recorder},
    way::Way,
};
use crate::net::{
    Net, denied,
    resolve::{Patience, Wanted, fits},
};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::{Host, Url};
use wire::{assignment::Family, sample::FailClass};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

impl Destination {
    /// Reads host and port of a URL. `url` leaves the host of unknown schemes (`tcp:`) as it is, so the host is
    /// read again by the rules of `http:`.
    ///
    /// # Errors
    /// [`FailClass::Request`] without a usable host and port.
    pub(super) fn of(url: &Url) -> Result<Destination, Fault> {
        Destination::read(url, None)
    }

    /// Like [`Destination::of`], for protocols with a port of their own where the URL names none.
    pub(super) fn or_port(url: &Url, port: u16) -> Result<Destination, Fault> {
        Destination::read(url, Some(port))
    }

    fn read(url: &Url, default_port: Option<u16>) -> Result<Destination, Fault> {
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Fault::request("the endpoint's URL has no host"))?;
        let host = Host::parse(host).map_err(|error| {
            Fault::request(format!("the endpoint's host {host} is not a host name: {error}"))
        })?;
        let port = match default_port {
            Some(port) => url.port().or(Some(port)),
            None => url.port_or_known_default().filter(|port| *port != 0),
        };
        let port = port.ok_or_else(|| Fault::request("the endpoint's URL has no port"))?;
        Ok(Destination { host, port })
    }

    /// The name that the certificate must carry.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, Fault> {
        match &self.host {
            Host::Ipv4(address) => Ok(ServerName::IpAddress((*address).into())),
            Host::Ipv6(address) => Ok(ServerName::IpAddress((*address).into())),
            Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| Fault::request(format!("{name} cannot be the name of a certificate"))),
        }
    }
}

/// A byte stream to the server, with or without TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A connection that can take a request.
pub(super) struct Line {
    pub(super) socket: Box<dyn Socket>,
    /// The server chose HTTP/2 (ALPN, RFC 7301).
    pub(super) h2: bool,
}

/// Finds the one address that is measured: phase `dns`, when there is a name to resolve. It is the first of the family
/// that the check asks for, IPv4 before IPv6: a race between families would hide a broken one.
///
/// # Errors
/// [`FailClass::Dns`] for a name that does not resolve, [`FailClass::Request`] for an address that is denied or of the
/// other family.
pub(super) async fn address(
    to: &Destination,
    way: &Way<'_>,
    recorder: &Recorder,
) -> Result<SocketAddr, Fault> {
    let address = match way.given(to) {
        Some(address) => address,
        None => addresses(to, way, false, recorder).await?.remove(0),
    };
    permit(address, known_address(to, way).is_none().then_some(&to.host))?;
    recorder.note(|record| record.address = Some(address));
    Ok(address)
}

/// Finds the addresses, at least one: phase `dns`, when there is a name to resolve. Not yet whether they are denied.
pub(super) async fn addresses(
    to: &Destination,
    way: &Way<'_>,
    all: bool,
    recorder: &Recorder,
) -> Result<Vec<SocketAddr>, Fault> {
    let family = way.reach.family;
    if let Some(address) = known_address(to, way) {
        return of_family(address, family).map(|address| vec![address]);
    }
    recorder.enter(Phase::Dns);
    let name = to.host.to_string();
    let servers = way.servers()?;
    let wanted = Wanted { name: &name, family, all, servers: &servers };
    let looked = way.net.resolver().lookup(wanted, Patience::within(way.limit.until)).await;
    recorder.note(|record| match looked {
        Ok(found) => {
            record.connection.lookup = Some(found.lookup);
            Ok(found.addresses.into_iter().map(|ip| SocketAddr::new(ip, to.port)).collect())
        }
        Err(failure) => {
            record.connection.lookup = failure.lookup;
            record.resolver = failure.trouble;
            Err(Fault::new(FailClass::Dns, failure.summary))
        }
    })
}

/// Refuses addresses that no check may reach. Where a `name` was looked up and led there, that is a fault of the name: its
/// users are sent there as well.
///
/// # Errors
/// [`FailClass::Dns`] for the address of a name, [`FailClass::Request`] for one that was written as such.
fn permit(address: SocketAddr, name: Option<&Host<String>>) -> Result<(), Fault> {
    let ip = address.ip();
    let Some(what) = denied(ip) else { return Ok(()) };
    Err(match name {
        Some(name) => {
            let why = format!("{name} leads to {ip}, which is {what}: checks are denied to go there");
            Fault::new(FailClass::Dns, why)
        }
        None => Fault::request(format!("{ip} is {what}: checks are denied to go there")),
    })
}

/// Refuses DNS servers that no check may reach.
pub(super) fn permit_server(address: SocketAddr) -> Result<(), Fault> {
    permit(address, None)
}

/// An address that was not looked up, if it is of the family that the check asks for.
fn of_family(address: SocketAddr, family: Family) -> Result<SocketAddr, Fault> {
    if fits(address.ip(), family) {
        return Ok(address);
    }
    let (is, wanted) = if address.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
    Err(Fault::request(format!("{} is an {is} address, and the check asks for {wanted}", address.ip())))
}

/// Finds the address and opens a TCP connection: phases `dns`, when there is a name to resolve, and `connect`.
pub(super) async fn tcp(to: &Destination, way: &Way<'_>, recorder: &Recorder) -> Result<TcpStream, Fault> {
    let address = address(to, way, recorder).await?;
    connect(address, recorder).await
}

/// Opens a TCP connection to an address that [`address`] gave: phase `connect`.
pub(super) async fn connect(address: SocketAddr, recorder: &Recorder) -> Result<TcpStream, Fault> {
    recorder.enter(Phase::Connect);
    let socket = TcpStream::connect(address).await.map_err(|error| Fault::connect(address, &error))?;
    // Small writes must leave at once; a refusal only costs speed and will show in the phases.
    let _best_effort = socket.set_nodelay(true);
    recorder.attach_new(&socket);
    Ok(socket)
}

/// The protocols that a secure connection offers, most wanted first (ALPN, RFC 7301).
pub(super) type Alpn = &'static [&'static str];

/// Opens a connection and, where `alpn` is given, secures it.
pub(super) async fn line(
    to: &Destination,
    alpn: Option<Alpn>,
    way: &Way<'_>,
    recorder: &Recorder,
) -> Result<Line, Fault> {
    // A name that cannot be in a certificate is found out before anything is sent.
    let tls = alpn.map(|alpn| Ok((alpn, name(to, way.net)?))).transpose()?;
    let socket = tcp(to, way, recorder).await?;
    let Some((alpn, name)) = tls else { return Ok(Line { socket: Box::new(socket), h2: false }) };
    // A handshake's state is large; see `rare`.
    let socket = Box::pin(secure(socket, name, alpn, way.net, recorder)).await?;
    let h2 = socket.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Line { socket: Box::new(socket), h2 })
}

/// The name to ask for and to find in the certificate: what the check says, or else the host.
pub(super) fn name(to: &Destination, net: &Net) -> Result<ServerName<'static>, Fault> {
    net.server_name().map_or_else(|| to.server_name(), Ok)
}

/// The address when nothing needs to be resolved: an override, or a literal.
fn known_address(to: &Destination, way: &Way<'_>) -> Option<SocketAddr> {
    way.net.pinned(&to.host.to_string(), to.port).or(match to.host {
        Host::Ipv4(ip) => Some((ip, to.port).into()),
        Host::Ipv6(ip) => Some((ip, to.port).into()),
        Host::Domain(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_alike_in_every_scheme() {
        for (url, host, port) in [
            ("http://Shop.Test/a", "shop.test", 80),
            ("https://shop.test", "shop.test", 443),
            ("tcp://Shop.Test:5432", "shop.test", 5432),
            ("tcp://127.0.0.1:5432", "127.0.0.1", 5432),
            ("tcp://[::1]:5432", "[::1]", 5432),
            ("http://0x7f.1/", "127.0.0.1", 80),
        ] {
            let found = Destination::of(&Url::parse(url).expect(url)).expect(url);
            assert_eq!((found.host.to_string().as_str(), found.port), (host, port));
        }
        for bad in ["tcp://shop.test", "tcp:shop", "tcp://a%20b:1", "http://a:0"] {
            let fault = Destination::of(&Url::parse(bad).expect(bad)).expect_err(bad);
            assert_eq!(fault.class, FailClass::Request);
        }
    }
}
