//! How a check measures: one key for each kind, one file for each that has no other home.

mod dns;
mod grpc;
mod icmp;
mod tcp;
mod tls;
pub mod tls_options;
mod websocket;

use super::{journey, request, template::Scope};
use crate::config::{
    node::Value,
    read::{At, Fields},
};
use std::{collections::BTreeSet, time::Duration};
use wire::{
    RegionId,
    assignment::{CheckKind, TlsOptions},
};

/// The keys of the kinds; a check has exactly one of them.
pub const KINDS: [&str; 8] = ["http", "tcp", "tls", "dns", "icmp", "grpc", "websocket", "journey"];

/// The longest text that is sent to a server or looked for in what it says, bytes.
const LONGEST_TEXT: usize = 4 << 10;

/// How a check measures.
pub struct Measure {
    pub kind: CheckKind,
    pub tls: TlsOptions,
    /// The port in place of the address's.
    pub port: Option<u16>,
}

impl From<(CheckKind, TlsOptions)> for Measure {
    fn from((kind, tls): (CheckKind, TlsOptions)) -> Measure {
        Measure { kind, tls, port: None }
    }
}

/// Reads the kind of a check. `regions` are the service's and `timeout` the check's, when they could be read.
pub fn read(
    check: &Fields<'_>,
    regions: Option<&BTreeSet<RegionId>>,
    timeout: Option<Duration>,
) -> Option<Measure> {
    let plain = |kind| Measure::from((kind, TlsOptions::default()));
    match check.one_of(&KINDS)? {
        ("http", at) => request::http(at).map(|(http, tls)| (CheckKind::Http(http), tls).into()),
        ("tcp", at) => tcp::read(at),
        ("tls", at) => tls::read(at),
        ("dns", at) => dns::read(at).map(CheckKind::Dns).map(plain),
        ("icmp", at) => icmp::read(at, timeout).map(CheckKind::Icmp).map(plain),
        ("grpc", at) => grpc::read(at),
        ("websocket", at) => {
            websocket::read(at).map(|(socket, tls)| (CheckKind::WebSocket(socket), tls).into())
        }
        (_, at) => journey::read(at, regions, timeout)
            .map(|(journey, tls)| (CheckKind::Journey(journey), tls).into()),
    }
}

/// `true` or `false`.
fn boolean(at: &At<'_>) -> Option<bool> {
    match at.value() {
        Value::Bool(value) => Some(*value),
        _ => at.expected("`true` or `false`"),
    }
}

/// A text to send, or to look for in what a server says.
fn message(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST_TEXT)?;
    Scope::Literal.check(at, text)?;
    Some(text.to_owned())
}
