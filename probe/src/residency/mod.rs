//! Evidence that must not leave this probe: what a target may have written is taken out of a sample as soon as the run
//! is over ([`withhold`]), and kept in the data folder ([`Keeper`]), where people on this machine read it
//! ([`list`], [`find`]). The sample goes on with a fixed sentence and a hash.
//!
//! The hash is SHA-256 over 32 random bytes, drawn for each record and kept with it, and the content as JSON. It says
//! that what this probe shows is what it saw then. Without the random bytes it says nothing of the content: a hash of
//! the content alone could be compared with those of everything that a short answer might be.
//!
//! `evidence/` in the data folder holds files of records (`record`), which are only ever appended to (`store`). The
//! oldest file is deleted when there are too many bytes, or when it has reached the age that nothing may outlive. What
//! cannot be written is lost; nothing else has it, and the sample says so by having no hash.

mod keeper;
mod read;
mod record;
mod store;

pub use keeper::Keeper;
pub use read::{FindError, find, list};
pub use record::Record;
pub use store::{Limits, Store};

use crate::schedule::Series;
use wire::{
    residency::{Content, Residency},
    sample::Sample,
};

/// The folder within the data folder of a probe.
pub const FOLDER: &str = "evidence";

/// Takes out of a sample what its series does not let travel; what of it is to be kept here. Good runs have no
/// evidence, and nobody asks for the addresses that they were redirected to: those are not kept.
pub fn withhold(series: &Series, sample: &mut Sample) -> Option<Content> {
    let residency = series.endpoint.evidence;
    // What is encrypted is so by the collector.
    if residency < Residency::Stays {
        return None;
    }
    let listed = &series.check.places.listed;
    let content =
        Content::take(sample, residency, |name| listed.iter().any(|region| region.as_str() == name));
    let wanted = residency == Residency::Stays && sample.evidence.is_some() && !content.is_empty();
    wanted.then_some(content)
}

#[cfg(test)]
mod tests;
