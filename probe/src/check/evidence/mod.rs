//! What is kept for a person to read, without the secrets that the request carried.

mod secrets;

pub(super) use secrets::{is_secret, received, sent, spellings, written};

use super::words;
use wire::sample::Evidence;

const MAX_SUMMARY: usize = 300;
const MAX_EXCERPT: usize = 512;
/// Shorter values are no secrets, and replacing them would garble every text.
const MIN_SECRET: usize = 4;
const REDACTED: &str = "[redacted]";

/// Composes evidence: a summary of at most 300 characters and the first 512 bytes of the body as UTF-8, both
/// without control characters (PostgreSQL refuses NUL, terminals obey escapes) and without `secrets`.
pub(super) fn keep(summary: &str, step: Option<&str>, body: &[u8], secrets: &[String]) -> Evidence {
    let excerpt = (!body.is_empty()).then(|| excerpt(body, secrets));
    Evidence {
        summary: words::line(&redact(summary, secrets), MAX_SUMMARY),
        step: step.map(str::to_owned),
        excerpt: excerpt.filter(|text| !text.is_empty()),
    }
}

fn excerpt(body: &[u8], secrets: &[String]) -> String {
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

/// Replaces secrets, longest first so that one inside another leaves nothing, and the beginning of a secret
/// at the end of a text that was cut.
pub(super) fn redact(text: &str, secrets: &[String]) -> String {
    let mut secrets: Vec<&str> =
        secrets.iter().map(String::as_str).filter(|secret| secret.len() >= MIN_SECRET).collect();
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED));
    for secret in secrets {
        let heads = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= MIN_SECRET).rev();
        if let Some(head) = heads.map(|at| &secret[..at]).find(|head| text.ends_with(head)) {
            text.truncate(text.len() - head.len());
            text.push_str(REDACTED);
        }
    }
    text
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
