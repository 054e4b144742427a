//! What is kept for a person to read, without the secrets that the request carried.

mod secrets;

pub(super) use secrets::{is_secret, received, sent, spellings, written};

pub(super) use super::redact::redact;
use super::words;
use wire::sample::Evidence;

/// The longest summary, characters.
pub(super) const MAX_SUMMARY: usize = 300;
/// The longest excerpt, bytes.
pub(super) const MAX_EXCERPT: usize = 512;
/// How much of a body is looked at for the excerpt, bytes: more, because what is redacted becomes shorter.
const LOOKED_AT: usize = 8 * 1024;

/// Composes evidence: a summary of at most 300 characters and the first 512 bytes of the body as UTF-8, both
/// without control characters (PostgreSQL refuses NUL, terminals obey escapes) and without `secrets`.
pub(super) fn keep(summary: &str, step: Option<&str>, body: &[u8], secrets: &[String]) -> Evidence {
    let excerpt = (!body.is_empty()).then(|| excerpt(body, secrets));
    Evidence {
        summary: clean(summary, secrets),
        step: step.map(str::to_owned),
        excerpt: excerpt.filter(|text| !text.is_empty()),
        withheld: None,
    }
}

/// A line of at most 300 characters without `secrets`.
pub(super) fn clean(text: &str, secrets: &[String]) -> String {
    words::line(&redact(text, secrets), MAX_SUMMARY)
}

fn excerpt(body: &[u8], secrets: &[String]) -> String {
    let body = &body[..body.len().min(LOOKED_AT)];
    let text = redact(&String::from_utf8_lossy(body), secrets);
    let mut kept = String::new();
    for c in text.chars().filter(|c| *c != '\r') {
        let c = if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
        if kept.len() + c.len_utf8() > MAX_EXCERPT {
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_clean() {
        let body = "ä\u{0}\u{1b}\r\n".repeat(1_000);
        let kept = keep(&"x".repeat(1_000), None, body.as_bytes(), &[]);
        assert_eq!(kept.summary.chars().count(), 300);
        let excerpt = kept.excerpt.expect("there is a body");
        assert!(excerpt.len() <= 512 && excerpt.len() > 500);
        assert!(excerpt.chars().all(|c| c == '\n' || !c.is_control()));
        let binary = keep("s", None, &[0xff; 2_000], &[]).excerpt.expect("there is a body");
        assert!(binary.len() <= 512);
        assert_eq!(keep("s", None, b"", &[]).excerpt, None);
    }
}
