//! Archives of a whole database: one file that holds every row of every table, whatever the engine was.
//!
//! Nothing here knows SQL: [`crate::store::backup`] reads rows out of a database and puts them into one. The form of
//! the file, frame by frame, is told in `format`; `write` makes it and [`read`] reads it, as streams, with bounded
//! memory. [`sealed`] encrypts the stream, `file` puts it on the disk, [`destination`] says where that is.
//!
//! Whoever hands us an archive may have made it by hand, so reading trusts nothing: every length has a limit, nothing
//! is allocated before the bytes for it have arrived, and names are plain words before they come near a statement.

pub mod destination;
pub mod file;
pub mod format;
pub mod read;
pub mod sealed;
pub mod value;
pub mod write;

#[cfg(test)]
mod tests;

pub use format::{Column, Header, Kind, Summary, Table};
pub use read::{Archive, Corrupt, Item};
pub use sealed::Key;
pub use value::Value;
pub use write::Writer;
