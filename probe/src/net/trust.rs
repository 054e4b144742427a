//! TLS as measurements need it: fresh handshakes, the usual trust or what a check says, and a witness of what the
//! server showed.

use super::{pinned_certificate, settings::Client};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};
use std::{fmt, sync::Arc};

/// What is trusted, and how a handshake is made.
pub(super) struct Trust {
    config: ClientConfig,
    judge: Judge,
    /// The name to ask for in place of the host.
    pub(super) server_name: Option<ServerName<'static>>,
}

/// Who says whether a certificate is good.
#[derive(Clone)]
struct Judge {
    verifier: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    /// Certificates that are good by themselves, because the check names them as trusted.
    pinned: Arc<[CertificateDer<'static>]>,
    /// Every certificate is good.
    skip: bool,
}

impl Trust {
    /// The usual trust in `roots`, without a client's certificate.
    ///
    /// # Errors
    /// When `roots` is empty, or the provider lacks what TLS needs.
    pub(super) fn new(roots: Arc<RootCertStore>) -> Result<Trust, Error> {
        Trust::with(roots, Arc::new([]), false, None, None)
    }

    /// What a check says. Resumption is off, because a resumed handshake is shorter than the one a new user waits for.
    /// The provider is named here, so that no process-wide default is needed.
    ///
    /// # Errors
    /// When `roots` is empty, or the client's key does not fit its certificate.
    pub(super) fn with(
        roots: Arc<RootCertStore>,
        pinned: Arc<[CertificateDer<'static>]>,
        skip: bool,
        client: Option<Client>,
        server_name: Option<ServerName<'static>>,
    ) -> Result<Trust, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| Error::Other(OtherError(Arc::new(error))))?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(verifier.clone());
        let mut config = match client {
            Some(client) => builder.with_client_auth_cert(client.chain, client.key)?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(Trust { config, judge: Judge { verifier, provider, pinned, skip }, server_name })
    }

    /// Settings for one handshake: offers `alpn` (RFC 7301), and tells `seen` of the server's certificates, also when
    /// they are refused, and when it asks for the client's.
    pub(super) fn handshake(&self, alpn: &[&str], seen: Seen) -> Arc<ClientConfig> {
        // Costs a few reference counts: certificates and keys are shared.
        let mut config = self.config.clone();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let keys = config.client_auth_cert_resolver.clone();
        config.client_auth_cert_resolver = Arc::new(AskedForKey { keys, seen: seen.clone() });
        config.dangerous().set_certificate_verifier(Arc::new(Witness { judge: self.judge.clone(), seen }));
        Arc::new(config)
    }

    /// Whether servers that ask for the client's certificate get one.
    pub(super) fn has_client_certificate(&self) -> bool {
        self.config.client_auth_cert_resolver.has_certs()
    }

    /// Whether certificates are verified.
    pub(super) fn verifies(&self) -> bool {
        !self.judge.skip
    }
}

/// What a server showed in a handshake.
pub enum Shown<'a> {
    /// Its certificates, and what came of them.
    Certificates {
        leaf: &'a CertificateDer<'a>,
        /// The certificates behind the server's own, in its order.
        chain: &'a [CertificateDer<'a>],
        /// An OCSP response came with them.
        stapled: bool,
        verdict: Result<(), &'a Error>,
    },
    /// It wants the client's certificate.
    ClientCertificateWanted,
}

/// Who is told of it.
pub type Seen = Arc<dyn Fn(Shown<'_>) + Send + Sync>;

/// Looks at the certificates and leaves the judgement to the judge.
struct Witness {
    judge: Judge,
    seen: Seen,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("skip", &self.judge.skip).finish_non_exhaustive()
    }
}

impl Judge {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.skip {
            return Ok(());
        }
        if self.pinned.iter().any(|pinned| pinned == leaf) {
            return pinned_certificate::judge(leaf, name, now);
        }
        self.verifier.verify_server_cert(leaf, chain, name, ocsp, now).map(|_verified| ())
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
        let verdict = self.judge.judge(leaf, chain, name, ocsp, now);
        let shown = verdict.as_ref().copied();
        (self.seen)(Shown::Certificates { leaf, chain, stapled: !ocsp.is_empty(), verdict: shown });
        verdict.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.judge.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.judge.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Gives the client's certificate, if it has one, and notes that it was asked for.
struct AskedForKey {
    keys: Arc<dyn ResolvesClientCert>,
    seen: Seen,
}

impl fmt::Debug for AskedForKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedForKey").finish_non_exhaustive()
    }
}

impl ResolvesClientCert for AskedForKey {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        (self.seen)(Shown::ClientCertificateWanted);
        self.keys.resolve(hints, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.keys.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.keys.has_certs()
    }
}
