//! What a check says of TLS: whom to trust, which name to ask for, what to show.

use crate::config::{
    read::{At, Fields},
    validate::{
        host,
        template::{Scope, is_secret_name},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use wire::assignment::{ClientCertificate, StartTls, TlsOptions, TlsVersion};

/// The keys of the options.
pub const KEYS: [&str; 4] = ["ca", "client", "skip_verify", "least_version"];

/// The longest set of certificates, bytes.
const LONGEST_CA: usize = 256 << 10;

/// Reads the mapping of `tls` inside a kind.
pub fn read(at: &At<'_>) -> Option<TlsOptions> {
    let fields = at.fields(&["ca", "server_name", "client", "skip_verify", "least_version"])?;
    let server_name = fields.maybe("server_name", host::name_or_address);
    Some(TlsOptions { server_name: server_name?, ..among(&fields)? })
}

/// The options among other fields, but for the name, which a `tls` check has of its own.
pub fn among(fields: &Fields<'_>) -> Option<TlsOptions> {
    let ca = fields.maybe("ca", ca);
    let client = fields.maybe("client", client);
    let skip_verify = fields.or("skip_verify", false, super::boolean);
    let versions = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
    let least_version = fields.maybe("least_version", |at| at.word(&versions));
    if let (Some(true), Some(at)) = (skip_verify, fields.get("ca")) {
        at.problem_with_key("with `skip_verify: true` nobody is asked whom to trust; remove one of them");
        return None;
    }
    Some(TlsOptions {
        ca: ca?,
        server_name: None,
        client: client?,
        skip_verify: skip_verify?,
        least_version: least_version?,
    })
}

/// `tls` among the fields of a kind.
pub fn of(fields: &Fields<'_>) -> Option<TlsOptions> {
    fields.or("tls", TlsOptions::default(), read)
}

/// Certificates in PEM, or the secret that holds them.
fn ca(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST_CA)?;
    if text.contains("{{") {
        Scope::Literal.check(at, text)?;
        return Some(text.to_owned());
    }
    if text.contains("PRIVATE KEY") {
        at.keep_secret();
        at.problem("holds a private key, which nobody but its owner may have; leave the certificates only");
        return None;
    }
    if !holds_certificates(text) {
        at.problem(
            "expected certificates in PEM, as a text of several lines (`ca: |`) with -----BEGIN CERTIFICATE-----, or a \
             secret, \"{{ secret.NAME }}\"",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether a text is PEM with one certificate or more, each of them Base64.
fn holds_certificates(text: &str) -> bool {
    let mut parts = text.split("-----BEGIN CERTIFICATE-----").skip(1).peekable();
    parts.peek().is_some()
        && parts.all(|part| {
            let body = part.split_once("-----END CERTIFICATE-----").map(|(body, _)| body);
            let digits = body.map(|body| body.split_whitespace().collect::<String>());
            digits.is_some_and(|digits| STANDARD.decode(digits).is_ok_and(|der| der.first() == Some(&0x30)))
        })
}

/// The names of the secrets that hold the client's certificate and key.
fn client(at: &At<'_>) -> Option<ClientCertificate> {
    let fields = at.fields(&["certificate", "key"])?;
    let certificate = fields.need("certificate", "shop-client-certificate").and_then(secret);
    let key = fields.need("key", "shop-client-key").and_then(secret);
    Some(ClientCertificate { certificate: certificate?, key: key? })
}

fn secret(at: &At<'_>) -> Option<String> {
    let text = at.text(64 << 10)?;
    if !is_secret_name(text) {
        // Somebody may have put the key itself here.
        at.keep_secret();
        at.problem(
            "expected the name of a secret of the probes: 1 to 63 letters, digits, _ and -, no - at its ends",
        );
        return None;
    }
    Some(text.to_owned())
}

/// The protocol in whose way a connection turns to TLS.
pub fn starttls(fields: &Fields<'_>) -> Option<Option<StartTls>> {
    let protocols = [
        ("smtp", StartTls::Smtp),
        ("imap", StartTls::Imap),
        ("pop3", StartTls::Pop3),
        ("ftp", StartTls::Ftp),
        ("ldap", StartTls::Ldap),
        ("postgres", StartTls::Postgres),
    ];
    fields.maybe("starttls", |at| at.word(&protocols))
}

/// A port in place of the address's.
pub fn port(fields: &Fields<'_>) -> Option<Option<u16>> {
    fields.maybe("port", |at| at.whole(1..=65535))
}
