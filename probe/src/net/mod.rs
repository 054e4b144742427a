//! What every measurement needs of the network: trusted certificates, fixed addresses, forbidden addresses.
//!
//! [`Override`] pins a name to an address, [`denied`] tells which addresses are never connected to, `resolve` asks for
//! the addresses of names, `tcp_info` what the system knows of a connection, and [`Net`] holds what of it is shared
//! with the TLS settings, so that a check never reads the environment on its own.

mod deny;
mod pin;
mod pinned_certificate;
pub(crate) mod resolve;
mod settings;
pub(crate) mod shelf;
pub(crate) mod tcp_info;
mod trust;

pub use deny::denied;
pub use pin::{BadOverride, Override};
pub use resolve::Trouble;
pub(crate) use settings::ClientSecrets;
pub use trust::{Seen, Shown};

use crate::check::Kept;
use crate::secrets::Secrets;
use resolve::{Resolver, System};
use runtime::{lock::lock, random::Random};
use rustls::pki_types::ServerName;
use shelf::Shelf;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};
use wire::assignment::{TlsOptions, TlsVersion};

/// Why no network settings could be made. All of them need a person: do not retry.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// TLS could not be set up at all.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// Two overrides name the same host and port, so one of them would be silently ignored.
    #[error("{host}:{port} is overridden twice")]
    Twice { host: String, port: u16 },
}

/// What every run needs; cheap to clone.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
    secrets: Secrets,
    /// How handshakes are made: as usual, or as one check says.
    trust: Arc<trust::Trust>,
    least_version: Option<TlsVersion>,
}

struct Inner {
    roots: Arc<rustls::RootCertStore>,
    ready: Mutex<settings::Ready>,
    pins: BTreeMap<(String, u16), SocketAddr>,
    resolver: Resolver,
    kept: Shelf<Kept>,
}

impl Net {
    /// Trusts the certificates of this machine and those that come with the program, and pins `resolve`.
    /// Reads the machine's certificate files, so call it once and clone the result.
    ///
    /// # Errors
    /// [`NetError::Twice`] for contradicting overrides, [`NetError::Tls`] if TLS cannot be set up.
    pub fn new(resolve: Vec<Override>) -> Result<Net, NetError> {
        Net::trusting(resolve, runtime::tls::roots(), System::of_this_machine())
    }

    /// Like [`Net::new`] with the given trust anchors only.
    fn trusting(
        resolve: Vec<Override>,
        roots: rustls::RootCertStore,
        system: System,
    ) -> Result<Net, NetError> {
        let mut pins = BTreeMap::new();
        for Override { host, port, address } in resolve {
            if pins.insert((host.clone(), port), address).is_some() {
                return Err(NetError::Twice { host, port });
            }
        }
        let roots = Arc::new(roots);
        let trust = Arc::new(trust::Trust::new(roots.clone())?);
        let resolver = Resolver::new(system, Random::from_os());
        let kept = Shelf::default();
        let inner = Inner { roots, ready: Mutex::default(), pins, resolver, kept };
        Ok(Net { inner: Arc::new(inner), secrets: Secrets::default(), trust, least_version: None })
    }

    /// A network that trusts the given certificates, for tests with servers of their own. Without any, it trusts an
    /// authority that never signs anything.
    #[cfg(test)]
    pub(crate) fn for_tests(resolve: Vec<Override>, roots: rustls::RootCertStore) -> Net {
        Net::with_names(resolve, roots, System::of_this_machine())
    }

    /// The same with the names of a machine of its own.
    #[cfg(test)]
    pub(crate) fn with_names(
        resolve: Vec<Override>,
        mut roots: rustls::RootCertStore,
        system: System,
    ) -> Net {
        if roots.is_empty() {
            let mut nobody = rcgen::CertificateParams::default();
            nobody.distinguished_name.push(rcgen::DnType::CommonName, "nobody");
            let key = rcgen::KeyPair::generate().expect("ring makes keys");
            roots.add(nobody.self_signed(&key).expect("signs").der().clone()).expect("a certificate");
        }
        Net::trusting(resolve, roots, system).expect("test overrides do not contradict each other")
    }

    /// The same network with these secrets for its checks.
    pub fn with_secrets(self, secrets: Secrets) -> Net {
        Net { secrets, ..self }
    }

    /// What checks may use by name.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The same network with handshakes as a check wants them. Certificates and keys are read once and then kept.
    ///
    /// # Errors
    /// A sentence that says which part of the options cannot be used.
    pub(crate) fn with_tls(
        &self,
        options: &TlsOptions,
        client: Option<ClientSecrets>,
    ) -> Result<Net, String> {
        let trust = lock(&self.inner.ready).get(options, client, &self.inner.roots)?;
        Ok(Net { trust, least_version: options.least_version, ..self.clone() })
    }

    /// The TLS settings of one measurement: a fresh handshake that offers the protocols `alpn`, most wanted first,
    /// and tells `seen` of what the server showed, also when it is refused.
    pub fn tls(&self, alpn: &[&str], seen: Seen) -> Arc<rustls::ClientConfig> {
        self.trust.handshake(alpn, seen)
    }

    /// Whether certificates are verified.
    pub fn verifies(&self) -> bool {
        self.trust.verifies()
    }

    /// The name to ask for in place of the host (SNI), and to find in the certificate.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        self.trust.server_name.clone()
    }

    /// Whether servers that ask for the client's certificate get one.
    pub fn has_client_certificate(&self) -> bool {
        self.trust.has_client_certificate()
    }

    /// Whether two networks share one set of settings for handshakes.
    #[cfg(test)]
    pub(crate) fn shakes_hands_like(&self, other: &Net) -> bool {
        Arc::ptr_eq(&self.trust, &other.trust)
    }

    /// The oldest version of TLS that is good enough.
    pub fn least_version(&self) -> Option<TlsVersion> {
        self.least_version
    }

    /// The address that an [`Override`] gives to this host and port. `host` as [`url::Host`] prints it.
    pub fn pinned(&self, host: &str, port: u16) -> Option<SocketAddr> {
        if self.inner.pins.is_empty() {
            return None;
        }
        self.inner.pins.get(&(host.trim_end_matches('.').to_owned(), port)).copied()
    }

    /// The address that an [`Override`] gives to this host, for protocols without ports: of the port `likely`, when
    /// one names it, or else of the lowest.
    pub(crate) fn pinned_host(&self, host: &str, likely: Option<u16>) -> Option<IpAddr> {
        let named = likely.and_then(|port| self.pinned(host, port));
        let host = host.trim_end_matches('.');
        let lowest =
            || self.inner.pins.iter().find(|((name, _), _)| name == host).map(|(_, address)| *address);
        named.or_else(lowest).map(|address| address.ip())
    }

    /// Asks for the addresses of names.
    pub(crate) fn resolver(&self) -> &Resolver {
        &self.inner.resolver
    }

    /// The connections that are kept for the next run.
    pub(crate) fn kept(&self) -> &Shelf<Kept> {
        &self.inner.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradicting_overrides_are_refused() {
        let parse = |text: &str| text.parse::<Override>().expect("valid");
        let twice = vec![parse("a.test:80=127.0.0.1:1"), parse("A.test:80=127.0.0.1:2")];
        assert!(matches!(Net::new(twice), Err(NetError::Twice { port: 80, .. })));
        let net = Net::new(vec![parse("a.test:80=127.0.0.1:1")]).expect("one is fine");
        assert_eq!(net.pinned("a.test.", 80), Some(([127, 0, 0, 1], 1).into()));
        assert_eq!(net.pinned("a.test", 81), None);
        let two = vec![parse("a.test:80=127.0.0.1:1"), parse("a.test:443=127.0.0.2:1")];
        let net = Net::new(two).expect("two ports are fine");
        for (likely, ip) in [(Some(443), [127, 0, 0, 2]), (Some(25), [127, 0, 0, 1]), (None, [127, 0, 0, 1])]
        {
            assert_eq!(net.pinned_host("a.test", likely), Some(ip.into()));
        }
        assert_eq!(net.pinned_host("b.test", None), None);
    }
}
