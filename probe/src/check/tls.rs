//! The TLS check: is the certificate trusted, for the right name, and valid for long enough?

use super::{
    certificate,
    dial::{self, Destination},
    fault::Fault,
    record::Recorder,
    tcp,
    way::Way,
    words,
};
use rustls::pki_types::ServerName;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{assignment::Tls, sample::FailClass};

/// The port where none is given.
pub(super) const PORT: u16 = 443;

/// Connects and shakes hands: phases `dns`, for a name, `connect` and `tls`. No protocol is offered (ALPN), so that
/// servers of any protocol can be asked.
pub(super) async fn check(tls: &Tls, url: &str, way: &Way<'_>, recorder: &Recorder) -> Result<(), Fault> {
    let to = Destination::or_port(&tcp::parse(url)?, PORT)?;
    let name = match &tls.server_name {
        Some(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| {
            Fault::request(format!("{} cannot be the name of a certificate", words::quote(name)))
        })?,
        None => to.server_name()?,
    };
    let socket = dial::tcp(&to, way, recorder).await?;
    let _open = dial::secure(socket, name, &[], way, recorder).await?;
    let Some(wanted) = tls.valid_for_s else { return Ok(()) };
    let expires = recorder.note(|record| record.certificate_expires);
    let expires = expires.ok_or_else(|| {
        Fault::new(FailClass::Tls, "the certificate cannot be read, so nobody knows when it expires")
    })?;
    // The wall clock, as for every certificate.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    certificate::lasts(expires, now, wanted)
}
