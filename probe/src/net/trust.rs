//! TLS as measurements need it.

use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::ring};
use std::sync::Arc;

/// TLS as every run uses it. Resumption is off, because a resumed handshake is shorter than the one a new user
/// waits for. The provider is named here, so that no process-wide default is needed.
pub(super) fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}
