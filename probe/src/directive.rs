//! Reads a line of the stream. A collector may be newer than this probe: what it adds must cost no more than it has to.
//!
//! Fields that are not known are passed over, as JSON readers do. A check whose *kind* is not known becomes
//! [`CheckKind::Unknown`], which is reported as unsupported; the other checks of its assignment are applied.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor, value},
    forward_to_deserialize_any,
};
use serde_json::{Value, json};
use wire::assignment::{CheckKind, Directive};

/// Reads one line.
///
/// # Errors
/// When it is not a directive, or an assignment is wrong beyond checks of kinds that are not known here.
pub fn read(line: &[u8]) -> Result<Directive, serde_json::Error> {
    serde_json::from_slice(line).or_else(|error| {
        let Ok(mut value) = serde_json::from_slice(line) else { return Err(error) };
        if replace_unknown(&mut value) { serde_json::from_value(value) } else { Err(error) }
    })
}

/// Replaces the kinds that are not known here; whether there were any.
fn replace_unknown(directive: &mut Value) -> bool {
    let known = known_kinds();
    let checks = directive.pointer_mut("/assignment/checks").and_then(Value::as_array_mut);
    let mut found = false;
    for kind in checks.into_iter().flatten().filter_map(|check| check.get_mut("kind")) {
        // A kind is an object with its name as the only key, or the name alone.
        let name = match &*kind {
            Value::Object(object) if object.len() == 1 => object.keys().next(),
            Value::String(name) => Some(name),
            _ => None,
        };
        if let Some(name) = name.filter(|name| !known.contains(&name.as_str())) {
            *kind = json!({ "unknown": name });
            found = true;
        }
    }
    found
}

/// The names of all kinds, as the type itself tells them, so that no list can fall behind.
fn known_kinds() -> &'static [&'static str] {
    struct Names<'n>(&'n mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_unit()
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _name: &'static str,
            variants: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, value::Error> {
            *self.0 = variants;
            Err(value::Error::custom("the names are all that is wanted"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // Always the error above.
    let _ = CheckKind::deserialize(Names(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use wire::assignment::Assignment;

    fn line(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let checks = ["old", "new"].map(|id| testing::check(id, 1_000_000, "http://127.0.0.1:1/"));
        let directive = Directive::Assignment(testing::assignment(checks.to_vec()));
        let mut value = serde_json::to_value(directive).expect("JSON");
        change(&mut value);
        serde_json::to_vec(&value).expect("JSON")
    }

    fn assignment(line: &[u8]) -> Assignment {
        match read(line).expect("it is read") {
            Directive::Assignment(assignment) => assignment,
            other => panic!("not an assignment: {other:?}"),
        }
    }

    #[test]
    fn every_kind_is_known_by_its_name() {
        for name in ["http", "tcp", "web_socket", "journey", "unknown"] {
            assert!(known_kinds().contains(&name), "{name}");
        }
    }

    #[test]
    fn a_kind_of_the_future_costs_its_check_only() {
        for kind in [json!({ "quic": { "port": 443 } }), json!("quic")] {
            let text = line(|value| value["assignment"]["checks"][1]["kind"] = kind);
            let read = assignment(&text);
            assert!(matches!(read.checks[0].kind, CheckKind::Http(_)));
            assert_eq!(read.checks[1].kind, CheckKind::Unknown("quic".into()));
        }
    }

    #[test]
    fn a_known_kind_that_is_wrong_is_an_error() {
        assert!(
            read(&line(|value| value["assignment"]["checks"][1]["kind"] = json!({ "http": {} }))).is_err()
        );
        let both = |value: &mut Value| {
            value["assignment"]["checks"][0]["kind"] = json!({ "quic": {} });
            value["assignment"]["checks"][1]["interval_us"] = json!("often");
        };
        assert!(read(&line(both)).is_err());
        assert!(read(b"{ torn").is_err());
        assert!(read(b"[]").is_err());
    }
}
