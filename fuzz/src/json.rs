//! Values that travel as JSON.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Reads a value; what was read is written and read again, and must be the same.
pub fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    same_again(&read);
    Some(read)
}

/// Writes a value and reads it again; returns what was written.
pub fn same_again<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Vec<u8> {
    let written = serde_json::to_vec(value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(*value, again, "it changed on the way");
    written
}
