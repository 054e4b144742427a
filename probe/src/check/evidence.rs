//! What is kept for a person to read, without the secrets that the request carried.

use super::{prepare::Prepared, redact::redact, words};
use http::{HeaderMap, header};
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

/// The secrets in a request: servers like to echo what they were sent.
pub(super) fn secrets(prepared: &Prepared) -> Vec<String> {
    of_headers(&prepared.headers)
}

fn of_headers(headers: &HeaderMap) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_secret(name.as_str())) {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::COOKIE {
            secrets
                .extend(value.split(';').filter_map(|pair| Some(pair.split_once('=')?.1.trim().to_owned())));
        } else if let Some((_scheme, credentials)) = value.split_once(' ') {
            secrets.push(credentials.trim().to_owned());
        }
        secrets.push(value.into_owned());
    }
    secrets
}

/// Whether a header of this name (lower case) holds something that is for nobody else to see.
pub(super) fn is_secret(name: &str) -> bool {
    matches!(name, "authorization" | "proxy-authorization" | "cookie")
        || ["api-key", "apikey", "token", "secret", "password"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets_of(headers: &[(&'static str, &str)]) -> Vec<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")));
        of_headers(&headers.collect())
    }

    #[test]
    fn no_secret_of_the_request_survives_an_echo() {
        let secrets = secrets_of(&[
            ("authorization", "Bearer s3cr3t-t0ken"),
            ("cookie", "sid=abcdef; theme=\"dark\"x"),
            ("x-api-key", "kkkk-1234"),
            ("x-plain", "visible"),
        ]);
        let body =
            br#"{"auth":"Bearer s3cr3t-t0ken","again":"s3cr3t-t0ken","c":"sid=abcdef; theme=\"dark\"x",
            "k":"kkkk-1234","p":"visible"}"#;
        let kept = keep("saw kkkk-1234", Some("login"), body, &secrets);
        let excerpt = kept.excerpt.expect("there is a body");
        for secret in ["s3cr3t", "abcdef", "kkkk"] {
            assert!(!excerpt.contains(secret), "{excerpt}");
            assert!(!kept.summary.contains(secret), "{}", kept.summary);
        }
        assert!(excerpt.contains("visible"));
    }

    #[test]
    fn a_secret_cut_in_the_middle_is_redacted_too() {
        let secrets = secrets_of(&[("x-api-key", "kkkk-1234-5678")]);
        let kept = keep("", None, b"your key: kkkk-1234-5", &secrets);
        assert_eq!(kept.excerpt.as_deref(), Some("your key: [redacted]"));
    }

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
