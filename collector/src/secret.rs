//! Secrets: read once at the start, never printed, wiped from view by their `Debug`.

use crate::config::{SecretSource, TokenSource};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::{env, fmt, fs, path::PathBuf};
use subtle::ConstantTimeEq;

/// Why a secret cannot be used. The secret itself is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: make the file, readable for the collector's user only, or correct the path")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the environment variable {0} is not set: set it, or use a file")]
    Env(String),
    #[error("{0} is empty: write the secret into it")]
    Empty(String),
    #[error(
        "{0} does not hold a webhook secret: it must be `whsec_` and the base64 of 24 to 64 random bytes; \
         `sextant secret webhook` makes one"
    )]
    NotAWebhookSecret(String),
    #[error(
        "{0} does not hold a key of the mesh: it must be `mesh_` and the base64 of 32 to 64 random bytes; `sextant \
         secret mesh` makes one"
    )]
    NotAMeshKey(String),
    #[error(
        "{0} does not hold a key of evidence: it must be `evidence_` and the base64 of 32 random bytes; `sextant secret \
         evidence` makes one"
    )]
    NotAnEvidenceKey(String),
}

fn read_file(path: &PathBuf) -> Result<String, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?;
    not_empty(text, || path.display().to_string())
}

fn read_env(name: &str) -> Result<String, Error> {
    let text = env::var(name).map_err(|_| Error::Env(name.to_owned()))?;
    not_empty(text, || name.to_owned())
}

/// A secret, and where it is.
pub(crate) fn read_source(source: &SecretSource) -> Result<(String, String), Error> {
    Ok(match source {
        SecretSource::File(path) => (read_file(path)?, path.display().to_string()),
        SecretSource::Env(name) => (read_env(name)?, name.clone()),
    })
}

fn not_empty(text: String, place: impl FnOnce() -> String) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() { Err(Error::Empty(place())) } else { Ok(text.to_owned()) }
}

/// The SHA-256 of a probe's token, all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads the token that a source names.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(source: &TokenSource) -> Result<Self, Error> {
        match source {
            TokenSource::Sha256(hash) => Ok(Self(*hash)),
            TokenSource::File(path) => Ok(Self::of(&read_file(path)?)),
            TokenSource::Env(name) => Ok(Self::of(&read_env(name)?)),
        }
    }

    /// The hash as 64 hexadecimal digits, for `token: { sha256: … }`.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compares without telling by its time where the first difference is.
    pub fn matches(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The key of a webhook receiver.
#[derive(Clone)]
pub struct WebhookKey(Vec<u8>);

impl WebhookKey {
    /// Reads the secret that a source names.
    ///
    /// # Errors
    /// When it cannot be read or is not a webhook secret.
    pub fn read(source: &SecretSource) -> Result<Self, Error> {
        let (text, place) = read_source(source)?;
        Self::parse(&text).ok_or(Error::NotAWebhookSecret(place))
    }

    /// `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0).
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The raw key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(…)")
    }
}

/// What the keys of all sessions of the mesh are derived from.
#[derive(Clone)]
pub struct MeshSecret(Vec<u8>);

impl MeshSecret {
    /// Reads the secret that a source names.
    ///
    /// # Errors
    /// When it cannot be read or is not a key of the mesh.
    pub fn read(source: &SecretSource) -> Result<Self, Error> {
        let (text, place) = read_source(source)?;
        Self::parse(&text).ok_or(Error::NotAMeshKey(place))
    }

    /// `mesh_` and base64 of 32 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("mesh_")?).ok()?;
        (32..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The raw key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MeshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeshSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_checked_and_never_printed() {
        assert!(WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_some());
        for bad in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_!!!", ""] {
            assert!(WebhookKey::parse(bad).is_none(), "{bad}");
        }
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a good key");
        assert_eq!(format!("{key:?} {:?}", TokenHash::of("t")), "WebhookKey(…) TokenHash(…)");
    }

    #[test]
    fn tokens_match_only_themselves() {
        assert!(TokenHash::of("a").matches(&TokenHash::of("a")));
        assert!(!TokenHash::of("a").matches(&TokenHash::of("b")));
    }

    #[test]
    fn an_absent_file_says_what_to_do() {
        let error = TokenHash::read(&TokenSource::File("/nowhere/token".into())).expect_err("no such file");
        assert!(error.to_string().contains("/nowhere/token: make the file"));
    }
}
