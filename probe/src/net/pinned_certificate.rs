//! Certificates that a check names as trusted and that a server shows as its own: self-signed ones, mostly.
//!
//! Chain building refuses those that call themselves an authority, which is what common tools make. Here only what
//! is left to judge is judged: the dates and the name.

use rustls::{
    CertificateError, Error,
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::time::Duration;

/// Whether the certificate is valid now and made out to the name.
pub(super) fn judge(leaf: &CertificateDer<'_>, name: &ServerName<'_>, time: UnixTime) -> Result<(), Error> {
    let unreadable = || Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_rest, certificate) =
        x509_parser::parse_x509_certificate(leaf).map_err(|_unreadable| unreadable())?;
    let [not_before, not_after] = [certificate.validity().not_before, certificate.validity().not_after]
        .map(|at| UnixTime::since_unix_epoch(Duration::from_secs(at.timestamp().try_into().unwrap_or(0))));
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
}
