//! `tcp`: a connection, and what is said on it.

use super::{Measure, message, tls_options};
use crate::config::read::At;
use wire::assignment::{CheckKind, Tcp, TlsOptions};

/// Reads the mapping of a `tcp` check.
pub fn read(at: &At<'_>) -> Option<Measure> {
    let fields = at.settings(&["port", "starttls", "tls", "send", "expect"])?;
    let port = tls_options::port(&fields);
    let starttls = tls_options::starttls(&fields);
    let tls = tls_options::of(&fields);
    let send = fields.maybe("send", message);
    let expect = fields.maybe("expect", message);
    let (tls, starttls) = (tls?, starttls?);
    if let (None, Some(at)) = (starttls, fields.get("tls").filter(|_| tls != TlsOptions::default())) {
        at.problem_with_key("the connection stays in clear: add `starttls`, or measure with a `tls` check");
        return None;
    }
    let kind = CheckKind::Tcp(Tcp { send: send?, expect: expect?, starttls });
    Some(Measure { kind, tls, port: port? })
}
