//! Reads kept evidence, also while a probe writes it.

use super::{
    record::{self, Record},
    store::list_files,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The fewest digits of a hash that name a record.
const DIGITS_LEAST: usize = 8;

/// Why a record is not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(
        "give at least the first {DIGITS_LEAST} hexadecimal digits of the hash, as the collector shows it"
    )]
    NoHash,
    #[error(
        "there is no evidence {hash} in {}: it may have reached its age, or another probe keeps it; `list` shows \
         what is here",
        .folder.display()
    )]
    Unknown { hash: String, folder: PathBuf },
    #[error("several pieces of evidence begin with {0}: give more digits")]
    Ambiguous(String),
    #[error("cannot read {}", .folder.display())]
    Unreadable { folder: PathBuf, source: io::Error },
}

/// Everything that is kept in a folder, oldest first. What is damaged is left out.
///
/// # Errors
/// When the folder, or a file in it, cannot be read; a folder that is not there holds nothing.
pub fn list(folder: &Path) -> Result<Vec<Record>, FindError> {
    let unreadable = |source| FindError::Unreadable { folder: folder.to_owned(), source };
    let mut records = Vec::new();
    for (_, path) in list_files(folder).map_err(unreadable)? {
        match fs::read(&path) {
            Ok(bytes) => records.extend(record::scan(&bytes).records),
            // It has reached its age just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(records)
}

/// The record with this hash, or the only one whose hash begins so.
///
/// # Errors
/// When there is none, or several.
pub fn find(folder: &Path, hash: &str) -> Result<Record, FindError> {
    let hash = hash.to_ascii_lowercase();
    if hash.len() < DIGITS_LEAST || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(FindError::NoHash);
    }
    let mut found = list(folder)?.into_iter().filter(|record| record.hash.starts_with(&hash));
    match (found.next(), found.next()) {
        (Some(record), None) => Ok(record),
        (None, _) => Err(FindError::Unknown { hash, folder: folder.to_owned() }),
        (Some(_), Some(_)) => Err(FindError::Ambiguous(hash)),
    }
}
