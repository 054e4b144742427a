//! The secrets of this probe: values that checks name and that never travel.
//!
//! The collector knows names only. Where a value comes from is said here, in a file that the probe's operator writes
//! (`document`), so that a collector can make no probe read a file or run a program. Values are read when they are
//! needed and kept for a while (`read`).

mod document;
mod read;

#[cfg(test)]
mod tests;

use document::Entry;
use read::Source;
use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

pub use document::SecretsError;

/// The longest value, bytes.
pub const VALUE_MOST: usize = 64 * 1024;
/// The shortest value, bytes: what is shorter could not be kept out of evidence without garbling every text.
pub const VALUE_LEAST: usize = 4;
/// How long a failure is remembered, so that a command that fails is not run again for every sample.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// A value that neither `Debug` nor any log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The value, for the one place that uses it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Why a secret cannot be had; a sentence that says what to do and holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the check uses the secret `{0}`, and this probe was given none: start it with --secrets FILE")]
    NoneGiven(String),
    #[error("this probe has no secret `{name}`: add it to the probe's secrets file; there are {known}")]
    Unknown { name: String, known: String },
    #[error("the secret `{name}` cannot be read from the file {file}: {why}")]
    File { name: String, file: String, why: String },
    #[error(
        "the secret `{name}` should be in the environment variable {variable} of the probe, which is {why}"
    )]
    Env { name: String, variable: String, why: &'static str },
    #[error("the secret `{name}` cannot be had from {program}: {why}")]
    Command { name: String, program: String, why: String },
    #[error(
        "this probe does not send the secret `{name}` to {host}: the secrets file allows it for {allowed} only"
    )]
    Elsewhere { name: String, host: String, allowed: String },
    #[error("the secret `{name}` cannot be used: its value {why}")]
    Value { name: String, why: String },
}

/// The secrets of one probe; cheap to clone. The default has none.
#[derive(Clone, Default)]
pub struct Secrets {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Whether there is a secrets file at all.
    given: bool,
    kept: BTreeMap<String, Kept>,
    warnings: Vec<String>,
}

/// One secret and what was read last. The lock is held while it is read, so that runs that need it at the same time
/// read it once.
struct Kept {
    source: Source,
    /// Where it may be sent; anywhere when absent.
    hosts: Option<Vec<String>>,
    refresh: Duration,
    last: Mutex<Option<Last>>,
}

struct Last {
    until: Instant,
    value: Result<Secret, SecretError>,
}

impl Secrets {
    /// Reads the secrets file: names and places, no values yet. Blocks on the disk for a moment.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong; all of it needs a person.
    pub fn load(file: &Path) -> Result<Secrets, SecretsError> {
        let entries = document::load(file)?;
        let warnings = document::warnings(file, &entries);
        let kept = entries.into_iter().map(|(name, Entry { source, refresh, hosts })| {
            (name, Kept { source, hosts, refresh, last: Mutex::new(None) })
        });
        Ok(Secrets { inner: Arc::new(Inner { given: true, kept: kept.collect(), warnings }) })
    }

    /// What an operator should mend: files that others can read or change. Sentences.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// The value of a secret: the one that was read last, or a new one when that is older than its `refresh`. Where
    /// it cannot be read again, the last value stays in use, and the log says so.
    ///
    /// # Errors
    /// When there is no such secret, or its value was never had.
    pub async fn get(&self, name: &str) -> Result<Secret, SecretError> {
        let Some(kept) = self.inner.kept.get(name) else { return Err(self.unknown(name)) };
        let mut last = kept.last.lock().await;
        let now = Instant::now();
        if let Some(last) = last.as_ref().filter(|last| now < last.until) {
            return last.value.clone();
        }
        let fresh = kept.source.read(name).await;
        let old = last.take().and_then(|last| last.value.ok());
        let (value, valid) = match (fresh, old) {
            (Ok(value), _) => (Ok(value), kept.refresh),
            (Err(error), Some(old)) => {
                warn!(%error, "a secret was not read again: its last value stays in use");
                (Ok(old), FAILURE_KEPT)
            }
            (Err(error), None) => (Err(error), FAILURE_KEPT),
        };
        *last = Some(Last { until: Instant::now() + valid, value: value.clone() });
        value
    }

    /// Whether a secret may be sent to a host: the collector says where checks go, and whoever has taken it over must
    /// not have secrets sent to themselves.
    ///
    /// # Errors
    /// When the secrets file names hosts, and this is none of them.
    pub fn permits(&self, name: &str, host: &str) -> Result<(), SecretError> {
        let Some(allowed) = self.inner.kept.get(name).and_then(|kept| kept.hosts.as_ref()) else {
            return Ok(());
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let fits = |allowed: &String| match allowed.strip_prefix('*') {
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => host == *allowed,
        };
        if allowed.iter().any(fits) {
            return Ok(());
        }
        Err(SecretError::Elsewhere { name: name.to_owned(), host, allowed: allowed.join(", ") })
    }

    /// Reads every secret once and logs those that cannot be had: a mistake should show at the start, not when a
    /// check needs the value.
    pub async fn try_all(&self) {
        for name in self.inner.kept.keys() {
            if let Err(error) = self.get(name).await {
                warn!(%error, "checks that use this secret are not supported by this probe");
            }
        }
    }

    fn unknown(&self, name: &str) -> SecretError {
        let name = name.to_owned();
        if !self.inner.given {
            return SecretError::NoneGiven(name);
        }
        let known: Vec<&str> = self.inner.kept.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        SecretError::Unknown { name, known }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.inner.kept.keys()).finish()
    }
}

/// Whether a text can name a secret: 1 to 63 letters, digits, `_` and `-`, with no `-` at either end.
pub fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(letter)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
