//! The last words of a process.

use std::error::Error;

/// Prints on stderr what went wrong, with its causes.
pub fn tell(program: &str, error: &dyn Error) {
    eprintln!("{program}: {}", words(error));
}

/// The error, and each cause that it does not mention itself on a line of its own.
fn words(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut words = said.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat their cause in their own message.
        if !said.contains(&text) {
            words.push_str("\n  because: ");
            words.push_str(&text);
        }
        said = text;
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Layer {
        says: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_told_once() {
        let disk = Layer { says: "disk full", source: None };
        let spool = Layer { says: "no spool: disk full", source: Some(Box::new(disk)) };
        let probe = Layer { says: "cannot start", source: Some(Box::new(spool)) };
        assert_eq!(words(&probe), "cannot start\n  because: no spool: disk full");
    }
}
