//! Entrances for the fuzzer (the `fuzz` package) to the parsers inside this crate. Built with the feature `fuzzing`
//! only, so that the crate's interface stays as it is; nothing here does more than pass on.

pub use crate::{
    check::fuzzing as check,
    lines::{LINE_MOST, Lines, TooLong},
    spool::frame,
    validate::{Invalid, assignment},
};
