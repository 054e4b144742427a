//! The form of sealed content: AES-256-GCM (NIST SP 800-38D) under a key of its own for each piece.
//!
//! ```text
//! version 1 byte | key id 8 | random 28 | length of the label 2, big endian | label (JSON) | ciphertext | tag 16
//! ```
//!
//! All of it as base64. 16 of the random bytes make, by HMAC-SHA-256 with the region's key, the key of this piece, and
//! 12 are its nonce: 28 random bytes do not meet twice, where 12 alone would after some 2³² pieces of one key. All that
//! is before the ciphertext is authenticated with it, so a piece tells what it belongs to and cannot be given out
//! as another's.

use super::key::EvidenceKey;
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use serde::{Deserialize, Serialize};
use wire::{CheckId, Micros, ProbeId, assignment::Target, residency::Content};

const VERSION: u8 = 1;
const ID: usize = 8;
const SALT: usize = 16;
/// How many random bytes a piece takes.
pub const RANDOM: usize = SALT + NONCE_LEN;
/// Version, key id, random bytes, length of the label.
const FRONT: usize = 1 + ID + RANDOM + 2;
/// The longest text that is looked at; content is a few kilobytes.
const TEXT_MOST: usize = 1 << 20;
/// Separates this use of the key from any other that may come.
const PURPOSE: &[u8] = b"sextant evidence 1";

/// What a piece belongs to, in clear and authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub probe: ProbeId,
    pub check: CheckId,
    pub target: Target,
    /// When the run started, by the probe's clock.
    pub started: Micros,
    /// The number of the report that it came in.
    pub sequence: i64,
    /// Which sample of that report, counted from 0.
    pub ordinal: u32,
}

/// Why sealed content cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it is no sealed evidence, or a part of it is missing")]
    Malformed,
    #[error("it has the form {0}, which a newer Sextant made: use that one")]
    Newer(u8),
    #[error(
        "it is sealed with the key {0}, which is not here: add that key to `evidence_key`, behind the one in use"
    )]
    NoKey(String),
    #[error("it was changed after it was sealed, or belongs to something else: do not trust it")]
    Tampered,
}

/// Seals content. The random bytes must be new for each piece.
pub fn seal(key: &EvidenceKey, random: [u8; RANDOM], label: &Label, content: &Content) -> String {
    let label = serde_json::to_vec(label).expect("ids and numbers are always JSON");
    let mut content = serde_json::to_vec(content).expect("texts are always JSON");
    let length = u16::try_from(label.len()).expect("ids are short, so a label has a few hundred bytes");
    let mut sealed = vec![VERSION];
    sealed.extend(key.id());
    sealed.extend(random);
    sealed.extend(length.to_be_bytes());
    sealed.extend(label);
    let (piece, nonce) = piece_key(key, &random);
    piece
        .seal_in_place_append_tag(nonce, Aad::from(&sealed), &mut content)
        .expect("only gigabytes are too long for one piece");
    sealed.extend(content);
    STANDARD.encode(sealed)
}

/// Opens what [`seal`] made with one of the keys.
///
/// # Errors
/// When it is none, no key fits, or it was changed.
pub fn open<'k>(
    keys: impl Iterator<Item = &'k EvidenceKey>,
    text: &str,
) -> Result<(Label, Content), OpenError> {
    let sealed = decode(text)?;
    let (front, rest) = sealed.split_first_chunk::<FRONT>().ok_or(OpenError::Malformed)?;
    match front[0] {
        VERSION => {}
        0 => return Err(OpenError::Malformed),
        newer => return Err(OpenError::Newer(newer)),
    }
    let id = &front[1..=ID];
    let random = front[1 + ID..].first_chunk::<RANDOM>().ok_or(OpenError::Malformed)?;
    let length = usize::from(u16::from_be_bytes([front[FRONT - 2], front[FRONT - 1]]));
    let (label, ciphertext) = rest.split_at_checked(length).ok_or(OpenError::Malformed)?;
    let mut keys = keys.filter(|key| key.id() == id).peekable();
    if keys.peek().is_none() {
        return Err(OpenError::NoKey(super::key::hex(id)));
    }
    for key in keys {
        let (piece, nonce) = piece_key(key, random);
        let mut content = ciphertext.to_vec();
        if let Ok(plain) = piece.open_in_place(nonce, Aad::from(&sealed[..FRONT + length]), &mut content) {
            let label = serde_json::from_slice(label).map_err(|_| OpenError::Malformed)?;
            let content = serde_json::from_slice(plain).map_err(|_| OpenError::Malformed)?;
            return Ok((label, content));
        }
    }
    Err(OpenError::Tampered)
}

fn decode(text: &str) -> Result<Vec<u8>, OpenError> {
    if text.len() > TEXT_MOST {
        return Err(OpenError::Malformed);
    }
    STANDARD.decode(text).map_err(|_| OpenError::Malformed)
}

/// The key and the nonce of one piece.
fn piece_key(key: &EvidenceKey, random: &[u8; RANDOM]) -> (LessSafeKey, Nonce) {
    let (salt, nonce) = random.split_at(SALT);
    let mut made = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes()));
    made.update(PURPOSE);
    made.update(salt);
    let made = made.sign();
    let piece =
        UnboundKey::new(&AES_256_GCM, made.as_ref()).expect("SHA-256 gives the 32 bytes that AES-256 takes");
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("it has the length that is left");
    (LessSafeKey::new(piece), nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> EvidenceKey {
        EvidenceKey::new([byte; 32])
    }

    fn label() -> Label {
        Label {
            probe: "north-1".parse().expect("an id"),
            check: "home".parse().expect("an id"),
            target: "eu".parse().expect("an id"),
            started: Micros(1_795_000_000_000_000),
            sequence: 7,
            ordinal: 3,
        }
    }

    fn content(summary: &str, excerpt: Option<String>) -> Content {
        Content { summary: Some(summary.to_owned()), excerpt, ..Content::default() }
    }

    #[test]
    fn only_the_key_that_sealed_opens() {
        let sealed = seal(&key(1), [9; RANDOM], &label(), &content("s3cret", None));
        assert_eq!(open([&key(1)].into_iter(), &sealed), Ok((label(), content("s3cret", None))));
        assert_eq!(open([&key(2), &key(1)].into_iter(), &sealed), Ok((label(), content("s3cret", None))));
        let error = open([&key(2)].into_iter(), &sealed).expect_err("another key");
        assert_eq!(error, OpenError::NoKey(super::super::key::hex(key(1).id())));
        assert!(matches!(open([].into_iter(), &sealed), Err(OpenError::NoKey(_))));
    }

    #[test]
    fn other_random_bytes_make_another_text() {
        let seal = |random| seal(&key(1), random, &label(), &content("s3cret", None));
        let (first, second) = (seal([1; RANDOM]), seal([2; RANDOM]));
        assert_ne!(first, second);
        let end = |text: &str| STANDARD.decode(text).expect("base64").split_off(FRONT + 120);
        assert_ne!(end(&first), end(&second));
    }

    #[test]
    fn forms_that_are_not_known_are_told_apart() {
        let mut sealed =
            STANDARD.decode(seal(&key(1), [9; RANDOM], &label(), &Content::default())).expect("base64");
        sealed[0] = 2;
        assert_eq!(open([&key(1)].into_iter(), &STANDARD.encode(&sealed)), Err(OpenError::Newer(2)));
        sealed[0] = 0;
        assert_eq!(open([&key(1)].into_iter(), &STANDARD.encode(&sealed)), Err(OpenError::Malformed));
        for bad in ["", "AQ==", "not base64!", &"A".repeat(TEXT_MOST + 4)] {
            assert_eq!(open([&key(1)].into_iter(), bad), Err(OpenError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_comes_out_again(
            summary in any::<String>(), excerpt in any::<Option<String>>(),
            hops in proptest::collection::vec(any::<String>(), 0..4),
            secret in any::<[u8; 32]>(), random in any::<[u8; RANDOM]>(),
        ) {
            let content = Content { hops, ..content(&summary, excerpt) };
            let key = EvidenceKey::new(secret);
            let sealed = seal(&key, random, &label(), &content);
            prop_assert_eq!(open([&key].into_iter(), &sealed), Ok((label(), content)));
        }

        #[test]
        fn a_changed_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut sealed = STANDARD.decode(seal(&key(1), [9; RANDOM], &label(), &content("s3cret", None))).expect("base64");
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(open([&key(1)].into_iter(), &STANDARD.encode(sealed)).is_err());
        }

        #[test]
        fn a_cut_is_noticed(length in any::<prop::sample::Index>()) {
            let sealed = STANDARD.decode(seal(&key(1), [9; RANDOM], &label(), &content("s3cret", None))).expect("base64");
            let length = length.index(sealed.len());
            prop_assert!(open([&key(1)].into_iter(), &STANDARD.encode(&sealed[..length])).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(open([&key(1)].into_iter(), &STANDARD.encode(bytes)).is_err());
        }
    }
}
