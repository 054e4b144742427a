//! Regular expressions: matching takes time that is linear in the text, whatever it is; their size is limited.

use super::unusable;
use crate::check::fault::Fault;
use regex::{Regex, RegexBuilder};
use wire::assignment::{LONGEST_PATTERN, PATTERN_BYTES};

/// Compiles a pattern of the configuration.
pub(super) fn compile(written: &str) -> Result<Regex, Fault> {
    let bad = |why: &str| unusable(written, "regular expression", why);
    if written.len() > LONGEST_PATTERN {
        return Err(bad("it is longer than 512 bytes"));
    }
    let built = RegexBuilder::new(written).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => bad("it is too large when compiled; use fewer repetitions"),
        // The last line says what; those before it point at the place.
        other => bad(other.to_string().lines().last().unwrap_or_default()),
    })
}

/// What a group matches first; group 0 is the whole match.
pub(super) fn group(pattern: &Regex, text: &str, group: u8) -> Option<String> {
    Some(pattern.captures(text)?.get(group.into())?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found() {
        let pattern = compile(r"order-(\d+)(x)?").expect("a pattern");
        let text = "see order-17 and order-18x";
        assert_eq!(group(&pattern, text, 0).as_deref(), Some("order-17"));
        assert_eq!(group(&pattern, text, 1).as_deref(), Some("17"));
        assert_eq!((group(&pattern, text, 2), group(&pattern, text, 3)), (None, None));
    }

    #[test]
    fn large_patterns_are_refused_and_hostile_texts_do_no_harm() {
        for (written, word) in
            [("a{1000}{1000}", "too large"), ("(", "unclosed"), (&*"a".repeat(600), "longer than 512")]
        {
            let why = compile(written).expect_err(written).summary;
            assert!(why.contains(word), "{why}");
        }
        // Exponential for matchers that go back.
        let pattern = compile("(a*)*b").expect("a pattern");
        assert!(!pattern.is_match(&"a".repeat(1 << 20)));
    }
}
