//! `websocket`: a handshake, and a message each way.

use super::{message, tls_options};
use crate::config::{
    read::At,
    validate::{request, template::Scope},
};
use std::collections::BTreeMap;
use wire::assignment::{TlsOptions, WebSocket};

/// Headers that make up the handshake. `sec-websocket-protocol` is not among them, because servers may need it.
const OURS: [&str; 8] = [
    "connection",
    "content-length",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
];

/// Reads the mapping of a `websocket` check.
pub fn read(at: &At<'_>) -> Option<(WebSocket, TlsOptions)> {
    let fields = at.settings(&["path", "headers", "send", "expect", "tls"])?;
    let path = fields.or("path", "/".to_owned(), |at| request::path(at, Scope::Literal));
    let headers = fields.or("headers", BTreeMap::new(), |at| request::headers(at, Scope::Literal, &OURS));
    let send = fields.maybe("send", message);
    let expect = fields.maybe("expect", message);
    let tls = tls_options::of(&fields);
    Some((WebSocket { path: path?, headers: headers?, send: send?, expect: expect? }, tls?))
}
