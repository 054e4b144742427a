//! The keys of evidence that is kept encrypted.

use crate::{
    config::SecretSource,
    secret::{Error, read_source},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a key's text begins with.
const PREFIX: &str = "evidence_";

/// A key of 256 bits, and the id that sealed content names it by.
#[derive(Clone)]
pub struct EvidenceKey {
    bytes: [u8; 32],
    id: [u8; 8],
}

impl EvidenceKey {
    /// A key; its id is the first 8 bytes of its SHA-256, which tells nothing of a random key.
    pub fn new(bytes: [u8; 32]) -> EvidenceKey {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        EvidenceKey { bytes, id }
    }

    /// Reads the key that a source names.
    ///
    /// # Errors
    /// When it cannot be read or is no such key.
    pub fn read(source: &SecretSource) -> Result<EvidenceKey, Error> {
        let (text, place) = read_source(source)?;
        EvidenceKey::parse(&text).ok_or(Error::NotAnEvidenceKey(place))
    }

    /// `evidence_` and the base64 of 32 bytes.
    pub fn parse(text: &str) -> Option<EvidenceKey> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        Some(EvidenceKey::new(bytes.try_into().ok()?))
    }

    /// The text that [`EvidenceKey::parse`] reads.
    pub fn text(bytes: [u8; 32]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }

    /// The raw key.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// What sealed content names it by.
    pub(super) fn id(&self) -> &[u8; 8] {
        &self.id
    }
}

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvidenceKey({})", hex(&self.id))
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_was_made_of_and_never_printed() {
        let text = EvidenceKey::text([0xab; 32]);
        let key = EvidenceKey::parse(&format!("{text}\n")).expect("a key");
        assert_eq!(key.bytes(), &[0xab; 32]);
        assert_eq!(format!("{key:?}"), format!("EvidenceKey({})", hex(key.id())));
        assert_ne!(key.id(), EvidenceKey::new([0xac; 32]).id());
        for bad in ["", "evidence_", "evidence_c2hvcnQ=", "evidence_!", &text[1..], &format!("{text}AAAA")] {
            assert!(EvidenceKey::parse(bad).is_none(), "{bad}");
        }
    }
}
