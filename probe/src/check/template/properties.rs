//! What holds for every text and every value.

use super::{MAX_TEXT, tests::templates};
use crate::check::tests::trace_run;
use proptest::prelude::*;

/// Fills a text in, with `a` and `b` captured.
fn fill(text: &str, a: &str, b: &str) -> Result<String, String> {
    let mut templates = templates(&trace_run());
    templates.keep("a", a);
    templates.keep("b", b);
    let mut text = text.to_owned();
    templates.render("body", &mut text).map(|()| text).map_err(|fault| fault.fault().summary)
}

/// Any text, or one of pieces that mean something to templates.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[{}%# a-z|\"'\\\\\r\n\t\u{0}<>&-]{0,80}"]
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{ a }}".to_owned()),
        Just("{% for x in range(9999) %}".to_owned()),
        Just("{% endfor %}".to_owned()),
        Just("{% if a %}".to_owned()),
        Just("{% endif %}".to_owned()),
        "[{}%#|~()\\[\\]a-z0-9'\"., -]{1,12}",
        "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn templates_are_noticed_wherever_they_may_stand() {
    use wire::assignment::{Content, Expect, Request};
    let text = || "a {{ b }}".to_owned();
    let pair = || vec![("name".to_owned(), text())];
    let body_contains = Expect { body_contains: Some(text()), ..Expect::default() };
    let json = Expect { json: [("$.a".to_owned(), text())].into(), ..Expect::default() };
    let plain = Request::default();
    for request in [
        Request { path: text(), ..plain.clone() },
        Request { query: pair(), ..plain.clone() },
        Request { headers: pair().into_iter().collect(), ..plain.clone() },
        Request { body: Some(text()), ..plain.clone() },
        Request { content: Content::Form(pair()), ..plain.clone() },
        Request { expect: body_contains, ..plain.clone() },
        Request { expect: json, ..plain.clone() },
    ] {
        assert!(super::are_in(&request), "{request:?}");
    }
    assert!(!super::are_in(&plain));
}

proptest! {
    /// A value is never read as a template, escaped or trimmed, whatever stands around it.
    #[test]
    fn every_value_comes_out_as_it_is(a in value(), b in value(), around in "[a-z\n /]{0,20}") {
        prop_assert_eq!(fill("{{ a }}", &a, &b), Ok(a.clone()));
        let text = format!("{around}{{{{ a }}}}{around}{{{{b}}}}{around}");
        prop_assert_eq!(fill(&text, &a, &b), Ok(format!("{around}{a}{around}{b}{around}")));
    }

    /// As JSON it is a string that holds the value, so it can neither end the string nor begin another field.
    #[test]
    fn every_value_survives_json(a in value(), b in value()) {
        let filled = fill(r#"{"a": {{ a | tojson }}, "b": [{{ b | tojson }}]}"#, &a, &b).expect("a good template");
        let read: serde_json::Value = serde_json::from_str(&filled).expect("it is JSON");
        prop_assert_eq!(read, serde_json::json!({ "a": a, "b": [b] }));
    }

    /// Any template ends, in a text of bounded length or in a sentence.
    #[test]
    fn every_text_ends(text in text(), a in value()) {
        match fill(&text, &a, "b") {
            Ok(filled) => prop_assert!(filled.len() <= MAX_TEXT.max(text.len())),
            Err(why) => prop_assert!(why.starts_with("the template in the body failed: "), "{why}"),
        }
    }

    /// A text without braces is left as it is, byte by byte.
    #[test]
    fn a_text_without_templates_is_left_alone(text in "[^{]{0,200}") {
        prop_assert_eq!(fill(&text, "x", "y"), Ok(text));
    }
}
