//! `grpc`: the standard health check, for a service or for the server as a whole.

use crate::config::read::At;
use wire::assignment::Grpc;

/// The longest name of a service, bytes.
const LONGEST: usize = 255;

/// Reads the mapping of a `grpc` check.
pub fn read(at: &At<'_>) -> Option<Grpc> {
    let fields = at.settings(&["service"])?;
    Some(Grpc { service: fields.or("service", String::new(), service)? })
}

/// Any name, because servers choose what they answer to.
fn service(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return at.expected("the name of a service without spaces, such as shop.v1.Cart");
    }
    Some(text.to_owned())
}
