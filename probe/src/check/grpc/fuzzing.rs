//! The entrance for the fuzzer to gRPC answers.

use super::health;

/// The status in a `HealthCheckResponse` and its name.
///
/// # Errors
/// Why the bytes are no such message.
pub fn answer(frame: &[u8]) -> Result<(u64, String), &'static str> {
    health::answer(frame).map(|status| (status, health::serving(status)))
}

/// A `HealthCheckRequest`, absent for a name that is too long.
pub fn question(service: &str) -> Option<Vec<u8>> {
    health::question(service).ok().map(Into::into)
}

/// A `grpc-status` and a `grpc-message` for people.
pub fn words(status: &str, message: &[u8]) -> (String, String) {
    (health::code(status), health::unescape(message))
}
