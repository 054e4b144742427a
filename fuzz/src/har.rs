//! HAR files that a browser saved.

use collector::config;
use import::{Imported, Options};

/// How much longer a document may be than what it was made of, and how long one of nothing is.
const GROWTH: usize = 16;
const FRAME: usize = 64 * 1024;

/// Imports the bytes as a HAR file.
pub fn run(data: &[u8]) {
    for all in [false, true] {
        let options = Options { all, document: true, ..Options::default() };
        match import::har(data, &options) {
            Ok(imported) => judge(&imported, data.len()),
            Err(error) => assert!(error.to_string().len() <= GROWTH * data.len() + FRAME),
        }
    }
}

/// Whatever was recorded, a document comes out that can be read, and notes of one line.
pub(crate) fn judge(imported: &Imported, given: usize) {
    let notes: usize = imported.notes.iter().map(String::len).sum();
    assert!(imported.yaml.len() + notes <= GROWTH * given + FRAME, "it grew: {} bytes", imported.yaml.len());
    for note in &imported.notes {
        assert!(!note.is_empty() && !note.contains(char::is_control), "a note of several lines: {note:?}");
    }
    // What it says may need a hand (a token, an address); how it is written must not.
    if let Err(problems) = config::parse(&imported.yaml, "imported.yaml") {
        let ill = problems.iter().find(|problem| problem.message.contains("not well-formed"));
        assert!(ill.is_none(), "{ill:?} in\n{}", imported.yaml);
    }
}
