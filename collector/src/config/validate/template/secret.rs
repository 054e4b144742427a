//! Secrets of the probes in templates: `secret.NAME`.

use crate::config::{near, read};
use std::borrow::Cow;

/// What stands before the name.
pub const WORD: &str = "secret";

/// Whether a template means a secret and nothing else: also one that is misspelled, such as `secrets.key`.
pub fn is_meant(expression: &str) -> bool {
    let (first, rest) = expression.split_once('.').unwrap_or((expression, ""));
    let alone = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    alone && (first == WORD || (!rest.is_empty() && near::nearest(first, [WORD]).is_some()))
}

/// Reads `secret.NAME`.
///
/// # Errors
/// What is wrong with it.
pub fn read(expression: &str) -> Result<(), String> {
    let (first, rest) = expression.split_once('.').unwrap_or((expression, ""));
    if first == WORD && is_name(rest) {
        return Ok(());
    }
    if first != WORD && is_name(rest) {
        return Err(format!("there is no `{expression}` in templates; did you mean `{WORD}.{rest}`?"));
    }
    Err(format!(
        "a secret is written as secret.NAME, its name has 1 to 63 letters, digits, _ and -, and no - at its ends; \
         this is {}",
        read::quote(expression)
    ))
}

/// Whether a text can name a secret of the probes.
pub fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(letter)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// An expression with an empty text in the place of each secret, as probes read it: a hyphen belongs to the name.
pub fn without(expression: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut rest = expression;
    let part_of_a_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    while let Some((before, after)) = rest.split_once("secret.") {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = after.find(|c| !letter(c)).unwrap_or(after.len());
        let name = after[..length].trim_end_matches('-');
        plain += before;
        if is_name(name) && !before.ends_with(part_of_a_word) {
            plain += "''";
            rest = &after[name.len()..];
        } else {
            plain += "secret.";
            rest = after;
        }
    }
    if plain.is_empty() { Cow::Borrowed(expression) } else { Cow::Owned(plain + rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_out_of_expressions() {
        for (whole, plain) in [
            ("secret.shop-key", "''"),
            ("secret.a | upper ~ secret.b", "'' | upper ~ ''"),
            ("mysecret.a", "mysecret.a"),
            ("secret", "secret"),
            ("x == 'y'", "x == 'y'"),
        ] {
            assert_eq!(without(whole), plain);
        }
        assert!(is_meant("secrets.key") && is_meant("secret") && !is_meant("secret.a | upper"));
    }
}
