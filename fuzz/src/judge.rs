//! An answer's body and headers, JSONPath, and what a step captures.

use crate::parts;
use probe::fuzzing::check::Answer;
use std::collections::BTreeMap;
use wire::assignment::{Expect, Source};

/// Lines: a JSONPath, the text that is wanted there, a header's name, its value; the rest is the body.
pub fn run(data: &[u8]) {
    let (path, rest) = parts::line(data);
    let (wanted, rest) = parts::line(rest);
    let (name, rest) = parts::line(rest);
    let (value, body) = parts::line(rest);
    let answer = Answer::new(200, &[(name.as_bytes(), value.as_bytes())], body);
    let json =
        |wanted: &str| Expect { json: [(path.clone(), wanted.to_owned())].into(), ..Expect::default() };
    if let Err((_, why)) = answer.judge(&json(&wanted)) {
        assert!(why.chars().count() < 2000, "a long sentence: {why}");
    }
    let contains = Expect { body_contains: Some(wanted.clone()), ..Expect::default() };
    let found = String::from_utf8_lossy(body).contains(&wanted);
    assert_eq!(answer.judge(&contains).is_ok(), found);
    let wanted = BTreeMap::from([("v".to_owned(), Source::Json(path.clone()))]);
    if let Ok(captured) = answer.capture(&wanted) {
        assert!(captured["v"].len() <= 16 * 1024);
        assert_eq!(answer.judge(&json(&captured["v"])), Ok(()), "what was captured is not there");
    }
    let wanted = BTreeMap::from([("h".to_owned(), Source::Header(name.clone()))]);
    if let Ok(captured) = answer.capture(&wanted) {
        assert_eq!(captured["h"], value);
    }
    let region = answer.served_by(&name);
    assert!(region.is_none_or(|region| region.len() <= 63 && region.bytes().all(|b| b.is_ascii_graphic())));
}
