//! What is a secret, by its name or by its looks, and the names that stand for secrets.

use crate::name;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Parts of names, without hyphens and underscores, that tell a secret.
const PARTS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credential",
    "sessionid",
    "signature",
    "jwt",
    "csrf",
    "xsrf",
    "cardnumber",
    "ccnumber",
    "assertion",
    "samlresponse",
    "authkey",
];

/// Whole names that do.
const WHOLE: [&str; 15] = [
    "pass", "auth", "sid", "sig", "session", "otp", "totp", "pin", "cvv", "cvc", "iban", "ssn", "bearer",
    "pw", "xauth",
];

/// Parts of names under which everything is a secret.
const HOLDERS: [&str; 4] = ["credential", "secret", "password", "passphrase"];

/// Names that only seem to.
const HARMLESS: [&str; 3] = ["tokentype", "tokenexpiry", "xcsrfprotection"];

/// Names that do when the value looks random: `code` of OAuth, and `key`.
const MAYBE: [&str; 4] = ["code", "key", "state", "nonce"];

/// How keys of well-known services begin.
const PREFIXES: [&str; 16] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
];

/// A value that is put in place of a secret wherever it stands has at least this many bytes.
const SHORTEST: usize = 6;

/// Whether a field, parameter or header of this name holds a secret.
pub(crate) fn is(name: &str, value: &str) -> bool {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    PARTS.iter().any(|part| name.contains(part))
        || WHOLE.contains(&name.as_str())
        || (MAYBE.iter().any(|maybe| name == *maybe) && value.len() >= 12 && random(value))
        || (name.ends_with("key") && value.len() >= 16 && random(value))
}

/// Whether all that stands under this name in a structure is a secret.
pub(crate) fn holds(name: &str) -> bool {
    let name = bare(name);
    HOLDERS.iter().any(|part| name.contains(part))
}

/// The letters and digits of a name, in lower case.
fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a value looks as if a machine had made it up: letters and digits mixed, or a long number.
pub(crate) fn random(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let distinct = value.bytes().collect::<BTreeSet<u8>>().len();
    let mixed = digits >= 2 && letters >= 1 && distinct >= 6;
    let number = letters == 0 && digits == value.len() && digits >= 7;
    // Without digits only what changes between capitals and small letters inside, as base64 does.
    let changes = value
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    mixed || number || (value.len() >= 16 && changes.count() >= 3)
}

/// Where a text holds what looks like a key or a JSON Web Token, whatever its name.
pub(crate) fn by_looks(text: &str) -> Vec<Range<usize>> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut spans = Vec::new();
    let mut at = 0;
    for part in text.split(|c| !inside(c)) {
        let start = at;
        // What was split at may be more than one byte long.
        at += part.len();
        at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let token = part.trim_end_matches('.');
        let web_token = token.starts_with("eyJ") && token.matches('.').count() >= 2 && token.len() >= 30;
        let key =
            token.len() >= 16 && random(token) && PREFIXES.iter().any(|prefix| token.starts_with(prefix));
        if web_token || key {
            spans.push(start..start + token.len());
        }
    }
    spans
}

/// The secrets of a journey: what stands for each value.
pub(crate) struct Secrets {
    prefix: String,
    by_value: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Secrets {
    /// Names will begin with `prefix`, the service's.
    pub(crate) fn new(prefix: &str) -> Secrets {
        Secrets { prefix: prefix.to_owned(), by_value: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// The name that stands for a value, and whether it is new.
    pub(crate) fn name(&mut self, value: &str, label: &str) -> (String, bool) {
        if let Some(known) = self.by_value.get(value) {
            return (known.clone(), false);
        }
        let label = name::word(label);
        let name = name::unique(&name::word(&format!("{}_{label}", self.prefix)), '_', &mut self.taken);
        self.by_value.insert(value.to_owned(), name.clone());
        (name, true)
    }

    /// Where a text holds known secrets, with their names. The longest wins where several begin.
    pub(crate) fn find(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        // A cookie may hold a word such as `production`, which says nothing where it stands besides.
        let telling =
            |value: &str, name: &str| value.len() >= SHORTEST && (random(value) || !name.contains("cookie"));
        let known = self.by_value.iter().filter(|(value, name)| telling(value, name));
        for (value, name) in known {
            spans.extend(text.match_indices(value).map(|(at, _)| (at..at + value.len(), name.clone())));
        }
        spans.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let mut end = 0;
        spans.retain(|(span, _)| {
            let free = span.start >= end;
            end = if free { span.end } else { end };
            free
        });
        spans
    }

    /// A text for people with dots in place of secrets.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut spans: Vec<Range<usize>> = self.find(text).into_iter().map(|(span, _)| span).collect();
        let cut = |mut text: String, spans: Vec<Range<usize>>| {
            for span in spans.into_iter().rev() {
                text.replace_range(span, "…");
            }
            text
        };
        let text = cut(text.to_owned(), std::mem::take(&mut spans));
        let spans = by_looks(&text);
        cut(text, spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_secrets_by_name() {
        for name in
            ["password", "newPassword", "user[password]", "api_key", "X-Api-Key", "csrf_token", "PIN", "_sid"]
        {
            assert!(is(name, "x"), "{name}");
        }
        for name in ["author", "email", "token_type", "pinned", "keyboard", "code", "sort_key", "quantity"] {
            assert!(!is(name, "42"), "{name}");
        }
        assert!(is("code", "4f9a8b7c6d5e4f3a"));
    }

    #[test]
    fn knows_secrets_by_looks() {
        let text = "a=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl&b=ü, ghp_0123456789abcdef0123.";
        let found: Vec<_> = by_looks(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "ghp_0123456789abcdef0123"]);
        assert_eq!(by_looks("sk-learn is a library, AKIA too"), []);
    }

    #[test]
    fn one_name_stands_for_one_value() {
        let mut secrets = Secrets::new("shop");
        assert_eq!(secrets.name("hunter22", "password"), ("shop_password".into(), true));
        assert_eq!(secrets.name("hunter22", "pw"), ("shop_password".into(), false));
        assert_eq!(secrets.name("hunter23hunter22", "password"), ("shop_password_2".into(), true));
        let found = secrets.find("hunter23hunter22 hunter22");
        assert_eq!(found, [(0..16, "shop_password_2".into()), (17..25, "shop_password".into())]);
        assert_eq!(secrets.hide("x hunter22 ghp_0123456789abcdef0123"), "x … …");
    }

    proptest! {
        #[test]
        fn spans_are_of_the_text(text in "(\\PC|eyJ|\\.|AKIA0123456789abcdef){0,20}") {
            for span in by_looks(&text) {
                prop_assert!(text.get(span).is_some());
            }
        }
    }
}
