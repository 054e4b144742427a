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

/// What is known around a check, as far as it could be read.
pub struct Around<'a> {
    /// The regions of the service.
    pub regions: Option<&'a BTreeSet<RegionId>>,
    pub has_public: bool,
    /// The regions whose coordinates are missing to say which region is nearest.
    pub unplaced: BTreeSet<RegionId>,
    /// The check's.
    pub timeout: Option<Duration>,
}

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

/// Reads the kind of a check.
pub fn read(check: &Fields<'_>, around: &Around<'_>) -> Option<Measure> {
    let plain = |kind| Measure::from((kind, TlsOptions::default()));
    match check.one_of(&KINDS)? {
        ("http", at) => {
            request::http(at, around.regions).map(|(http, tls)| (CheckKind::Http(http), tls).into())
        }
        ("tcp", at) => tcp::read(at),
        ("tls", at) => tls::read(at),
        ("dns", at) => dns::read(at).map(CheckKind::Dns).map(plain),
        ("icmp", at) => icmp::read(at, around.timeout).map(CheckKind::Icmp).map(plain),
        ("grpc", at) => grpc::read(at),
        ("websocket", at) => {
            websocket::read(at).map(|(socket, tls)| (CheckKind::WebSocket(socket), tls).into())
        }
        (_, at) => journey::read(at, around).map(|(journey, tls)| (CheckKind::Journey(journey), tls).into()),
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
