//! What is done, in one small file that is replaced as a whole.

use super::SpoolError;
use crate::atomic_file;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tracing::error;

const NAME: &str = "cursor";
const VERSION: u32 = 1;
/// The largest number that is believed: far above any clock, and far below where numbers end.
const NEXT_MOST: i64 = 1 << 61;

/// How far the spool is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Every report below this sequence is done.
    pub next: i64,
    /// Samples lost so far.
    pub lost: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    next: i64,
    lost: u64,
}

impl Cursor {
    /// Reads the mark: absent in a new spool. The second value says that it was there and damaged; then whatever
    /// the segments hold is sent again, which the collector notices and does not count twice.
    pub fn load(folder: &Path) -> Result<(Option<Self>, bool), SpoolError> {
        let path = folder.join(NAME);
        let Some(content) = atomic_file::read(&path).map_err(SpoolError::io("read the spool", &path))? else {
            return Ok((None, false));
        };
        match serde_json::from_slice::<Stored>(&content) {
            Ok(stored) if stored.version > VERSION => {
                Err(SpoolError::Newer { path, version: stored.version, known: VERSION })
            }
            Ok(stored) if (0..=NEXT_MOST).contains(&stored.next) => {
                Ok((Some(Self { next: stored.next, lost: stored.lost }), false))
            }
            read => {
                let error = read.err().map(|error| error.to_string());
                let error = error.unwrap_or_else(|| "its number is none that was ever given".to_owned());
                error!(%error, file = %path.display(), "the spool's mark is damaged: sending everything again");
                Ok((None, true))
            }
        }
    }

    /// Replaces the mark.
    pub fn save(&self, folder: &Path) -> Result<(), SpoolError> {
        let stored = Stored { version: VERSION, next: self.next, lost: self.lost };
        let content = serde_json::to_vec(&stored).expect("three numbers are always JSON");
        atomic_file::replace(folder, NAME, &content)
            .map_err(SpoolError::io("mark reports as done", &folder.join(NAME)))
    }
}
