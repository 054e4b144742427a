//! A TLS handshake, what it agreed on, and why it failed, in words.

use super::{
    certificate,
    dial::Alpn,
    fault::{self, Fault},
    opening::Opening,
    record::{Phase, Recorder},
};
use crate::net::{Net, Shown};
use runtime::lock::lock;
use rustls::{AlertDescription, PeerIncompatible, ProtocolVersion, pki_types::ServerName};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use wire::{
    assignment::TlsVersion,
    sample::{FailClass, TlsFacts},
};

/// A connection that is secured.
pub(super) type Secured = TlsStream<Opening>;

/// What was seen while shaking hands.
#[derive(Debug, Default)]
struct Seen {
    stapled: bool,
    /// Why the certificates were refused.
    refusal: Option<String>,
    /// The server asked for the client's certificate.
    asked: bool,
}

/// Shakes hands: phase `tls`. Notes what was agreed on, and when the certificates expire, also of such that are refused.
///
/// # Errors
/// [`FailClass::Tls`], with a sentence for each way in which it fails.
pub(super) async fn secure(
    socket: TcpStream,
    name: ServerName<'static>,
    alpn: Alpn,
    net: &Net,
    recorder: &Recorder,
) -> Result<Secured, Fault> {
    recorder.enter(Phase::Tls);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (notes, witness) = (recorder.clone(), seen.clone());
    let verifies = net.verifies();
    let shown = move |shown: Shown<'_>| match shown {
        Shown::Certificates { leaf, chain, stapled, verdict } => {
            let sound = verifies && verdict.is_ok();
            let first = certificate::first_to_expire(leaf, chain, sound, certificate::now());
            notes.note(|record| {
                record.certificate_expires = first.as_ref().map(|first| first.at);
                record.expires_first = first.and_then(|first| first.issuer);
            });
            let mut seen = lock(&witness);
            seen.stapled = stapled;
            seen.refusal = verdict.err().and_then(|error| certificate::refusal(error, leaf, chain));
        }
        Shown::ClientCertificateWanted => lock(&witness).asked = true,
    };
    let connector = TlsConnector::from(net.tls(alpn, Arc::new(shown)));
    let server = name.to_str().into_owned();
    let shaken = connector.connect(name, Opening::new(socket)).into_fallible().await;
    let seen = std::mem::take(&mut *lock(&seen));
    let stream = shaken.map_err(|(error, opening)| failed(&error, &opening, &seen, &server))?;
    let facts = facts(&stream, seen.stapled, verifies);
    let version = stream.get_ref().1.protocol_version();
    recorder.note(|record| record.connection.tls = Some(facts));
    at_least(version, net.least_version())?;
    recorder.note(|record| record.client_certificate_wanted = seen.asked);
    Ok(stream)
}

fn facts(stream: &Secured, stapled: bool, verified: bool) -> TlsFacts {
    let connection = stream.get_ref().1;
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    // The library has names of its own for suites of TLS 1.3 (RFC 8446, B.4).
    let cipher = cipher.unwrap_or_default().replacen("TLS13_", "TLS_", 1);
    TlsFacts { version: version_name(connection.protocol_version()).to_owned(), cipher, stapled, verified }
}

fn version_name(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "unknown",
    }
}

fn at_least(version: Option<ProtocolVersion>, least: Option<TlsVersion>) -> Result<(), Fault> {
    if least == Some(TlsVersion::V1_3) && version != Some(ProtocolVersion::TLSv1_3) {
        let seen = version_name(version);
        return Err(Fault::new(
            FailClass::Tls,
            format!("expected TLSv1.3, the server speaks {seen} at most"),
        ));
    }
    Ok(())
}

/// Why a handshake failed.
fn failed(error: &io::Error, opening: &Opening, seen: &Seen, server: &str) -> Fault {
    let tls = fault::inner_tls(error);
    let why = match tls {
        Some(rustls::Error::InvalidCertificate(_)) => seen.refusal.clone(),
        Some(rustls::Error::InvalidMessage(_)) => opening.text().map(|text| {
            let what = if text.starts_with("\"HTTP/") { "plain HTTP" } else { "plain text" };
            format!("the server does not speak TLS on this port, it answered in {what}: {text}")
        }),
        Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)) => {
            Some(format!("the server has nothing under the name {server} (SNI)"))
        }
        Some(rustls::Error::AlertReceived(alert)) if seen.asked && about_client(*alert) => {
            Some(client_refused(*alert))
        }
        _ => None,
    };
    match why {
        Some(why) => Fault::new(FailClass::Tls, format!("TLS failed: {why}")),
        None => Fault::tls(error),
    }
}

/// Alerts that servers send when they miss or refuse the client's certificate; of these only the first says so.
fn about_client(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}

fn client_refused(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateExpired => "the server refused the client certificate: it has expired".to_owned(),
        Alert::CertificateRevoked => "the server refused the client certificate: it was revoked".to_owned(),
        Alert::UnknownCA => {
            "the server refused the client certificate: it does not trust its issuer".to_owned()
        }
        Alert::CertificateRequired | Alert::HandshakeFailure => {
            "the server requires a client certificate: give one by `client`".to_owned()
        }
        other => format!("the server requires another client certificate ({other:?})"),
    }
}

/// An error of TLS in words, where nothing but the error is known.
pub(super) fn words(error: &rustls::Error) -> String {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(error) => certificate::words(error),
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        rustls::Error::AlertReceived(alert) => match alert {
            Alert::ProtocolVersion => OLD.to_owned(),
            Alert::HandshakeFailure | Alert::InsufficientSecurity => NO_CIPHER.to_owned(),
            Alert::CertificateRequired => client_refused(*alert),
            Alert::NoApplicationProtocol => {
                "the server speaks none of the protocols that were offered (ALPN)".to_owned()
            }
            Alert::UnrecognisedName => "the server has nothing under this name (SNI)".to_owned(),
            Alert::InternalError => "the server failed in the handshake (InternalError)".to_owned(),
            other if about_client(*other) => client_refused(*other),
            other => format!("the server refused the handshake ({other:?})"),
        },
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => OLD.to_owned(),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
        ) => NO_CIPHER.to_owned(),
        rustls::Error::PeerIncompatible(why) => format!("no TLS version or cipher in common ({why:?})"),
        rustls::Error::NoCertificatesPresented => "the server presented no certificate".to_owned(),
        other => other.to_string(),
    }
}

const OLD: &str = "the server speaks only TLS 1.1 or older, which is not safe and not spoken here (RFC 8996)";
const NO_CIPHER: &str = "the server has no cipher suite or key exchange in common with what is offered";
