//! Which request headers belong to the step, and which the browser, curl or the probe makes by itself.

use crate::recorded::{Body, Recorded};

/// Made by clients, proxies and libraries for tracing: the probe has its own, or none.
const DROPPED: [&str; 37] = [
    "accept-encoding",
    "accept-language",
    "alt-used",
    "baggage",
    "b3",
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "device-memory",
    "dnt",
    "downlink",
    "dpr",
    "ect",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "newrelic",
    "pragma",
    "priority",
    "purpose",
    "rtt",
    "save-data",
    "sentry-trace",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "viewport-width",
    "x-client-data",
];

/// Beginnings of names of the same.
const DROPPED_PREFIXES: [&str; 6] = [":", "sec-", "proxy-", "x-b3-", "x-datadog-", "x-devtools-"];

/// The longest value that the configuration takes, bytes.
const LONGEST: usize = 8 << 10;

/// Methods that change something, for which servers compare the origin.
const UNSAFE: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// The headers that stay, names in lower case and each once, without cookies.
pub(crate) fn keep(recorded: &Recorded, notes: &mut Vec<String>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let writes = UNSAFE.contains(&recorded.method.as_str());
    let origin = recorded.header("origin").is_some();
    for (name, value) in &recorded.headers {
        let value = value.trim();
        let dropped = DROPPED.contains(&name.as_str())
            || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || (name == "user-agent" && value.starts_with("Mozilla/"))
            || (name == "accept" && (value == "*/*" || value.starts_with("text/html,application/xhtml+xml")))
            || (name == "content-type" && !matches!(recorded.body, Some(Body::Text(_))))
            || (name == "origin" && !writes)
            || (name == "referer" && (!writes || origin));
        if dropped || value.is_empty() || kept.iter().any(|(known, _)| known == name) {
            continue;
        }
        // A referer tells servers where the request was made from; the path of that page is nobody's business.
        let value = if name == "referer" { referer(value) } else { Some(value.to_owned()) };
        let well = |value: &String| {
            is_name(name)
                && value.len() <= LONGEST
                && value.bytes().all(|b| b == b'\t' || (32..127).contains(&b))
        };
        match value.filter(well) {
            Some(value) => kept.push((name.clone(), value)),
            None => notes.push(format!(
                "left out the header `{}` of {}: a check takes one line of at most {LONGEST} bytes of ASCII",
                name.chars().filter(|c| !c.is_control()).take(60).collect::<String>(),
                recorded.line()
            )),
        }
    }
    kept
}

/// The beginning of an address, up to its path.
fn referer(value: &str) -> Option<String> {
    let url = url::Url::parse(value).ok()?;
    Some(format!("{}/", url.origin().ascii_serialization()))
}

/// Whether a text is a token as RFC 9110, 5.6.2 has it, of at most 100 bytes.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Name and value of each cookie of a `cookie` header.
pub(crate) fn cookies(value: &str) -> Vec<(&str, &str)> {
    value
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// The names that an answer's `set-cookie` headers set. Some browsers write several of them into one, line by line.
pub(crate) fn set_cookies(headers: &[(String, String)]) -> Vec<String> {
    let values =
        headers.iter().filter(|(name, _)| name == "set-cookie").flat_map(|(_, value)| value.split('\n'));
    values.filter_map(|value| value.split_once('=')).map(|(name, _)| name.trim().to_owned()).collect()
}

/// Whether a cookie only counts visitors.
pub(crate) fn is_analytics(name: &str) -> bool {
    [
        "_ga",
        "_gid",
        "_gcl",
        "_fb",
        "_hj",
        "_pk_",
        "_cl",
        "_tt",
        "_scid",
        "_uet",
        "__utm",
        "ajs_",
        "amp_",
        "intercom-",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
