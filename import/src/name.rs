//! Names made out of what is there: ids, words for templates, names of steps. All of them keep within the limits of
//! the configuration.

use crate::text::{Piece, Text};
use std::collections::BTreeSet;

/// The longest name of a value, and what is kept free for an ending that makes it unique.
const LONGEST_WORD: usize = 63;
const ROOM: usize = 8;

/// Words that a template reads as something else.
const TAKEN: [&str; 31] = [
    "run",
    "region",
    "secret",
    "true",
    "false",
    "none",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "for",
    "loop",
    "self",
    "null",
    "super",
    "env",
    "vars",
    "here",
    "vantage",
    "regions",
    "uuid",
    "now",
    "timestamp",
    "timestamp_ms",
    "random_int",
    "random_hex",
    "random_word",
    "item",
];

/// An id of at most `most` bytes: lower-case letters, digits and hyphens.
pub(crate) fn id(text: &str, most: usize) -> String {
    let joined = words(text).join("-");
    let cut: String = joined.chars().take(most).collect();
    let id = cut.trim_matches('-');
    if id.is_empty() { "imported".to_owned() } else { id.to_owned() }
}

/// The id of the service that a host is: its first label that is not `www`.
pub(crate) fn service(host: &str) -> String {
    let address = host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    let label = host.split('.').find(|label| !label.is_empty() && *label != "www");
    if address { "service".to_owned() } else { id(label.unwrap_or("service"), 50) }
}

/// A name for a value: letters, digits and `_`, no digit first, nothing that templates read otherwise.
pub(crate) fn word(text: &str) -> String {
    let mut word: String = words(text).join("_").chars().take(LONGEST_WORD - ROOM).collect();
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || TAKEN.contains(&word.as_str()) {
        word.insert_str(0, "v_");
    }
    word.trim_end_matches('_').to_owned()
}

/// The name itself, or with the first number from 2 that makes it new.
pub(crate) fn unique(name: &str, separator: char, taken: &mut BTreeSet<String>) -> String {
    let mut found = name.to_owned();
    let mut number = 2;
    while !taken.insert(found.clone()) {
        found = format!("{name}{separator}{number}");
        number += 1;
    }
    found
}

/// A step's name: the method and the last telling parts of the path, such as `post-cart-items`.
pub(crate) fn step(method: &str, path: &Text) -> String {
    // A place to fill becomes a character that no word has, so that its part of the path is left out.
    let plain: String = path
        .pieces()
        .iter()
        .map(|piece| if let Piece::Literal(text) = piece { text.as_str() } else { "\u{0}" })
        .collect();
    let plain = plain.split('?').next().unwrap_or_default();
    let telling: Vec<String> = plain.split('/').filter(|part| tells(part)).map(|part| id(part, 24)).collect();
    let last = telling.len().saturating_sub(2);
    let rest = telling.get(last..).unwrap_or_default().join("-");
    format!("{}-{}", method.to_ascii_lowercase(), if rest.is_empty() { "start" } else { &rest })
}

/// Whether a part of a path says what is asked for, rather than which one or which version.
fn tells(part: &str) -> bool {
    let version = part
        .strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let number = digits * 3 > part.len();
    !part.is_empty()
        && !part.contains(['\0', '%'])
        && part != "api"
        && !version
        && !number
        && part.len() <= 40
}

/// The runs of letters and digits of a text in lower case, cut where `camelCase` begins a word.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() || (lower && c.is_ascii_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
        lower = c.is_ascii_lowercase();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_names() {
        assert_eq!(id("Shop & Cart!", 50), "shop-cart");
        assert_eq!(id("ü", 50), "imported");
        assert_eq!(service("www.shop.example.org"), "shop");
        assert_eq!(service("192.0.2.1"), "service");
        assert_eq!(service("localhost"), "localhost");
        assert_eq!(word("accessToken"), "access_token");
        assert_eq!(word("2fa"), "v_2fa");
        assert_eq!(word("run"), "v_run");
        assert_eq!(word(""), "v");
        assert!(word(&"a".repeat(200)).len() < LONGEST_WORD);
    }

    #[test]
    fn names_steps_after_what_they_do() {
        for (path, name) in [
            ("/", "get-start"),
            ("/cart", "get-cart"),
            ("/api/v1/carts/48213/items?x=1", "get-carts-items"),
            ("/orders/0b7c4b0e-5f3b-4c12-9d2e-1f2a3b4c5d6e", "get-orders"),
            ("/a/b/c", "get-b-c"),
        ] {
            assert_eq!(step("GET", &Text::literal(path)), name, "{path}");
        }
        let filled = Text::with("/carts/X/pay", vec![(7..8, Piece::Capture("cart".into()))]);
        assert_eq!(step("POST", &filled), "post-carts-pay");
        let mut taken = BTreeSet::new();
        let names: Vec<_> = (0..3).map(|_| unique("get-cart", '-', &mut taken)).collect();
        assert_eq!(names, ["get-cart", "get-cart-2", "get-cart-3"]);
    }
}
