//! Authentication: HMAC-SHA-256 truncated to 16 bytes (RFC 8762, section 4.4).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// The length of a truncated code, bytes.
pub(super) const CODE_LEN: usize = 16;

/// A session's key, ready for use. `Debug` does not show it.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// From the shared secret; HMAC takes any length.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of every length (RFC 2104)"))
    }

    /// The code of some bytes, given in parts.
    pub fn code(&self, parts: &[&[u8]]) -> [u8; CODE_LEN] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        let full = mac.finalize().into_bytes();
        std::array::from_fn(|i| full[i])
    }

    /// Whether a code is that of the bytes; takes the same time whatever differs.
    pub fn verifies(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        self.code(parts).ct_eq(code).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}
