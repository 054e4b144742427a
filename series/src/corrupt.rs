//! Why stored bytes cannot be read.

use thiserror::Error;

/// Stored bytes that are not what this program wrote. They are never guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Corrupt {
    /// The bytes changed since they were written, or were never such bytes: restore them from a backup, or do without.
    #[error("the stored {what} is damaged: {why}")]
    Damaged { what: &'static str, why: &'static str },
    /// A newer version of Sextant wrote it: start that version.
    #[error("the stored {what} has format version {version}, which this version of Sextant does not know")]
    Newer { what: &'static str, version: u8 },
}
