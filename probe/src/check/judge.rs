//! Is the answer what was expected, and which values are to be kept of it?

use super::{MAX_BODY, fault::Fault, record::Record, words};
use serde_json::Value;
use serde_json_path::JsonPath;
use std::collections::BTreeMap;
use wire::{
    assignment::{Capture, Expect},
    sample::FailClass,
};

/// The longest captured value, bytes: it goes into every later request that uses it.
const MAX_CAPTURE: usize = 16 * 1024;
/// The longest JSONPath, bytes: its parser takes time and stack that grow with the nesting.
const MAX_PATH: usize = 512;

/// Compares an answer with the expectations: status, then text, then JSON; the first that does not hold counts.
pub(super) fn judge(expect: &Expect, record: &Record) -> Result<(), Fault> {
    status(&expect.status, record)?;
    if let Some(text) = &expect.body_contains {
        contains(text, record)?;
    }
    if expect.json.is_empty() {
        return Ok(());
    }
    let paths: Vec<_> = expect
        .json
        .iter()
        .map(|(path, want)| Ok((path, parse(path)?, want)))
        .collect::<Result<_, Fault>>()?;
    let body = json(record)?;
    for (written, path, want) in paths {
        match first(&path, &body) {
            Some(seen) if seen == *want => {}
            Some(seen) => {
                let (want, seen) = (words::quote(want), words::quote(&seen));
                return Err(Fault::assertion(format!(
                    "expected {} to be {want}, saw {seen}",
                    words::line(written, 80)
                )));
            }
            None => {
                let (path, want) = (words::line(written, 80), words::quote(want));
                return Err(Fault::assertion(format!(
                    "expected {path} to be {want}, the body has no such value"
                )));
            }
        }
    }
    Ok(())
}

/// The values that a journey's step keeps.
pub(super) fn capture(
    wanted: &BTreeMap<String, Capture>,
    record: &Record,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut body = None;
    let mut values = BTreeMap::new();
    for (name, from) in wanted {
        let value = match from {
            Capture::Header(header) => record.header(header),
            Capture::Json(written) => {
                let path = parse(written)?;
                if body.is_none() {
                    body = Some(json(record)?);
                }
                body.as_ref().and_then(|body| first(&path, body))
            }
        };
        let place = match from {
            Capture::Header(header) => format!("header {}", words::line(header, 80)),
            Capture::Json(path) => words::line(path, 80),
        };
        let value = value.ok_or_else(|| {
            Fault::assertion(format!("nothing to capture as `{name}`: the answer has no {place}"))
        })?;
        if value.len() > MAX_CAPTURE {
            return Err(Fault::assertion(format!("the value to capture as `{name}` is longer than 16 KiB")));
        }
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn status(accepted: &[u16], record: &Record) -> Result<(), Fault> {
    let seen = record.status.unwrap_or_default();
    let good = if accepted.is_empty() { (200..=399).contains(&seen) } else { accepted.contains(&seen) };
    if good {
        return Ok(());
    }
    let expected = match accepted {
        [] => "200 to 399".to_owned(),
        some => some.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
    };
    let reason = http::StatusCode::from_u16(seen).ok().and_then(|code| code.canonical_reason());
    let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    let expected = words::line(&expected, 120);
    Err(Fault::new(FailClass::Status, format!("expected status {expected}, saw {seen}{reason}")))
}

fn contains(text: &str, record: &Record) -> Result<(), Fault> {
    let body = &record.body;
    // The search in `str` is linear in both texts, whatever a server may send.
    if String::from_utf8_lossy(body).contains(text) {
        return Ok(());
    }
    let text = words::quote(text);
    Err(Fault::assertion(if record.truncated {
        format!(
            "expected the body to contain {text}: not in its first {MAX_BODY} bytes, the rest was not read"
        )
    } else {
        format!("expected the body to contain {text}, it does not ({} bytes)", body.len())
    }))
}

fn json(record: &Record) -> Result<Value, Fault> {
    if record.truncated {
        return Err(Fault::assertion(format!("expected a JSON body, it is longer than {MAX_BODY} bytes")));
    }
    serde_json::from_slice(&record.body)
        .map_err(|error| Fault::assertion(format!("expected a JSON body, it is not one: {error}")))
}

fn parse(path: &str) -> Result<JsonPath, Fault> {
    let bad = |why: &str| Fault::request(format!("{} is not a JSONPath: {why}", words::quote(path)));
    if path.len() > MAX_PATH {
        return Err(bad("it is longer than 512 bytes"));
    }
    JsonPath::parse(path).map_err(|error| bad(&error.to_string()))
}

/// The first match as text: strings as they are, anything else as JSON prints it.
fn first(path: &JsonPath, body: &Value) -> Option<String> {
    Some(match path.query(body).first()? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: u16, body: &str) -> Record {
        Record { status: Some(status), body: body.into(), ..Record::default() }
    }

    fn fault(expect: &Expect, record: &Record) -> String {
        let fault = judge(expect, record).expect_err("must not hold");
        format!("{}: {}", fault.class, fault.summary)
    }

    #[test]
    fn no_expectations_accept_success_and_redirects() {
        let none = Expect::default();
        for (code, good) in [(199, false), (200, true), (302, true), (399, true), (400, false), (503, false)]
        {
            assert_eq!(judge(&none, &record(code, "")).is_ok(), good, "{code}");
        }
        assert_eq!(
            fault(&none, &record(503, "")),
            "status: expected status 200 to 399, saw 503 Service Unavailable"
        );
        let some = Expect { status: vec![200, 204], ..Expect::default() };
        assert_eq!(fault(&some, &record(404, "")), "status: expected status 200 or 204, saw 404 Not Found");
    }

    #[test]
    fn text_and_json_are_compared() {
        let text = Expect { body_contains: Some("bc".into()), ..Expect::default() };
        assert!(judge(&text, &record(200, "abcd")).is_ok());
        assert_eq!(
            fault(&text, &record(200, "ab")),
            "assertion: expected the body to contain \"bc\", it does not (2 bytes)"
        );
        let with = |path: &str, want: &str| Expect {
            json: [(path.to_owned(), want.to_owned())].into(),
            ..Expect::default()
        };
        let body = record(200, r#"{"a":[{"b":"x"},{"b":2.5}],"t":true,"n":null}"#);
        for (path, want) in
            [("$.a[0].b", "x"), ("$..b", "x"), ("$.a[1].b", "2.5"), ("$.t", "true"), ("$.n", "null")]
        {
            assert!(judge(&with(path, want), &body).is_ok(), "{path}");
        }
        assert_eq!(
            fault(&with("$.t", "false"), &body),
            "assertion: expected $.t to be \"false\", saw \"true\""
        );
        assert!(fault(&with("$.z", "1"), &body).contains("no such value"));
        assert!(fault(&with("$.z", "1"), &record(200, "<p>")).starts_with("assertion: expected a JSON body"));
        assert!(fault(&with("$[", "1"), &record(200, "<p>")).starts_with("request: "));
        assert!(fault(&with(&"$[".repeat(9_999), "1"), &body).starts_with("request: "));
        // Parsing stays quick however a path is nested.
        for nested in [
            "$[?(((((((((((((((((((((((((((((((1",
            "$[?!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(@.a",
            "$[?a(a(a(a(a(a(a(a(a(a(a(",
        ] {
            assert!(fault(&with(nested, "1"), &body).starts_with("request: "));
        }
        let deep = record(200, &"[".repeat(200_000));
        assert!(fault(&with("$", "1"), &deep).starts_with("assertion: "));
    }

    #[test]
    fn captures_are_text() {
        let mut answer = record(200, r#"{"id":7,"name":"n"}"#);
        answer.headers.insert("location", "/x/7".parse().expect("a header value"));
        let wanted = BTreeMap::from([
            ("id".to_owned(), Capture::Json("$.id".into())),
            ("name".to_owned(), Capture::Json("$.name".into())),
            ("at".to_owned(), Capture::Header("Location".into())),
        ]);
        let values = capture(&wanted, &answer).expect("all are there");
        assert_eq!(values.into_values().collect::<Vec<_>>(), ["/x/7", "7", "n"]);
        let missing = BTreeMap::from([("x".to_owned(), Capture::Header("x".into()))]);
        assert_eq!(capture(&missing, &answer).expect_err("missing").class, FailClass::Assertion);
    }
}
