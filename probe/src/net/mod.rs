//! What every measurement needs of the network: trusted certificates, fixed addresses, forbidden addresses.
//!
//! [`Override`] pins a name to an address, [`denied`] tells which addresses are never connected to, and
//! [`Net`] holds both with the TLS settings, so that a check never reads the environment on its own.

mod deny;
mod pin;
mod trust;

pub use deny::denied;
pub use pin::{BadOverride, Override};
pub use trust::Shown;

use crate::secrets::Secrets;
use std::{collections::HashMap, net::SocketAddr, sync::Arc};

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
}

struct Inner {
    trust: trust::Trust,
    pins: HashMap<(String, u16), SocketAddr>,
}

impl Net {
    /// Trusts the certificates of this machine and those that come with the program, and pins `resolve`.
    /// Reads the machine's certificate files, so call it once and clone the result.
    ///
    /// # Errors
    /// [`NetError::Twice`] for contradicting overrides, [`NetError::Tls`] if TLS cannot be set up.
    pub fn new(resolve: Vec<Override>) -> Result<Net, NetError> {
        Net::trusting(resolve, runtime::tls::roots())
    }

    /// Like [`Net::new`] with the given trust anchors only.
    fn trusting(resolve: Vec<Override>, roots: rustls::RootCertStore) -> Result<Net, NetError> {
        let mut pins = HashMap::new();
        for Override { host, port, address } in resolve {
            if pins.insert((host.clone(), port), address).is_some() {
                return Err(NetError::Twice { host, port });
            }
        }
        let trust = trust::Trust::new(roots)?;
        Ok(Net { inner: Arc::new(Inner { trust, pins }), secrets: Secrets::default() })
    }

    /// A network that trusts the given certificates, for tests with servers of their own. Without any, it trusts an
    /// authority that never signs anything.
    #[cfg(test)]
    pub(crate) fn for_tests(resolve: Vec<Override>, mut roots: rustls::RootCertStore) -> Net {
        if roots.is_empty() {
            let mut nobody = rcgen::CertificateParams::default();
            nobody.distinguished_name.push(rcgen::DnType::CommonName, "nobody");
            let key = rcgen::KeyPair::generate().expect("ring makes keys");
            roots.add(nobody.self_signed(&key).expect("signs").der().clone()).expect("a certificate");
        }
        Net::trusting(resolve, roots).expect("test overrides do not contradict each other")
    }

    /// The same network with these secrets for its checks.
    pub fn with_secrets(self, secrets: Secrets) -> Net {
        Net { secrets, ..self }
    }

    /// What checks may use by name.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The TLS settings of one measurement: a fresh handshake that offers the protocols `alpn`, most wanted first,
    /// and tells `shown` of the server's certificate, also when it is refused.
    pub fn tls(&self, alpn: &[&str], shown: Shown) -> Arc<rustls::ClientConfig> {
        self.inner.trust.handshake(alpn, shown)
    }

    /// The address that an [`Override`] gives to this host and port. `host` as [`url::Host`] prints it.
    pub fn pinned(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.inner.pins.get(&(host.trim_end_matches('.').to_owned(), port)).copied()
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
    }
}
