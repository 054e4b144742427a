//! One HTTP request and what its answer must look like.

mod body;
mod expect;
mod rule;

pub use expect::expect;

use super::{kind::tls_options, template::Scope};
use crate::config::{
    near,
    node::Value,
    read::{At, Fields},
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    RegionId,
    assignment::{Content, Expect, Request, TlsOptions},
};

/// The methods of RFC 9110 and RFC 5789 that checks use as a rule; others are taken as written.
const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// Headers that the probe's HTTP client sets from the request itself.
const OURS: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// The keys of what a request is made of, besides its method and path.
pub const CONTENT: [&str; 6] = ["query", "headers", "body", "json", "form", "multipart"];

/// The longest texts, bytes.
const LONGEST_VALUE: usize = 8 << 10;
const LONGEST_PATH: usize = 4 << 10;

/// Reads the mapping of an `http` check; `regions` are the service's, when they could be read.
pub fn http(at: &At<'_>, regions: Option<&BTreeSet<RegionId>>) -> Option<(Request, TlsOptions)> {
    if at.is_null() {
        return Some((Request::default(), TlsOptions::default()));
    }
    let mut known = vec!["method", "path"];
    known.extend(CONTENT);
    known.extend(["expect", "tls"]);
    let fields = at.fields(&known)?;
    let tls = tls_options::of(&fields);
    let scope = Scope::built_in();
    let request = long(&fields, scope);
    let method = request.as_ref().map(|request| request.method.as_str());
    let expect = fields.or("expect", Expect::default(), |at| expect(at, scope, method, regions));
    Some((Request { expect: expect?, ..request? }, tls?))
}

/// A request with `method` and `path` among its fields; its expectations are read apart.
pub fn long(fields: &Fields<'_>, scope: Scope<'_>) -> Option<Request> {
    let method = fields.or("method", "GET", method);
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
    let query = fields.or("query", Vec::new(), |at| body::pairs(at, scope));
    let headers = fields.or("headers", BTreeMap::new(), |at| headers(at, scope, &OURS));
    let content = body::read(fields, scope);
    let (mut headers, (body, content)) = (headers?, content?);
    match content {
        Content::Json => {
            headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
        }
        Content::Multipart(_) if headers.contains_key("content-type") => {
            if let Some(at) = fields.get("headers") {
                at.problem_with_key("`multipart` brings its own content-type; remove it from `headers`");
            }
            return None;
        }
        _ => {}
    }
    let method = method?.to_owned();
    Some(Request { method, path: path?, query: query?, headers, body, content, expect: Expect::default() })
}

/// Any method but those that need another connection; one that looks like a typing mistake is a problem.
fn method<'a>(at: &At<'a>) -> Option<&'a str> {
    let text = at.text(20)?;
    if !text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') || matches!(text, "CONNECT" | "TRACE") {
        return at.expected("a method in capitals, such as GET, POST or PURGE");
    }
    match near::nearest(text, METHODS).map(str::to_uppercase) {
        Some(near) if near != text => {
            at.problem(format!("there is no method {text}; did you mean {near}?"));
            None
        }
        _ => Some(text),
    }
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

/// A cookie's name (a token of RFC 9110, as RFC 6265 says).
pub fn cookie_name(at: &At<'_>) -> Option<String> {
    let text = at.text(100)?;
    if is_token(text) { Some(text.to_owned()) } else { at.expected("the name of a cookie, such as sid") }
}

/// A cookie's name that stands as the key.
fn cookie_name_of(name: &str, at: &At<'_>) -> Option<String> {
    if is_token(name) {
        return Some(name.to_owned());
    }
    at.problem_with_key("is no name of a cookie: use letters, digits, hyphens and _");
    None
}

fn is_token(text: &str) -> bool {
    // Names of headers are tokens, in any case.
    http::HeaderName::from_bytes(text.as_bytes()).is_ok()
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

/// A text that may hold templates, or a number or boolean as JSON prints it.
pub fn scalar(at: &At<'_>, scope: Scope<'_>) -> Option<String> {
    match json_scalar(at.value()) {
        Some(Json::String(text)) if text.len() > LONGEST_VALUE => {
            at.problem(format!("is {} bytes long; the limit is {LONGEST_VALUE}", text.len()));
            None
        }
        Some(Json::String(text)) => scope.check(at, &text).map(|()| text),
        Some(other) => Some(other.to_string()),
        None => at.expected("a text, a number, true, false or null"),
    }
}
