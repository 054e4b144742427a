//! What is kept of a failing answer for people.

use crate::parts;
use probe::fuzzing::check;

/// Lines: a secret, a summary; the rest is the body.
pub fn run(data: &[u8]) {
    let (secret, rest) = parts::line(data);
    let (summary, body) = parts::line(rest);
    let kept = check::evidence(&summary, body, std::slice::from_ref(&secret));
    assert!(kept.summary.chars().count() <= 300);
    assert!(!kept.summary.chars().any(char::is_control));
    let excerpt = kept.excerpt.unwrap_or_default();
    assert!(excerpt.len() <= 512);
    assert!(excerpt.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
    // What stands in the place of a secret, or of a character that is left out, could make up another one.
    let odd = |c: char| matches!(c, '[' | ']' | ' ' | '…' | '\u{fffd}') || c.is_control();
    let plain = secret.len() >= 4 && !secret.contains(odd) && !"redacted".contains(&*secret);
    if plain && !body.contains(&b'\r') {
        assert!(!excerpt.contains(&secret) && !kept.summary.contains(&secret), "a secret was kept");
    }
}
