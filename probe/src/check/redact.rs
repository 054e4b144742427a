//! Taking secrets out of foreign texts, in every spelling in which a server may hand them back.
//!
//! A server that echoes a request writes it in its own way: inside JSON, in a link, in a page, as base64. What is
//! kept of an answer is also cut, so that the beginning of a secret may stand alone at the end of a text.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Shorter values are no secrets, and replacing them would garble every text.
const LEAST: usize = 4;
const REDACTED: &str = "[redacted]";
/// What [`super::words`] puts where it cut.
const CUT: char = '…';

/// The text without the secrets.
pub(super) fn redact(text: &str, secrets: &[String]) -> String {
    Redactor::new(secrets).redact(text)
}

/// Secrets in their spellings, for several texts.
pub(super) struct Redactor {
    spelled: Vec<String>,
}

impl Redactor {
    pub(super) fn new(secrets: &[String]) -> Redactor {
        Redactor { spelled: spellings(secrets) }
    }

    /// The text without the secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.spelled.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let longest = self.spelled.iter().filter_map(|secret| begins_with(rest, secret)).max();
            match longest {
                Some(length) => {
                    out.push_str(REDACTED);
                    rest = &rest[length..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    }
}

/// The secrets, and each as base64 has it, alone and inside something longer (`user:secret`).
fn spellings(secrets: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for secret in secrets.iter().filter(|secret| secret.len() >= LEAST) {
        all.push(secret.clone());
        // A text inside a text: each of these is looked for in every coding again.
        all.extend(written(secret));
        // A text of several lines may come back with other line ends, or only in part.
        all.extend(
            secret.lines().filter(|line| line.len() >= 2 * LEAST && *line != secret).map(str::to_owned),
        );
        // Three bytes make four digits, so what stands before decides which of three ways a secret looks. The
        // digits at the ends also hold bits of its neighbours.
        for before in 0..3 {
            let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
            let head = (before * 8).div_ceil(6);
            let whole = (padded.len() * 8) / 6;
            for digits in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                let parts = [digits.get(head..whole), digits.get(head..)];
                all.extend(
                    parts.into_iter().flatten().filter(|part| part.len() >= 2 * LEAST).map(str::to_owned),
                );
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// How JSON, links, forms and pages write a secret, where they write it differently.
fn written(secret: &str) -> impl Iterator<Item = String> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let slashed = json.replace('/', "\\/");
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = crate::check::content::percent(secret);
    let page = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    [json, slashed, form, percent, page].into_iter().filter(move |other| other != secret)
}

/// How a text may write characters.
#[derive(Clone, Copy)]
enum Coding {
    Plain,
    /// `%2F`, and `+` for a space.
    Percent,
    /// `\"`, `\n`, `\u0041`.
    Backslash,
    /// `&amp;`, `&#39;`, `&#x27;`.
    Entity,
}

/// How many bytes at the beginning of `text` are the secret, in any coding; also when the text is cut in the middle
/// of it.
fn begins_with(text: &str, secret: &str) -> Option<usize> {
    [Coding::Plain, Coding::Percent, Coding::Backslash, Coding::Entity]
        .into_iter()
        .filter_map(|coding| matches(text, secret, coding))
        .max()
}

fn matches(text: &str, secret: &str, coding: Coding) -> Option<usize> {
    let mut wanted = secret.as_bytes();
    let mut at = 0;
    while let Some(first) = wanted.first() {
        let rest = &text[at..];
        if rest.is_empty() || rest.starts_with(CUT) {
            return (secret.len() - wanted.len() >= LEAST).then_some(at);
        }
        if let Some((length, left)) = unit(rest, wanted, coding) {
            at += length;
            wanted = left;
        } else if *first == b'\r' {
            // Left out of excerpts.
            wanted = &wanted[1..];
        } else {
            return None;
        }
    }
    Some(at)
}

/// Takes one unit of the text off what is wanted: its length, and what is left.
fn unit<'w>(text: &str, wanted: &'w [u8], coding: Coding) -> Option<(usize, &'w [u8])> {
    let bytes = text.as_bytes();
    let (first, one) = (wanted[0], &wanted[1..]);
    match (coding, bytes[0]) {
        (Coding::Percent, b'%') => {
            if let Some(byte) = bytes.get(1..3).and_then(hex) {
                return (byte == u32::from(first)).then_some((3, one));
            }
        }
        (Coding::Percent, b'+') if first == b' ' => return Some((1, one)),
        (Coding::Backslash, b'\\') => {
            let (c, length) = backslash(bytes)?;
            return char_off(c, wanted).map(|left| (length, left));
        }
        (Coding::Entity, b'&') => {
            if let Some((c, length)) = entity(text) {
                return char_off(c, wanted).map(|left| (length, left));
            }
        }
        _ => {}
    }
    let c = text.chars().next()?;
    if first.is_ascii_control() && (c == ' ' || c == char::REPLACEMENT_CHARACTER) {
        return Some((c.len_utf8(), one));
    }
    char_off(c, wanted).map(|left| (c.len_utf8(), left))
}

fn char_off(c: char, wanted: &[u8]) -> Option<&[u8]> {
    wanted.strip_prefix(c.encode_utf8(&mut [0; 4]).as_bytes())
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

fn backslash(bytes: &[u8]) -> Option<(char, usize)> {
    let plain = match bytes.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return Some((char::from_u32(hex(bytes.get(2..6)?)?)?, 6)),
        other if other.is_ascii_punctuation() => char::from(*other),
        _ => return None,
    };
    Some((plain, 2))
}

fn entity(text: &str) -> Option<(char, usize)> {
    let name = text.get(1..)?.split_once(';')?.0;
    if name.len() > 8 {
        return None;
    }
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| hex(digits.as_bytes()));
            char::from_u32(hexadecimal.unwrap_or_else(|| number.parse().ok())?)?
        }
    };
    Some((c, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn without(text: &str, secret: &str) -> String {
        redact(text, &[secret.to_owned()])
    }

    #[test]
    fn every_spelling_is_found() {
        let secret = "s3cr\"t/pä&ss <w>+x";
        for echo in [
            secret.to_owned(),
            serde_json::to_string(secret).expect("a text"),
            r#"s3cr\"t\/p\u00e4&ss <w>+x"#.to_owned(),
            "s3cr%22t%2fp%c3%a4%26ss%20%3Cw%3E%2Bx".to_owned(),
            "s3cr%22t/p%C3%A4&ss+%3Cw%3E%2Bx".to_owned(),
            "s3cr&quot;t/pä&amp;ss &lt;w&gt;+x".to_owned(),
            "s3cr&#34;t/pä&#x26;ss &lt;w&gt;+x".to_owned(),
        ] {
            let said = without(&format!("you sent [{echo}], thanks"), secret);
            let left = said.replace(REDACTED, "");
            assert!(said.contains(REDACTED), "{echo}: {said}");
            assert!(!left.contains("s3cr") && !left.contains("ss"), "{echo}: {said}");
        }
    }

    #[test]
    fn base64_is_found_alone_and_inside() {
        let secret = "correct-horse";
        for around in ["", "u:", "us:", "user:", "service:"] {
            let basic = STANDARD.encode(format!("{around}{secret}"));
            let said = without(&format!("Basic {basic}"), secret);
            assert!(said.contains(REDACTED), "{basic}: {said}");
            let least = &basic[(around.len() * 8).div_ceil(6)..][..12];
            assert!(!said.contains(least), "{basic}: {said}");
        }
        let said = without(&URL_SAFE_NO_PAD.encode("??>>~~ÿÿ"), "??>>~~ÿÿ");
        assert_eq!(said, REDACTED);
    }

    #[test]
    fn what_was_cut_is_found_at_the_cut() {
        let secret = "kkkk-1234-5678";
        assert_eq!(without("key: kkkk-1234-5", secret), "key: [redacted]");
        assert_eq!(without("saw \"kkkk-12…\", wanted x", secret), "saw \"[redacted]…\", wanted x");
        assert_eq!(without("kkkk-12 is not it, nor kkk", secret), "kkkk-12 is not it, nor kkk");
        assert_eq!(without("one line two\u{fffd}lines", "line two\u{1b}lines"), "one [redacted]");
        assert_eq!(without("a\nbcd", "a\r\nbcd"), REDACTED);
    }

    #[test]
    fn one_secret_inside_another_leaves_nothing() {
        let secrets = ["abcd".to_owned(), "abcdefgh".to_owned(), "xyz".to_owned()];
        assert_eq!(redact("abcdefgh abcd xyz", &secrets), "[redacted] [redacted] xyz");
        assert_eq!(redact("", &secrets), "");
    }

    proptest! {
        #[test]
        fn no_secret_survives_whatever_stands_around_it(
            secret in "[^\\[\\]\u{0}-\u{1f}]{4,12}", before in ".{0,12}", after in ".{0,12}", cut in 0_usize..40,
        ) {
            prop_assume!(!REDACTED.contains(&secret));
            let text = format!("{before}{secret}{after}");
            prop_assert!(!without(&text, &secret).contains(&secret));
            // Cut anywhere, also in the middle of an escape, it never panics.
            let json = serde_json::to_string(&text).expect("a text");
            let said = without(&json[..json.floor_char_boundary(cut)], &secret);
            prop_assert!(!said.contains(&secret));
        }
    }

    #[test]
    fn odd_texts_do_no_harm() {
        for text in ["%", "%4", "\\", "\\u00", "&", "&#;", "&#x;", "&#99999999;", "%ä", "\\ä", "&ä;"] {
            assert_eq!(without(text, "secret"), text);
        }
    }
}
