//! How a check measures: one key for each kind, one file for each that has no other home.

mod dns;
mod grpc;
mod icmp;
mod tcp;
mod tls;
mod websocket;

use super::{journey, request, template::Scope};
use crate::config::read::{At, Fields};
use std::{collections::BTreeSet, time::Duration};
use wire::{RegionId, assignment::CheckKind};

/// The keys of the kinds; a check has exactly one of them.
pub const KINDS: [&str; 8] = ["http", "tcp", "tls", "dns", "icmp", "grpc", "websocket", "journey"];

/// The longest text that is sent to a server or looked for in what it says, bytes.
const LONGEST_TEXT: usize = 4 << 10;

/// Reads the kind of a check. `regions` are the service's and `timeout` the check's, when they could be read.
pub fn read(
    check: &Fields<'_>,
    regions: Option<&BTreeSet<RegionId>>,
    timeout: Option<Duration>,
) -> Option<CheckKind> {
    match check.one_of(&KINDS)? {
        ("http", at) => request::http(at).map(CheckKind::Http),
        ("tcp", at) => tcp::read(at).map(CheckKind::Tcp),
        ("tls", at) => tls::read(at).map(CheckKind::Tls),
        ("dns", at) => dns::read(at).map(CheckKind::Dns),
        ("icmp", at) => icmp::read(at, timeout).map(CheckKind::Icmp),
        ("grpc", at) => grpc::read(at).map(CheckKind::Grpc),
        ("websocket", at) => websocket::read(at).map(CheckKind::WebSocket),
        (_, at) => journey::read(at, regions, timeout).map(CheckKind::Journey),
    }
}

/// A text to send, or to look for in what a server says.
fn message(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST_TEXT)?;
    Scope::Literal.check(at, text)?;
    Some(text.to_owned())
}
