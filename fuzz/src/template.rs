//! Texts of a journey with captured values in them.

use crate::parts;
use probe::fuzzing::check;
use std::collections::BTreeMap;
use wire::assignment::{Expect, Request};

/// The longest text that may result, bytes.
const TEXT_MOST: usize = 1 << 20;
const BASE: &str = "http://shop.test:8080/api";

/// Lines: a template, a captured value; the rest is a second value. The template stands in every place of a request.
pub fn run(data: &[u8]) {
    let (template, rest) = parts::line(data);
    let (one, two) = parts::line(rest);
    let two = String::from_utf8_lossy(two).into_owned();
    let values = BTreeMap::from([("a".to_owned(), one.clone()), ("b".to_owned(), two.clone())]);
    let request = |path: &str, text: &str| Request {
        method: "POST".into(),
        path: path.to_owned(),
        headers: [("x-text".to_owned(), text.to_owned())].into(),
        body: Some(text.to_owned()),
        expect: Expect { body_contains: Some(text.to_owned()), ..Expect::default() },
        ..Request::default()
    };
    match check::fill(&request(&template, &template), values.clone()) {
        Ok(filled) => {
            let body = filled.body.as_ref().expect("a body stays one");
            assert!(body.len() <= TEXT_MOST.max(template.len()), "a long text");
            if !template.contains('{') {
                assert_eq!(*body, template, "a text without templates changed");
            }
            sent(&filled);
        }
        Err((_, why)) => assert!(why.chars().count() < 4 * template.len() + 2000, "a long sentence: {why}"),
    }
    // Whatever a value holds, it comes out as it is, and as JSON where that is asked for.
    let plain = check::fill(&request("/{{ a }}?b={{b}}", "{{ a }}|{{ b }}"), values.clone());
    let plain = plain.expect("values are filled in");
    assert_eq!(plain.path, format!("/{one}?b={two}"));
    assert_eq!(plain.body.as_deref(), Some(&*format!("{one}|{two}")));
    sent(&plain);
    let json = check::fill(&request("/", r#"{"a":{{ a | tojson }}}"#), values).expect("values are filled in");
    let body: BTreeMap<String, String> =
        serde_json::from_str(json.body.as_deref().unwrap_or_default()).expect("it is JSON");
    assert_eq!(body["a"], one, "a value did not survive JSON");
}

/// Whatever the values are, the request goes to the endpoint, and begins no header of its own.
fn sent(filled: &Request) {
    let Ok((url, headers)) = check::prepare(filled, BASE) else { return };
    assert_eq!((url.host_str(), url.port(), url.scheme()), (Some("shop.test"), Some(8080), "http"));
    assert_eq!(url.fragment(), None, "a part of the path is not sent");
    for value in headers.values() {
        assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
}
