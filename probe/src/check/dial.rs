//! Making the connection: name, address, socket, TLS, each a phase of its own.

use super::{
    certificate,
    fault::Fault,
    record::{Phase, Recorder},
};
use crate::net::{Net, denied};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::{Host, Url};
use wire::sample::FailClass;

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

/// Finds the address: phase `dns`, when there is a name to resolve.
///
/// # Errors
/// [`FailClass::Dns`] for a name that does not resolve, [`FailClass::Request`] for an address that is denied.
pub(super) async fn address(to: &Destination, net: &Net, recorder: &Recorder) -> Result<SocketAddr, Fault> {
    let address = match known_address(to, net) {
        Some(address) => address,
        None => {
            recorder.enter(Phase::Dns);
            resolve(to).await?
        }
    };
    if let Some(what) = denied(address.ip()) {
        return Err(Fault::request(format!("{} is {what}: checks are denied to go there", address.ip())));
    }
    recorder.note(|record| record.address = Some(address));
    Ok(address)
}

/// Finds the address and opens a TCP connection: phases `dns`, when there is a name to resolve, and `connect`.
pub(super) async fn tcp(to: &Destination, net: &Net, recorder: &Recorder) -> Result<TcpStream, Fault> {
    let address = address(to, net, recorder).await?;
    connect(address, recorder).await
}

/// Opens a TCP connection to an address that [`address`] gave: phase `connect`.
pub(super) async fn connect(address: SocketAddr, recorder: &Recorder) -> Result<TcpStream, Fault> {
    recorder.enter(Phase::Connect);
    let socket = TcpStream::connect(address).await.map_err(|error| Fault::connect(address, &error))?;
    // Small writes must leave at once; a refusal only costs speed and will show in the phases.
    let _best_effort = socket.set_nodelay(true);
    Ok(socket)
}

/// The protocols that a secure connection offers, most wanted first (ALPN, RFC 7301).
pub(super) type Alpn = &'static [&'static str];

/// Shakes hands: phase `tls`. Notes when the certificate expires, also of one that is refused.
pub(super) async fn secure(
    socket: TcpStream,
    name: ServerName<'static>,
    alpn: Alpn,
    net: &Net,
    recorder: &Recorder,
) -> Result<TlsStream<TcpStream>, Fault> {
    recorder.enter(Phase::Tls);
    let notes = recorder.clone();
    let shown = move |leaf: &rustls::pki_types::CertificateDer<'_>| {
        let expires = certificate::expires(leaf);
        notes.note(|record| record.certificate_expires = expires);
    };
    let connector = TlsConnector::from(net.tls(alpn, Box::new(shown)));
    connector.connect(name, socket).await.map_err(|error| Fault::tls(&error))
}

/// Opens a connection and, where `alpn` is given, secures it.
pub(super) async fn line(
    to: &Destination,
    alpn: Option<Alpn>,
    net: &Net,
    recorder: &Recorder,
) -> Result<Line, Fault> {
    // A name that cannot be in a certificate is found out before anything is sent.
    let tls = alpn.map(|alpn| Ok((alpn, to.server_name()?))).transpose()?;
    let socket = tcp(to, net, recorder).await?;
    let Some((alpn, name)) = tls else { return Ok(Line { socket: Box::new(socket), h2: false }) };
    // A handshake's state is large; see `rare`.
    let socket = Box::pin(secure(socket, name, alpn, net, recorder)).await?;
    let h2 = socket.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Line { socket: Box::new(socket), h2 })
}

/// The address when nothing needs to be resolved: an override, or a literal.
fn known_address(to: &Destination, net: &Net) -> Option<SocketAddr> {
    net.pinned(&to.host.to_string(), to.port).or(match to.host {
        Host::Ipv4(ip) => Some((ip, to.port).into()),
        Host::Ipv6(ip) => Some((ip, to.port).into()),
        Host::Domain(_) => None,
    })
}

/// Asks the system's resolver. One address is measured, the first IPv4 one or else the first: a race between
/// families would hide a broken one.
async fn resolve(to: &Destination) -> Result<SocketAddr, Fault> {
    let name = to.host.to_string();
    let failed = |why: &str| Fault::new(FailClass::Dns, format!("{name} did not resolve: {why}"));
    let found = tokio::net::lookup_host((name.as_str(), to.port)).await;
    let found: Vec<_> = found.map_err(|error| failed(&error.to_string()))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| failed("the name has no address"))
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
