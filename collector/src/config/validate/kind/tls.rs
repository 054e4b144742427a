//! `tls`: a handshake, what it agrees on, and how long the certificates last.

use super::{Measure, tls_options};
use crate::config::{read::At, validate::host};
use std::time::Duration;
use wire::assignment::{CheckKind, Tls};

/// From an hour to five years.
const SHORTEST: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(5 * 365 * 86_400);

/// The most cipher suites that can be named.
const MOST_CIPHERS: usize = 20;

/// The suites that probes offer, by their IANA names.
const CIPHERS: [(&str, &str); 9] = [
    ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

/// Reads the mapping of a `tls` check.
pub fn read(at: &At<'_>) -> Option<Measure> {
    let mut known = vec!["port", "starttls", "server_name", "valid_for", "cipher", "stapled"];
    known.extend(tls_options::KEYS);
    let fields = at.settings(&known)?;
    let port = tls_options::port(&fields);
    let starttls = tls_options::starttls(&fields);
    let server_name = fields.maybe("server_name", host::name_or_address);
    let valid_for = fields.maybe("valid_for", |at| at.duration(SHORTEST..=LONGEST));
    let ciphers = fields.or("cipher", Vec::new(), ciphers);
    let stapled = fields.or("stapled", false, super::boolean);
    let tls = tls_options::among(&fields);
    let kind = CheckKind::Tls(Tls {
        server_name: server_name?,
        valid_for_s: valid_for?.map(|valid_for| valid_for.as_secs()),
        ciphers: ciphers?,
        stapled: stapled?,
        starttls: starttls?,
    });
    Some(Measure { kind, tls: tls?, port: port? })
}

fn ciphers(at: &At<'_>) -> Option<Vec<String>> {
    let items = at.one_or_many();
    if items.is_empty() || items.len() > MOST_CIPHERS {
        at.problem(format!("1 to {MOST_CIPHERS} cipher suites can be named, these are {}", items.len()));
        return None;
    }
    let names: Vec<_> = items.iter().map(|item| item.word(&CIPHERS)).collect();
    names.into_iter().map(|name| name.map(str::to_owned)).collect()
}
