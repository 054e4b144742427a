//! The secret of a session.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The secret that both ends of a session share; hexadecimal text on the wire. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeshKey(Vec<u8>);

/// Why a text is not a key. Does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mesh key is {} to {} bytes as hexadecimal digits (two for each byte)",
    MeshKey::MIN_LEN,
    MeshKey::MAX_LEN
)]
pub struct BadKey;

impl MeshKey {
    /// The shortest key, bytes: as strong as the truncated code that it makes (RFC 8762, section 4.4).
    pub const MIN_LEN: usize = 16;
    /// The longest key, bytes: the block of SHA-256; longer ones are no stronger (RFC 2104).
    pub const MAX_LEN: usize = 64;

    /// A key from bytes.
    ///
    /// # Errors
    /// When there are fewer than [`MeshKey::MIN_LEN`] or more than [`MeshKey::MAX_LEN`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, BadKey> {
        if (Self::MIN_LEN..=Self::MAX_LEN).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(BadKey) }
    }

    /// The secret itself, for signing only.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MeshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeshKey(redacted)")
    }
}

impl FromStr for MeshKey {
    type Err = BadKey;
    fn from_str(text: &str) -> Result<Self, BadKey> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(BadKey);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(BadKey);
        }
        let byte = |[high, low]: &[u8; 2]| Ok((digit(high)? * 16 + digit(low)?) as u8);
        Self::new(pairs.iter().map(byte).collect::<Result<_, _>>()?)
    }
}

impl TryFrom<String> for MeshKey {
    type Error = BadKey;
    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<MeshKey> for String {
    fn from(key: MeshKey) -> String {
        key.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hexadecimal_and_of_a_sane_length() {
        let text = "00ff0102030405060708090a0b0c0dFE";
        let key: MeshKey = text.parse().expect("a key");
        assert_eq!(key.bytes()[..2], [0, 255]);
        assert_eq!(String::from(key.clone()), text.to_lowercase());
        assert_eq!(format!("{key:?}"), "MeshKey(redacted)");
        for bad in [
            "",
            "00",
            "0",
            &text[1..],
            &text.replace('f', "g"),
            &"00".repeat(65),
            "é0ff0102030405060708090a0b0c0dF",
        ] {
            assert_eq!(bad.parse::<MeshKey>(), Err(BadKey), "{bad}");
        }
    }
}
