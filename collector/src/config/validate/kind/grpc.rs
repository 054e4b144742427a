//! `grpc`: the standard health check, for a service or for the server as a whole.

use super::{Measure, tls_options};
use crate::config::read::At;
use wire::assignment::{CheckKind, Grpc};

/// The longest name of a service, bytes.
const LONGEST: usize = 255;

/// Reads the mapping of a `grpc` check.
pub fn read(at: &At<'_>) -> Option<Measure> {
    let fields = at.settings(&["service", "port", "tls"])?;
    let service = fields.or("service", String::new(), service);
    let port = tls_options::port(&fields);
    let tls = tls_options::of(&fields);
    Some(Measure { kind: CheckKind::Grpc(Grpc { service: service? }), tls: tls?, port: port? })
}

/// Any name, because servers choose what they answer to.
fn service(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return at.expected("the name of a service without spaces, such as shop.v1.Cart");
    }
    Some(text.to_owned())
}
