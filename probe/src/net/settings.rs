//! From what a check says of TLS to settings for its handshakes.

use super::trust::Trust;
use crate::secrets::Secret;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::sync::Arc;
use wire::assignment::TlsOptions;

/// How many different settings are kept ready. A probe has a few.
const KEPT_MOST: usize = 64;

/// A client's certificate chain and key.
pub(super) struct Client {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The secrets that hold a client's certificate chain and its key, both PEM.
pub(crate) type ClientSecrets = (Secret, Secret);

/// Settings that were made, so that certificates and keys are read once and not for each run.
#[derive(Default)]
pub(super) struct Ready {
    made: Vec<(TlsOptions, Option<ClientSecrets>, Arc<Trust>)>,
}

impl Ready {
    /// The settings for these options; `public` is trusted where they name nobody else.
    ///
    /// # Errors
    /// A sentence that says which part cannot be used.
    pub(super) fn get(
        &mut self,
        options: &TlsOptions,
        client: Option<ClientSecrets>,
        public: &Arc<RootCertStore>,
    ) -> Result<Arc<Trust>, String> {
        let same =
            |made: &&(TlsOptions, Option<ClientSecrets>, Arc<Trust>)| made.0 == *options && made.1 == client;
        if let Some((_, _, trust)) = self.made.iter().find(same) {
            return Ok(trust.clone());
        }
        let trust = Arc::new(make(options, client.as_ref(), public)?);
        if self.made.len() >= KEPT_MOST {
            self.made.remove(0);
        }
        self.made.push((options.clone(), client, trust.clone()));
        Ok(trust)
    }
}

fn make(
    options: &TlsOptions,
    client: Option<&ClientSecrets>,
    public: &Arc<RootCertStore>,
) -> Result<Trust, String> {
    let (roots, pinned) = match &options.ca {
        Some(pem) => authorities(pem)?,
        None => (public.clone(), Vec::new()),
    };
    let server_name = options.server_name.as_deref().map(server_name).transpose()?;
    let client = client.map(of_client).transpose()?;
    Trust::with(roots, pinned.into(), options.skip_verify, client, server_name)
        .map_err(|error| format!("the client certificate cannot be used with its key: {error}"))
}

fn authorities(pem: &str) -> Result<(Arc<RootCertStore>, Vec<CertificateDer<'static>>), String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|error| format!("the `ca` of this check is not PEM: {error}"))?;
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(read.iter().cloned());
    if added == 0 {
        return Err("the `ca` of this check holds no certificate that can be read".to_owned());
    }
    Ok((Arc::new(roots), read))
}

/// A name or an address as certificates have it.
fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.trim_end_matches('.').to_owned())
        .map_err(|_| format!("{name:?} cannot be the name of a certificate"))
}

fn of_client((certificate, key): &ClientSecrets) -> Result<Client, String> {
    // The library's errors are not repeated: they may quote what they read.
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.reveal().as_bytes()).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or("the secret with the client certificate holds no certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
    let key = key.map_err(|_| "the secret with the client's key holds no private key in PEM")?;
    Ok(Client { chain, key })
}
