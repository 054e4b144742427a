//! Conditions on single values of an answer: a plain value that it equals, or a mapping of conditions.

use super::{cookie_name_of, scalar};
use crate::config::{
    node::Value,
    read::{At, Fields},
    validate::template::{self, Scope},
};
use serde_json::Number;
use std::collections::BTreeMap;
use wire::assignment::{Must, Rule, Source};

/// Conditions on any value that is text.
const ON_TEXT: [&str; 6] = ["exists", "equals", "not", "contains", "lacks", "matches"];
/// Conditions on numbers.
const ON_NUMBERS: [&str; 4] = ["above", "below", "at_least", "at_most"];

/// Names of headers to conditions.
pub fn headers(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<Rule>> {
    named(at, scope, |name, at| {
        let Ok(name) = http::HeaderName::from_bytes(name.as_bytes()) else {
            at.problem_with_key("is no name of a header: use letters, digits and hyphens");
            return None;
        };
        Some(Source::Header(name.as_str().to_owned()))
    })
}

/// Names of cookies to conditions.
pub fn cookies(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<Rule>> {
    named(at, scope, |name, at| cookie_name_of(name, at).map(Source::Cookie))
}

/// JSONPaths to the text that they lead to, and to other conditions.
pub fn json(at: &At<'_>, scope: Scope<'_>) -> Option<(BTreeMap<String, String>, Vec<Rule>)> {
    let rules = named(at, scope, |path, at| {
        template::json_path(path).map_err(|problem| at.problem_with_key(problem)).ok()?;
        Some(Source::Json(path.to_owned()))
    })?;
    let mut equal = BTreeMap::new();
    let mut others = Vec::new();
    for rule in rules {
        match rule {
            Rule { of: Source::Json(path), must: Must::Equal(text) } => _ = equal.insert(path, text),
            other => others.push(other),
        }
    }
    Some((equal, others))
}

/// CSS selectors to conditions on the text of the first element, or on one of its attributes.
pub fn css(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut well = true;
    for (selector, at) in at.entries()? {
        let good = template::css(selector).map_err(|problem| at.problem_with_key(problem)).is_ok();
        let attribute = match at.value() {
            Value::Map(_) => {
                let known = [&["attribute"][..], &ON_TEXT, &ON_NUMBERS, &["length"]].concat();
                let fields = at.fields(&known);
                fields.and_then(|fields| fields.maybe("attribute", |at| at.text(100).map(str::to_owned)))
            }
            _ => Some(None),
        };
        match (attribute, conditions(&at, scope, &["attribute"]), good) {
            (Some(attribute), Some(conditions), true) => {
                let of = Source::Css { selector: selector.to_owned(), attribute };
                rules.extend(conditions.into_iter().map(|must| Rule { of: of.clone(), must }));
            }
            _ => well = false,
        }
    }
    well.then_some(rules)
}

/// Conditions on the whole body: as text, by its size in bytes, or by its digest.
pub fn body(at: &At<'_>, scope: Scope<'_>) -> Option<Vec<Rule>> {
    let known = ["equals", "not", "contains", "lacks", "matches", "sha256", "at_least", "at_most"];
    let fields = at.fields(&known)?;
    let size = |rule: Must| Rule { of: Source::Size, must: rule };
    let digest = fields.maybe("sha256", |at| {
        let text = at.text(64)?;
        let good = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if good { Some(text.to_ascii_lowercase()) } else { at.expected("64 hexadecimal digits, in quotes") }
    });
    let bytes = |at: &At<'_>| at.whole::<u32>(0..=(1 << 20));
    let (least, most) = (fields.maybe("at_least", bytes), fields.maybe("at_most", bytes));
    let text = on_text(&fields, scope);
    let mut rules: Vec<Rule> = text?.into_iter().map(|must| Rule { of: Source::Body, must }).collect();
    rules.extend(digest?.map(|digest| Rule { of: Source::Sha256, must: Must::Equal(digest) }));
    rules.extend(least?.map(|least| size(Must::AtLeast(least.into()))));
    rules.extend(most?.map(|most| size(Must::AtMost(most.into()))));
    some(at, &known, rules)
}

/// Places by name to conditions.
fn named(
    at: &At<'_>,
    scope: Scope<'_>,
    place: impl Fn(&str, &At<'_>) -> Option<Source>,
) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        match (place(name, &at), conditions(&at, scope, &[])) {
            (Some(of), Some(conditions)) => {
                rules.extend(conditions.into_iter().map(|must| Rule { of: of.clone(), must }));
            }
            _ => well = false,
        }
    }
    well.then_some(rules)
}

/// A value to equal, or conditions.
fn conditions(at: &At<'_>, scope: Scope<'_>, besides: &[&'static str]) -> Option<Vec<Must>> {
    if !matches!(at.value(), Value::Map(_)) {
        return Some(vec![Must::Equal(scalar(at, scope)?)]);
    }
    let known = [besides, &ON_TEXT, &ON_NUMBERS, &["length"]].concat();
    let fields = at.fields(&known)?;
    let text = on_text(&fields, scope);
    let numbers = on_numbers(&fields);
    let length = fields.maybe("length", length);
    let mut conditions = text?;
    conditions.extend(numbers?);
    conditions.extend(length?);
    some(at, &known, conditions)
}

/// Everything, if there is anything: an empty mapping would expect nothing, which nobody means.
fn some<T>(at: &At<'_>, known: &[&str], items: Vec<T>) -> Option<Vec<T>> {
    match at.value() {
        _ if !items.is_empty() => Some(items),
        // A key that is unknown is reported already.
        Value::Map(entries)
            if entries.iter().any(
                |(key, _)| !matches!(&key.value, Value::Text(text) if known.contains(&text.as_str())),
            ) =>
        {
            None
        }
        _ => at.expected("at least one condition, such as `contains`"),
    }
}

fn on_text(fields: &Fields<'_>, scope: Scope<'_>) -> Option<Vec<Must>> {
    let mut conditions = Vec::new();
    let mut well = true;
    for key in ON_TEXT {
        let Some(at) = fields.get(key) else { continue };
        let must = match key {
            "exists" => at.flag().map(Must::Exist),
            "matches" => pattern(at).map(Must::Match),
            "equals" => scalar(at, scope).map(Must::Equal),
            "not" => scalar(at, scope).map(Must::Differ),
            "contains" => scalar(at, scope).map(Must::Contain),
            _ => scalar(at, scope).map(Must::Lack),
        };
        match must {
            Some(must) => conditions.push(must),
            None => well = false,
        }
    }
    well.then_some(conditions)
}

fn on_numbers(fields: &Fields<'_>) -> Option<Vec<Must>> {
    let number = |at: &At<'_>| match at.value() {
        Value::Int(number) => Some(Number::from(*number)),
        Value::Float(number) => Number::from_f64(*number),
        _ => at.expected("a number"),
    };
    let [above, below, least, most] = ON_NUMBERS.map(|key| fields.maybe(key, number));
    let (above, below, least, most) = (above?, below?, least?, most?);
    let all =
        [above.map(Must::Above), below.map(Must::Below), least.map(Must::AtLeast), most.map(Must::AtMost)];
    Some(all.into_iter().flatten().collect())
}

/// A length, or `{ at_least, at_most }`.
fn length(at: &At<'_>) -> Option<Must> {
    const MOST: i64 = 1 << 20;
    if !matches!(at.value(), Value::Map(_)) {
        let length = at.whole(0..=MOST)?;
        return Some(Must::Length { least: length, most: length });
    }
    let fields = at.fields(&["at_least", "at_most"])?;
    let least = fields.or("at_least", 0, |at| at.whole(0..=MOST));
    let most = fields.or("at_most", u32::MAX, |at| at.whole(0..=MOST));
    let (least, most) = (least?, most?);
    if least > most || (least, most) == (0, u32::MAX) {
        return at.expected("a length, or `at_least` and `at_most` that fit together");
    }
    Some(Must::Length { least, most })
}

fn pattern(at: &At<'_>) -> Option<String> {
    let text = at.text(usize::MAX)?;
    template::regex(text).map_err(|problem| at.problem(problem)).ok()?;
    Some(text.to_owned())
}
