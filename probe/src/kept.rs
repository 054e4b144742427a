//! The assignment on disk, so that a probe which starts while the collector is away knows what to measure.
//! It holds no secrets: those are templates that are resolved when a check runs.

use crate::{atomic_file, validate};
use std::{io, path::Path};
use tracing::{info, warn};
use wire::{RegionId, assignment::Assignment};

const NAME: &str = "assignment.json";

/// Reads the kept assignment. One that cannot be read or does not fit this probe is left out and logged: the
/// collector has a better one.
pub fn load(data: &Path, region: &RegionId) -> Option<Assignment> {
    let file = data.join(NAME);
    let content = atomic_file::read(&file)
        .inspect_err(|error| warn!(%error, file = %file.display(), "the kept assignment cannot be read"))
        .ok()??;
    let assignment: Assignment = serde_json::from_slice(&content)
        .inspect_err(|error| warn!(%error, file = %file.display(), "the kept assignment is not understood"))
        .ok()?;
    validate::assignment(&assignment, region)
        .inspect_err(|error| warn!(%error, file = %file.display(), "the kept assignment is not used"))
        .ok()?;
    info!(revision = assignment.revision, "going on with the assignment kept on disk");
    Some(assignment)
}

/// Keeps an assignment, as a whole or not at all. Blocks on the disk.
///
/// # Errors
/// When the folder cannot be written.
pub fn store(data: &Path, assignment: &Assignment) -> io::Result<()> {
    let content = serde_json::to_vec_pretty(assignment).map_err(io::Error::other)?;
    atomic_file::replace(data, NAME, &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn keeps_what_fits_and_leaves_out_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = ("north".parse().expect("an id"), "south".parse().expect("an id"));
        assert_eq!(load(folder.path(), &here), None);
        let assignment = testing::assignment(vec![testing::check("home", 1_000_000, "http://127.0.0.1:1/")]);
        store(folder.path(), &assignment).expect("stored");
        assert_eq!(load(folder.path(), &here), Some(assignment));
        assert_eq!(load(folder.path(), &there), None);
        std::fs::write(folder.path().join(NAME), "{ torn").expect("written");
        assert_eq!(load(folder.path(), &here), None);
    }
}
