//! The TLS check: are the certificates trusted, for the right name, and valid for long enough, and is what was agreed
//! on good enough?

use super::{
    certificate,
    dial::{self, Destination},
    fault::Fault,
    handshake::{self, Secured},
    record::{Phase, Recorder},
    starttls, tcp,
    way::Way,
    words,
};
use rustls::{ProtocolVersion, pki_types::ServerName};
use std::time::Duration;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};
use wire::{assignment::Tls, sample::FailClass};

/// The port where none is given.
pub(super) const PORT: u16 = 443;
/// How long a server gets to refuse a client without a certificate: with TLS 1.3 it does so after the handshake. At most
/// half of what is left of the run, so that a server that has accepted is none that failed.
const REFUSAL: Duration = Duration::from_millis(500);

/// Connects and shakes hands: phases `dns`, for a name, `connect` and `tls`; `send` and `wait` for what is said before
/// it, `wait` for a refusal of clients without a certificate.
/// No protocol is offered (ALPN), so that servers of any protocol can be asked.
pub(super) async fn check(tls: &Tls, url: &str, way: &Way<'_>, recorder: &Recorder) -> Result<(), Fault> {
    let to = Destination::or_port(&tcp::parse(url)?, PORT)?;
    let name = match &tls.server_name {
        Some(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| {
            Fault::request(format!("{} cannot be the name of a certificate", words::quote(name)))
        })?,
        None => dial::name(&to, way.net)?,
    };
    let mut socket = dial::tcp(&to, way, recorder).await?;
    if let Some(protocol) = tls.starttls {
        starttls::ask(protocol, &mut socket, recorder).await?;
    }
    let mut open = handshake::secure(socket, name, &[], way.net, recorder).await?;
    let wanted =
        !way.net.has_client_certificate() && recorder.note(|record| record.client_certificate_wanted);
    // Before TLS 1.3 the refusal is part of the handshake.
    if wanted && open.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        recorder.enter(Phase::Wait);
        let left = way.limit.until.saturating_duration_since(Instant::now());
        hear_refusal(&mut open, REFUSAL.min(left / 2)).await?;
    }
    judge(tls, recorder)
}

/// A server that asked for the client's certificate in vain may end the connection.
async fn hear_refusal(open: &mut Secured, patience: Duration) -> Result<(), Fault> {
    match timeout(patience, open.read(&mut [0; 1])).await {
        Ok(Err(error)) => Err(Fault::tls(&error)),
        // It speaks, ends in order, or waits for us: it has accepted.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

fn judge(tls: &Tls, recorder: &Recorder) -> Result<(), Fault> {
    let fail = |why: String| Err(Fault::new(FailClass::Tls, why));
    let (facts, expires, issuer) = recorder.note(|record| {
        (record.connection.tls.clone(), record.certificate_expires, record.expires_first.clone())
    });
    if let Some(facts) = facts {
        if !tls.ciphers.is_empty() && !tls.ciphers.contains(&facts.cipher) {
            let wanted = tls.ciphers.join(" or ");
            return fail(format!("expected the cipher suite {wanted}, saw {}", facts.cipher));
        }
        if tls.stapled && !facts.stapled {
            return fail("expected the server to staple an OCSP response, it did not".to_owned());
        }
    }
    let Some(wanted) = tls.valid_for_s else { return Ok(()) };
    match expires {
        Some(expires) => certificate::lasts(expires, issuer.as_deref(), certificate::now(), wanted),
        None => fail("the certificate cannot be read, so nobody knows when it expires".to_owned()),
    }
}
