//! The document as a tree of nodes that know where they stand.
//!
//! Deserialising straight into structs would stop at the first wrong type. A tree never does: whatever is
//! well-formed YAML becomes nodes, and the readers in [`super::read`] then find every problem in one pass.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;
use std::fmt;

/// The largest document accepted, bytes. A thousand checks with long journeys take about a tenth of it.
pub const MAX_BYTES: usize = 4 << 20;

/// How deep values may nest, aliases expanded.
const MAX_DEPTH: usize = 48;

/// How many values a document may hold, aliases expanded. What stops an alias bomb.
const MAX_NODES: usize = 100_000;

/// Where something stands in the text, both counted in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// The beginning of the document.
pub const START: Position = Position { line: 1, column: 1 };

/// A value and where it was written; for an alias, where the anchor's value was.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    pub at: Position,
}

/// What YAML 1.2 makes of a node: `on` and `yes` are texts.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text, with duplicates.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// A document that is no well-formed YAML, or exceeds the limits.
#[derive(Debug)]
pub struct Malformed {
    pub at: Position,
    pub message: String,
}

/// Reads a text into nodes.
pub fn read(text: &str) -> Result<Node, Malformed> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: 2_000,
            max_anchors: 200,
            max_recorded_anchor_events: MAX_NODES / 2,
            max_documents: 1,
        },
        // The tree keeps both, so that every duplicate is reported and not only the first.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // A reader who expects a number says so with a path; the library would stop here.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Located>(text, options).map(|located| located.0).map_err(malformed)
}

/// Says in our words what the library says in its own, without the place, which stands before it anyway.
fn malformed(error: serde_saphyr::Error) -> Malformed {
    let at = error.location().map_or(START, position);
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(" at line ").next().unwrap_or(text);
    // By text, because an error inside an alias arrives wrapped, as text, in another.
    let message = if text.contains("Documents") || text.contains("multiple YAML documents") {
        "the file must hold one document: remove what begins here".to_owned()
    } else if ["budget breached", "alias replay", "alias expansion", "recursion limit"]
        .iter()
        .any(|t| text.contains(t))
    {
        format!("too large: at most {MAX_NODES} values, nested {MAX_DEPTH} deep, with aliases expanded")
    } else if text.contains("weak recursion") {
        "this value contains itself".to_owned()
    } else {
        format!("not well-formed YAML: {text}")
    };
    Malformed { at, message }
}

fn position(location: serde_saphyr::Location) -> Position {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    Position { line: whole(location.line()), column: whole(location.column()) }
}

/// A node on its way out of the deserialiser.
struct Located(Node);

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Located(Node { value: spanned.value, at: position(spanned.defined) }))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Beyond i64 no field has use for the exact number.
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Located(node)) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Located(key), Located(value))) = map.next_entry()? {
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn message(text: &str) -> (usize, usize, String) {
        let malformed = read(text).expect_err("refused");
        (malformed.at.line, malformed.at.column, malformed.message)
    }

    fn shape(node: &Node) -> String {
        match &node.value {
            Value::List(list) => list.iter().map(shape).collect::<Vec<_>>().join(" "),
            Value::Map(map) => {
                map.iter().map(|(k, v)| format!("{}={}", shape(k), shape(v))).collect::<Vec<_>>().join(" ")
            }
            scalar => format!("{scalar:?}"),
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let text = "[yes, on, 0755, 12, -1, 1.5, 1e3, ~, null, true, \"5\", 2s, 5%, .nan, 99999999999999999999999999]";
        assert_eq!(
            shape(&read(text).expect("parses")),
            "Text(\"yes\") Text(\"on\") Float(755.0) Int(12) Int(-1) Float(1.5) Float(1000.0) Null Null Bool(true) \
             Text(\"5\") Text(\"2s\") Text(\"5%\") Text(\".nan\") Float(1e26)"
        );
    }

    #[test]
    fn syntax_errors_have_a_place_and_no_jargon() {
        assert_eq!(message("a: [1\n"), (1, 4, "not well-formed YAML: unclosed bracket '['".into()));
        assert_eq!(message("a: *x\n").2, "not well-formed YAML: alias references unknown anchor");
        assert_eq!(message("a: 1\n---\nb: 2\n").0, 2);
        assert!(message("a: 1\n---\nb: 2\n").2.contains("one document"));
        assert!(message("a: &a [*a]\n").2.contains("contains itself"));
        assert!(message("a: !secret b\n").2.contains("tag"));
    }

    #[test]
    fn merge_keys_fill_in_what_is_not_written() {
        let text = "d: &d {p: 1, q: 2}\ne: &e {p: 3, r: 4}\nc: {<<: [*d, *e], q: 9}\n";
        assert!(shape(&read(text).expect("parses")).contains("Text(\"c\")=Text(\"q\")=Int(9) "));
        let Value::Map(map) = read(text).expect("parses").value else { panic!("a mapping") };
        let Value::Map(merged) = &map[2].1.value else { panic!("a mapping") };
        assert_eq!(merged.len(), 3, "no key twice: {merged:?}");
    }

    #[test]
    fn bombs_are_refused_quickly() {
        let level =
            |name: char, of: char| format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", "));
        let mut aliases = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for pair in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].windows(2) {
            aliases += &level(pair[1], pair[0]);
        }
        let mut merges = "a0: &a0 {x: 1}\n".to_owned();
        for i in 1..100 {
            let last = i - 1;
            merges += &format!("a{i}: &a{i} {{<<: [*a{last}, *a{last}, *a{last}, *a{last}], k{i}: 2}}\n");
        }
        for bomb in [aliases, merges, "[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
            let start = Instant::now();
            let message = message(&bomb).2;
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            assert!(message.contains("too "), "{message}");
        }
    }
}
