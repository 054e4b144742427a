//! What a request carries: a text, JSON, a form, or several parts.

use super::{LONGEST_VALUE, json_scalar, scalar};
use crate::config::{
    node::Value,
    read::{At, Fields},
    validate::template::Scope,
};
use serde_json::Value as Json;
use wire::assignment::{Content, Part};

/// The longest body of a request, bytes.
const LONGEST_BODY: usize = 64 << 10;
/// The most fields of a form or a query.
const MOST_FIELDS: usize = 100;
/// The kinds of body, of which there is at most one.
const KINDS: [&str; 4] = ["body", "json", "form", "multipart"];

/// The body as text, and what it is made of.
pub fn read(fields: &Fields<'_>, scope: Scope<'_>) -> Option<(Option<String>, Content)> {
    if KINDS.iter().all(|kind| fields.get(kind).is_none()) {
        return Some((None, Content::Text));
    }
    let mut present = KINDS.iter().filter(|kind| fields.get(kind).is_some());
    let (first, second) = (present.next()?, present.next());
    if let Some(at) = second.and_then(|second| fields.get(second)) {
        let second = second.unwrap_or(first);
        at.problem_with_key(format!("`{first}` and `{second}` exclude each other; keep one of them"));
        return None;
    }
    let at = fields.get(first)?;
    match *first {
        "body" => {
            let text = at.text(LONGEST_BODY)?;
            scope.check(at, text)?;
            Some((Some(text.to_owned()), Content::Text))
        }
        "json" => Some((Some(json_body(at, scope)?), Content::Json)),
        "form" => Some((None, Content::Form(pairs(at, scope)?))),
        _ => Some((None, Content::Multipart(parts(at, scope)?))),
    }
}

/// Names to values; a list repeats the name.
pub fn pairs(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        for item in at.one_or_many() {
            match scalar(&item, scope) {
                Some(value) => pairs.push((name.to_owned(), value)),
                None => well = false,
            }
        }
    }
    few(at, pairs.len())?;
    well.then_some(pairs)
}

fn few(at: &At<'_>, fields: usize) -> Option<()> {
    if fields > MOST_FIELDS {
        at.problem(format!("has {fields} fields; the limit is {MOST_FIELDS}"));
        return None;
    }
    Some(())
}

/// Names to a text or `{ value, filename, type }`.
fn parts(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<Part>> {
    let entries = at.entries()?;
    few(at, entries.len())?;
    if entries.is_empty() {
        return at.expected("at least one part");
    }
    let read: Vec<Option<Part>> = entries.iter().map(|(name, at)| part(name, at, scope)).collect();
    let parts: Vec<Part> = read.into_iter().collect::<Option<_>>()?;
    let total: usize = parts.iter().map(|part| part.value.len()).sum();
    if total > LONGEST_BODY {
        at.problem(format!("is {total} bytes long; the limit is {LONGEST_BODY}"));
        return None;
    }
    Some(parts)
}

fn part(name: &str, at: &At<'_>, scope: Scope<'_>) -> Option<Part> {
    let name = name.to_owned();
    if !matches!(at.value(), Value::Map(_)) {
        return Some(Part { name, value: scalar(at, scope)?, ..Part::default() });
    }
    let fields = at.fields(&["value", "filename", "type"])?;
    let text = |at: &At<'_>, most: usize| {
        let text = at.text(most)?;
        scope.check(at, text)?;
        Some(text.to_owned())
    };
    let value = fields.need("value", "\"id,name\\n1,tea\\n\"").and_then(|at| text(at, LONGEST_BODY));
    let filename = fields.maybe("filename", |at| text(at, 255));
    let content_type = fields.maybe("type", |at| {
        let kind = at.text(LONGEST_VALUE.min(255))?;
        let good = kind.contains('/') && kind.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if good { Some(kind.to_owned()) } else { at.expected("a content type such as text/csv") }
    });
    Some(Part { name, value: value?, filename: filename?, content_type: content_type? })
}

fn json_body(at: &At<'_>, scope: Scope<'_>) -> Option<String> {
    let text = json(at, scope)?.to_string();
    if text.len() > LONGEST_BODY {
        at.problem(format!("is {} bytes long as JSON; the limit is {LONGEST_BODY}", text.len()));
        return None;
    }
    Some(text)
}

/// Any YAML as JSON. Templates stand in strings, not in keys.
fn json(at: &At<'_>, scope: Scope<'_>) -> Option<Json> {
    Some(match at.value() {
        Value::List(_) => {
            let items: Vec<Option<Json>> = at.list()?.iter().map(|item| json(item, scope)).collect();
            Json::Array(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Map(entries) => {
            let field = |(key, at): &(&str, At<'_>)| {
                if key.contains("{{") && matches!(scope, Scope::Names(_)) {
                    at.problem_with_key("templates stand in values, not in the keys of a JSON body");
                    return None;
                }
                Some(((*key).to_owned(), json(at, scope)?))
            };
            let read: Vec<_> = at.entries()?.iter().map(field).collect();
            if read.len() != entries.len() {
                return None;
            }
            Json::Object(read.into_iter().collect::<Option<_>>()?)
        }
        Value::Text(text) => {
            scope.check(at, text)?;
            Json::from(text.as_str())
        }
        other => json_scalar(other)?,
    })
}
