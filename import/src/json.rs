//! Where the plain values of a JSON text stand, so that they can be replaced without touching the rest of it.

use serde_json::Value;
use std::ops::Range;

/// A text or number in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The nearest name above it.
    pub(crate) key: String,
    /// The names above that one.
    pub(crate) within: Vec<String>,
    /// As JSON means it.
    pub(crate) value: String,
    /// Where it stands; for a text without its quotes.
    pub(crate) span: Range<usize>,
}

/// The texts and numbers of a JSON text in order; nothing when it is no JSON.
pub(crate) fn leaves(text: &str) -> Option<Vec<Leaf>> {
    let value: Value = serde_json::from_str(text).ok()?;
    if !value.is_object() && !value.is_array() {
        return None;
    }
    Some(scan(text))
}

/// Goes through a text that is known to be JSON.
fn scan(text: &str) -> Vec<Leaf> {
    let bytes = text.as_bytes();
    let mut leaves = Vec::new();
    // For each open object or array: whether it is an object, and the name that was read last.
    let mut open: Vec<(bool, String)> = Vec::new();
    let mut at = 0;
    let mut value_next = true;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => {
                let name = open.last().map(|(_, name)| name.clone()).unwrap_or_default();
                open.push((byte == b'{', name));
                value_next = byte == b'[';
            }
            b'}' | b']' => _ = open.pop(),
            b':' => value_next = true,
            b',' => value_next = open.last().is_some_and(|(object, _)| !object),
            b'"' => {
                while let Some(&byte) = bytes.get(at) {
                    at += if byte == b'\\' { 2 } else { 1 };
                    if byte == b'"' {
                        break;
                    }
                }
                let quoted = text.get(start..at).unwrap_or_default();
                let value: String = serde_json::from_str(quoted).unwrap_or_default();
                if value_next {
                    let span = start + 1..at.saturating_sub(1);
                    leaves.push(leaf(&open, value, span));
                } else if let Some((_, name)) = open.last_mut() {
                    *name = value;
                }
            }
            b'-' | b'0'..=b'9' => {
                let number = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
                while bytes.get(at).is_some_and(number) {
                    at += 1;
                }
                let value = text.get(start..at).unwrap_or_default().to_owned();
                leaves.push(leaf(&open, value, start..at));
            }
            _ => {}
        }
    }
    leaves
}

fn leaf(open: &[(bool, String)], value: String, span: Range<usize>) -> Leaf {
    let mut within: Vec<String> = open.iter().map(|(_, name)| name.clone()).collect();
    let key = within.pop().unwrap_or_default();
    Leaf { key, within, value, span }
}

/// A value of an answer and the JSONPath (RFC 9535) that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    /// The names on the way, without numbers.
    pub(crate) names: Vec<String>,
    pub(crate) value: String,
}

/// The longest path the configuration takes, bytes.
const LONGEST_PATH: usize = 1024;

/// The texts and whole numbers of a JSON text with their paths, at most `most` of them.
pub(crate) fn paths(text: &str, most: usize) -> Vec<Found> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        walk(&value, "$".to_owned(), &mut Vec::new(), most, &mut found);
    }
    found
}

fn walk(value: &Value, path: String, names: &mut Vec<String>, most: usize, found: &mut Vec<Found>) {
    if found.len() >= most || path.len() > LONGEST_PATH {
        return;
    }
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                if name.chars().any(|c| c.is_control() || c == '{') {
                    continue;
                }
                names.push(name.clone());
                walk(value, format!("{path}{}", selector(name)), names, most, found);
                names.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, format!("{path}[{index}]"), names, most, found);
            }
        }
        Value::String(text) => found.push(Found { path, names: names.clone(), value: text.clone() }),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            found.push(Found { path, names: names.clone(), value: number.to_string() });
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// `.name`, or `['na me']` when the short form does not take it (RFC 9535, 2.5.1.1).
fn selector(name: &str) -> String {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let short = !name.is_empty()
        && name.bytes().enumerate().all(|(index, b)| letter(b) || (index > 0 && b.is_ascii_digit()));
    if short {
        format!(".{name}")
    } else {
        format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_where_values_stand() {
        let text = r#"{"a": "x\"y", "b": [1, {"c\n": -2.5e3}, "z"], "d": {"e": true, "f": "ü"}}"#;
        let leaves = leaves(text).expect("JSON");
        let seen: Vec<_> =
            leaves.iter().map(|l| (l.key.as_str(), l.value.as_str(), &text[l.span.clone()])).collect();
        assert_eq!(
            seen,
            [
                ("a", "x\"y", "x\\\"y"),
                ("b", "1", "1"),
                ("c\n", "-2.5e3", "-2.5e3"),
                ("b", "z", "z"),
                ("f", "ü", "ü")
            ]
        );
        let deep = super::leaves(r#"{"a": [{"b": {"c": 1}}]}"#).expect("JSON");
        assert_eq!(deep.first().map(|leaf| leaf.within.join(".")), Some("a.a.b".to_owned()));
        assert_eq!(super::leaves("\"x\""), None);
        assert_eq!(super::leaves("{"), None);
    }

    #[test]
    fn writes_paths() {
        let found = paths(r#"{"a":{"b c":["x",7]},"it's":"y","n":1.5,"t":true}"#, 10);
        let seen: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.value.as_str())).collect();
        assert_eq!(seen, [("$.a['b c'][0]", "x"), ("$.a['b c'][1]", "7"), ("$['it\\'s']", "y")]);
        assert_eq!(paths("[1,2,3]", 2).len(), 2);
    }

    proptest! {
        #[test]
        fn spans_hold_their_values(texts in proptest::collection::vec(any::<String>(), 0..6)) {
            let text = serde_json::json!({ "k": texts, "n": { "o": texts } }).to_string();
            let leaves = leaves(&text).expect("JSON");
            prop_assert_eq!(leaves.len(), texts.len() * 2);
            for (leaf, value) in leaves.iter().zip(texts.iter().chain(&texts)) {
                prop_assert_eq!(&leaf.value, value);
                let quoted = format!("\"{}\"", &text[leaf.span.clone()]);
                prop_assert_eq!(&serde_json::from_str::<String>(&quoted).expect("a text"), value);
            }
        }

        #[test]
        fn anything_is_read(text in any::<String>()) {
            let _ = leaves(&text);
            let _ = paths(&text, 100);
        }
    }
}
