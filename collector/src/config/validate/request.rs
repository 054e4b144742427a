//! One HTTP request and what its answer must look like.

use super::{
    kind::tls_options,
    template::{self, Scope},
};
use crate::config::{
    node::Value,
    read::{At, Fields},
};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use wire::assignment::{Expect, Request, TlsOptions};

/// The methods a check may use.
const METHODS: [(&str, &str); 7] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
    ("OPTIONS", "OPTIONS"),
];

/// Headers that the probe's HTTP client sets from the request itself.
const OURS: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// The longest body of a request, and the longest text looked for in an answer, bytes.
const LONGEST_BODY: usize = 64 << 10;
const LONGEST_VALUE: usize = 8 << 10;
const LONGEST_PATH: usize = 4 << 10;

/// Reads the mapping of an `http` check.
pub fn http(at: &At<'_>) -> Option<(Request, TlsOptions)> {
    if at.is_null() {
        let request = Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: BTreeMap::new(),
            body: None,
            expect: Expect::default(),
        };
        return Some((request, TlsOptions::default()));
    }
    let fields = at.fields(&["method", "path", "headers", "body", "json", "expect", "tls"])?;
    let request = long(&fields, Scope::Literal);
    let method = request.as_ref().map(|request| request.method.as_str());
    let expect = fields.or("expect", Expect::default(), |at| expect(at, Scope::Literal, method));
    let tls = tls_options::of(&fields);
    Some((Request { expect: expect?, ..request? }, tls?))
}

/// A request with `method` and `path` among its fields; its expectations are read apart.
pub fn long(fields: &Fields<'_>, scope: Scope<'_>) -> Option<Request> {
    let method = fields.or("method", "GET", |at| at.word(&METHODS));
    let path = fields.or("path", "/".to_owned(), |at| path(at, scope));
    with_content(fields, method, path, scope)
}

/// A request whose method and path are known, with what else is among the fields.
pub fn with_content(
    fields: &Fields<'_>,
    method: Option<&str>,
    path: Option<String>,
    scope: Scope<'_>,
) -> Option<Request> {
    let headers = fields.or("headers", BTreeMap::new(), |at| headers(at, scope, &OURS));
    let text = fields.maybe("body", |at| {
        let text = at.text(LONGEST_BODY)?;
        scope.check(at, text)?;
        Some(text.to_owned())
    });
    let json = fields.maybe("json", |at| json_body(at, scope));
    if let (Some(_), Some(at)) = (fields.get("body"), fields.get("json")) {
        at.problem_with_key("`body` and `json` exclude each other; keep one of them");
        return None;
    }
    let (mut headers, text, json) = (headers?, text?, json?);
    if json.is_some() {
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    let (method, path) = (method?.to_owned(), path?);
    Some(Request { method, path, headers, body: json.or(text), expect: Expect::default() })
}

/// A path with its query, appended to a base address.
pub fn path(at: &At<'_>, scope: Scope<'_>) -> Option<String> {
    let text = at.text(LONGEST_PATH)?;
    scope.check(at, text)?;
    let plain = scope.without(text);
    if !plain.starts_with('/') {
        return at.expected("a path that begins with /");
    }
    if plain.chars().any(|c| !c.is_ascii_graphic() || c == '#') {
        return at.expected("a path without spaces, # and letters beyond ASCII (percent-encode them)");
    }
    Some(text.to_owned())
}

/// A header's name, in lower case.
pub fn header_name(at: &At<'_>) -> Option<String> {
    let text = at.text(100)?;
    let name = http::HeaderName::from_bytes(text.as_bytes()).ok();
    name.map(|name| name.as_str().to_owned())
        .or_else(|| at.expected("the name of a header, such as x-region"))
}

/// Names, in lower case, to values; those of `ours` are the probe's to set.
pub fn headers(at: &At<'_>, scope: Scope<'_>, ours: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        let Ok(key) = http::HeaderName::from_bytes(name.as_bytes()) else {
            at.problem_with_key("is no name of a header: use letters, digits and hyphens");
            well = false;
            continue;
        };
        if ours.contains(&key.as_str()) {
            at.problem_with_key("is set by the probe; remove it");
            well = false;
        }
        let Some(value) = header_value(&at, scope) else {
            well = false;
            continue;
        };
        if headers.insert(key.as_str().to_owned(), value).is_some() {
            at.problem_with_key("stands in these headers already, written differently; keep one of them");
            well = false;
        }
    }
    well.then_some(headers)
}

fn header_value(at: &At<'_>, scope: Scope<'_>) -> Option<String> {
    let text = at.text(LONGEST_VALUE)?;
    scope.check(at, text)?;
    if http::HeaderValue::from_str(text).is_err() || text.trim() != text {
        at.problem("is no value of a header: one line of ASCII without spaces around it");
        return None;
    }
    Some(text.to_owned())
}

fn json_body(at: &At<'_>, scope: Scope<'_>) -> Option<String> {
    let text = json(at)?.to_string();
    if text.len() > LONGEST_BODY {
        at.problem(format!("is {} bytes long as JSON; the limit is {LONGEST_BODY}", text.len()));
        return None;
    }
    scope.check(at, &text)?;
    Some(text)
}

/// Any YAML as JSON.
fn json(at: &At<'_>) -> Option<Json> {
    Some(match at.value() {
        Value::List(_) => {
            let items: Vec<Option<Json>> = at.list()?.iter().map(json).collect();
            Json::Array(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Map(entries) => {
            let read: Vec<_> =
                at.entries()?.iter().map(|(key, at)| Some(((*key).to_owned(), json(at)?))).collect();
            if read.len() != entries.len() {
                return None;
            }
            Json::Object(read.into_iter().collect::<Option<_>>()?)
        }
        scalar => json_scalar(scalar)?,
    })
}

/// A value without parts as JSON; nothing for those with parts.
fn json_scalar(value: &Value) -> Option<Json> {
    match value {
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::Int(value) => Some(Json::from(*value)),
        Value::Float(value) => Some(Json::from(*value)),
        Value::Text(value) => Some(Json::from(value.as_str())),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// Reads what an answer must look like; `method` is that of the request, when it could be read.
pub fn expect(at: &At<'_>, scope: Scope<'_>, method: Option<&str>) -> Option<Expect> {
    let fields = at.fields(&["status", "body_contains", "json"])?;
    let status = fields.or("status", Vec::new(), status);
    let body_contains = fields.maybe("body_contains", |at| {
        let text = at.text(LONGEST_VALUE)?;
        scope.check(at, text)?;
        Some(text.to_owned())
    });
    let json = fields.or("json", BTreeMap::new(), |at| json_values(at, scope));
    if method == Some("HEAD")
        && let Some(at) = fields.get("body_contains").or(fields.get("json"))
    {
        at.problem_with_key("an answer to HEAD has no body; use GET or expect a status only");
    }
    Some(Expect { status: status?, body_contains: body_contains?, json: json? })
}

fn status(at: &At<'_>) -> Option<Vec<u16>> {
    let items = at.one_or_many();
    if items.is_empty() {
        return at.expected("a status code such as 200, or a list of them");
    }
    let codes: Vec<Option<u16>> = items.iter().map(|item| item.whole(100..=599)).collect();
    codes.into_iter().collect()
}

/// JSONPaths with the values they must lead to.
fn json_values(at: &At<'_>, scope: Scope<'_>) -> Option<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let mut well = true;
    for (path, at) in at.entries()? {
        if let Err(problem) = template::json_path(path) {
            at.problem_with_key(problem);
            well = false;
        }
        let value = match json_scalar(at.value()) {
            Some(Json::String(text)) => scope.check(&at, &text).map(|()| text),
            Some(other) => Some(other.to_string()),
            None => at.expected("a text, a number, true, false or null"),
        };
        match value {
            Some(value) => _ = values.insert(path.to_owned(), value),
            None => well = false,
        }
    }
    well.then_some(values)
}
