//! TLS set up the same way everywhere: `ring` does the cryptography, trust comes from the system's certificates
//! and, so that a bare container works, from Mozilla's list as well.

use rustls::{ClientConfig, RootCertStore};
use std::time::Duration;

/// Makes `ring` the provider of this process. Call it first in every `main` and test; repeating it is harmless.
pub fn install() {
    // The error only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The authorities to trust: Mozilla's and the system's. System certificates that cannot be read are left out.
pub fn roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A client configuration without client certificates.
pub fn client_config() -> ClientConfig {
    install();
    ClientConfig::builder().with_root_certificates(roots()).with_no_client_auth()
}

/// The HTTP client for control traffic (uplink, webhooks, command line): no redirects, no environment proxies,
/// no retries, bounded times.
///
/// # Errors
/// When the client cannot be built; it says why.
pub fn http_client(connect: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(client_config())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(connect)
        .user_agent(concat!("sextant/", env!("CARGO_PKG_VERSION")))
        .build()
}
