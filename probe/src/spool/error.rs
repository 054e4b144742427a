//! Why a spool cannot be opened or used.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a spool cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool in {} is used by another process: give each probe a data folder of its own", .folder.display())]
    Taken { folder: PathBuf },
    #[error(
        "{} was written by a newer version (format {version}, this one knows {known}): run that version until \
         its spool is empty, or use another data folder",
        .path.display()
    )]
    Newer { path: PathBuf, version: u32, known: u32 },
    #[error("cannot {action} ({}): check that the folder is writable for this user and that the disk is not full", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl SpoolError {
    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError + use<> {
        let path = path.to_owned();
        move |source| SpoolError::Io { action, path, source }
    }
}
