//! How a check measures: one key for each kind, one file for each that has no other home.

mod dns;
mod grpc;
mod icmp;
mod tcp;
mod tls;
mod websocket;

use super::{journey, request};
use crate::config::read::{At, Fields};
use std::{collections::BTreeSet, time::Duration};
use wire::{RegionId, assignment::CheckKind};

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

/// Reads the kind of a check.
pub fn read(check: &Fields<'_>, around: &Around<'_>) -> Option<CheckKind> {
    match check.one_of(&KINDS)? {
        ("http", at) => request::http(at, around.regions).map(CheckKind::Http),
        ("tcp", at) => tcp::read(at).map(CheckKind::Tcp),
        ("tls", at) => tls::read(at).map(CheckKind::Tls),
        ("dns", at) => dns::read(at).map(CheckKind::Dns),
        ("icmp", at) => icmp::read(at, around.timeout).map(CheckKind::Icmp),
        ("grpc", at) => grpc::read(at).map(CheckKind::Grpc),
        ("websocket", at) => websocket::read(at).map(CheckKind::WebSocket),
        (_, at) => journey::read(at, around).map(CheckKind::Journey),
    }
}

/// A text to send, or to look for in what a server says.
fn message(at: &At<'_>) -> Option<String> {
    at.text(LONGEST_TEXT).map(str::to_owned)
}
