//! TLS as measurements need it: fresh handshakes, the usual trust, and a witness of the certificate that was shown.

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{fmt, sync::Arc};

/// What is trusted, and how a handshake is made.
pub(super) struct Trust {
    config: ClientConfig,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Resumption is off, because a resumed handshake is shorter than the one a new user waits for. The provider is
    /// named here, so that no process-wide default is needed.
    ///
    /// # Errors
    /// When `roots` is empty, or the provider lacks what TLS needs.
    pub(super) fn new(roots: RootCertStore) -> Result<Trust, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| Error::Other(OtherError(Arc::new(error))))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(verifier.clone())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Trust { config, verifier })
    }

    /// Settings for one handshake: offers `alpn` (RFC 7301), and calls `shown` with the server's own certificate
    /// before it is judged, so that a refused one is seen as well.
    pub(super) fn handshake(&self, alpn: &[&str], shown: Shown) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let witness = Witness { judge: self.verifier.clone(), shown };
        config.dangerous().set_certificate_verifier(Arc::new(witness));
        Arc::new(config)
    }
}

/// What to do with a certificate that a server showed.
pub type Shown = Box<dyn Fn(&CertificateDer<'_>) + Send + Sync>;

/// Looks at the certificate and leaves every judgement to the real verifier.
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    shown: Shown,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        (self.shown)(leaf);
        self.judge.verify_server_cert(leaf, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
