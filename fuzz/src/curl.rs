//! curl command lines that somebody copied.

use crate::har;
use import::Options;

/// Imports the text as commands.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match import::curl(text, &Options { document: true, ..Options::default() }) {
        Ok(imported) => har::judge(&imported, data.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
