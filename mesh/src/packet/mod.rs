//! The packets of STAMP as bytes: RFC 8762 (base), RFC 8972 (session number and extensions).
//!
//! Pure and total: no input panics, and what was decoded and encoded again decodes to the same. All numbers are
//! big-endian.
//!
//! | offset | request | answer | authenticated request | authenticated answer |
//! |---|---|---|---|---|
//! | sequence number | 0 | 0 | 0 | 0 |
//! | time stamp | 4 (T1) | 4 (T3) | 16 (T1) | 16 (T3) |
//! | error estimate | 12 | 12 | 24 | 24 |
//! | SSID | 14 | 14 | 26 | 26 |
//! | receive time stamp T2 | | 16 | | 32 |
//! | sender's sequence number | | 24 | | 48 |
//! | sender's time stamp | | 28 | | 64 |
//! | sender's error estimate | | 36 | | 72 |
//! | sender's TTL | | 40 | | 80 |
//! | HMAC | | | 96 | 96 |
//! | length | 44 | 44 | 112 | 112 |
//!
//! Extensions (type, length, value) follow. Everything else must be zero when sent and is ignored when received.

mod answer;
mod auth;
mod error_estimate;
mod request;
mod stamp;
pub mod tlv;

pub use answer::Answer;
pub use auth::Key;
pub use error_estimate::ErrorEstimate;
pub use request::Request;
pub use stamp::{Stamp, TimeFormat};

/// The length of a packet without authentication and extensions.
pub const BASE_LEN: usize = 44;
/// The length of an authenticated packet without extensions.
pub const AUTHENTICATED_LEN: usize = 112;
/// The shortest request that is understood: that of TWAMP (RFC 5357, section 4.1.2).
pub const SHORTEST_REQUEST: usize = 14;
/// The shortest answer that is understood: that of reflectors which leave out the sender's TTL.
pub const SHORTEST_ANSWER: usize = 38;
/// The longest packet that is looked at; what an Ethernet with jumbo frames carries.
pub const LONGEST: usize = 9000;

/// Why bytes are not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("shorter than the shortest packet of its kind")]
    TooShort,
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    #[error("the authentication code is not the one that the session's key makes")]
    NotAuthentic,
}

/// Whether packets of a session carry an authentication code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Open,
    Authenticated,
}

impl Mode {
    /// The length of a packet without extensions, bytes.
    pub fn base_len(self) -> usize {
        match self {
            Mode::Open => BASE_LEN,
            Mode::Authenticated => AUTHENTICATED_LEN,
        }
    }
}

/// Bytes at an offset; zeros where the packet has ended, so that short packets read as if they were padded.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(found) = bytes.get(offset..) {
        let n = found.len().min(N);
        field[..n].copy_from_slice(&found[..n]);
    }
    field
}

/// Writes a field into a packet that is long enough for it (the base lengths are constants of this module).
fn put<const N: usize>(bytes: &mut [u8], offset: usize, field: [u8; N]) {
    bytes[offset..offset + N].copy_from_slice(&field);
}

#[cfg(test)]
mod tests;
