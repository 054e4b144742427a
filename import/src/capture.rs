//! Values of answers that later requests use: what a journey captures.

use crate::{
    header, json, name,
    recorded::{Answer, Recorded, is_json},
    sensitive::random,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

/// The most values remembered of one answer and of all; what comes later stays as it was recorded.
const MOST_OF_ONE: usize = 5_000;
const MOST: usize = 20_000;

/// The longest answer that a probe reads, bytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// Headers of answers that are no values for later requests.
const NO_VALUES: [&str; 9] = [
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "expires",
    "last-modified",
    "server",
    "set-cookie",
    "strict-transport-security",
];

/// Names that say little by themselves.
const GENERIC: [&str; 9] = ["id", "_id", "uuid", "token", "value", "key", "code", "name", "data"];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Json(String),
    Header(String),
}

struct Value {
    text: String,
    step: usize,
    source: Source,
    label: String,
    /// Given when it is used.
    name: Option<String>,
}

/// What earlier answers gave.
#[derive(Default)]
pub(crate) struct Captures {
    values: Vec<Value>,
    index: Index,
    known: HashSet<String>,
    taken: BTreeSet<String>,
}

impl Captures {
    /// Remembers the values of a step's answer that no request up to it has used: those the client had before.
    pub(crate) fn learn(&mut self, step: usize, recorded: &Recorded, spoken: &[String]) {
        let Some(answer) = &recorded.answer else { return };
        let mut found = values(answer, &resource(recorded), step);
        found.retain(|value| plausible(&value.text) && !self.known.contains(&value.text));
        let mut fresh = Index::default();
        for (at, value) in found.iter().enumerate() {
            fresh.add(&value.text, at);
        }
        let mut old = HashSet::new();
        for text in spoken {
            old.extend(
                fresh
                    .find(text, |at| found.get(at).map(|value| value.text.as_str()))
                    .into_iter()
                    .map(|(_, at)| at),
            );
        }
        for (at, value) in found.into_iter().enumerate() {
            if !old.contains(&at) && self.values.len() < MOST && self.known.insert(value.text.clone()) {
                self.index.add(&value.text, self.values.len());
                self.values.push(value);
            }
        }
    }

    /// The name of the value that is exactly this text, if an answer gave it.
    pub(crate) fn exact(&mut self, text: &str) -> Option<String> {
        if !self.known.contains(text) {
            return None;
        }
        let at = self.values.iter().position(|value| value.text == text)?;
        self.name(at)
    }

    /// Where a text holds values that are too distinctive to stand there by chance, with their names.
    pub(crate) fn find(&mut self, text: &str) -> Vec<(Range<usize>, String)> {
        let found = self.index.find(text, |at| {
            self.values.get(at).map(|value| value.text.as_str()).filter(|text| distinctive(text))
        });
        found.into_iter().filter_map(|(span, at)| Some((span, self.name(at)?))).collect()
    }

    fn name(&mut self, at: usize) -> Option<String> {
        let value = self.values.get_mut(at)?;
        if value.name.is_none() {
            value.name = Some(name::unique(&name::word(&value.label), '_', &mut self.taken));
        }
        value.name.clone()
    }

    /// What a step captures, as far as it is used.
    pub(crate) fn of(&self, step: usize) -> Vec<(String, Source)> {
        let ours = self.values.iter().filter(|value| value.step == step);
        ours.filter_map(|value| Some((value.name.clone()?, value.source.clone()))).collect()
    }
}

fn values(answer: &Answer, resource: &str, step: usize) -> Vec<Value> {
    let mut values = Vec::new();
    for (name, value) in &answer.headers {
        let once = answer.headers.iter().filter(|(other, _)| other == name).count() == 1;
        if once && header::is_name(name) && !NO_VALUES.contains(&name.as_str()) {
            let (text, label) = (value.trim().to_owned(), name.clone());
            values.push(Value { text, step, source: Source::Header(name.clone()), label, name: None });
        }
    }
    let body = answer.body.as_deref().unwrap_or_default();
    if body.len() <= LONGEST_ANSWER && (is_json(&answer.media) || body.trim_start().starts_with(['{', '['])) {
        // A path through a name that was made up leads nowhere in the next run, and the name may be a secret.
        let lasts = |found: &json::Found| !found.names.iter().any(|name| name.len() >= 16 && random(name));
        for found in json::paths(body, MOST_OF_ONE).into_iter().filter(lasts) {
            let label = label(&found.names, resource);
            values.push(Value {
                text: found.value,
                step,
                source: Source::Json(found.path),
                label,
                name: None,
            });
        }
    }
    values
}

/// The last part of the path that is a word: what the answer is about.
fn resource(recorded: &Recorded) -> String {
    let word = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-' || b == b'_')
    };
    recorded.url.path().rsplit('/').find(word).unwrap_or("value").to_owned()
}

fn label(names: &[String], resource: &str) -> String {
    let last = names.last().map_or("value", String::as_str);
    if !GENERIC.contains(&last.to_ascii_lowercase().as_str()) {
        return last.to_owned();
    }
    let before = names.len().checked_sub(2).and_then(|at| names.get(at)).map_or(resource, String::as_str);
    format!("{before}_{last}")
}

/// Whether a text may be a value that clients send back.
fn plausible(text: &str) -> bool {
    (6..=4096).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.~+/=:".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
        && !text.contains("://")
        // A path has to begin with its slash in the configuration, so it cannot be a value.
        && !text.starts_with('/')
}

/// Whether it is found by its looks alone: random enough, and no date.
fn distinctive(text: &str) -> bool {
    let date =
        text.bytes().all(|b| b.is_ascii_digit() || b"-:.TZ+".contains(&b)) && text.contains(['-', ':', '.']);
    let number = text.bytes().all(|b| b.is_ascii_digit());
    !date && random(text) && (text.len() >= 8 || number)
}

/// Finds many values in a text at once, by the first run of letters and digits of each.
#[derive(Default)]
struct Index(HashMap<String, Vec<usize>>);

impl Index {
    fn add(&mut self, value: &str, at: usize) {
        if let Some(run) = runs(value).next() {
            self.0.entry(value.get(run).unwrap_or_default().to_owned()).or_default().push(at);
        }
    }

    /// Spans that do not overlap, in order, the longest value first; neither letter nor digit stands beside one.
    fn find<'v>(&self, text: &str, value: impl Fn(usize) -> Option<&'v str>) -> Vec<(Range<usize>, usize)> {
        let mut spans: Vec<(Range<usize>, usize)> = Vec::new();
        let mut end = 0;
        for run in runs(text) {
            let candidates = self.0.get(text.get(run.clone()).unwrap_or_default());
            let fit = |at: &usize| {
                let value = value(*at)?;
                let begin = run.start.checked_sub(runs(value).next()?.start)?;
                let span = begin..begin.checked_add(value.len())?;
                let alone = !text.get(span.end..)?.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && !text.get(..begin)?.ends_with(|c: char| c.is_ascii_alphanumeric());
                (begin >= end && alone && text.get(span.clone())? == value).then_some((span, *at))
            };
            let best = candidates.into_iter().flatten().filter_map(fit).max_by_key(|(span, _)| span.len());
            if let Some((span, at)) = best {
                end = span.end;
                spans.push((span, at));
            }
        }
        spans
    }
}

/// The maximal runs of ASCII letters and digits.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at).is_some_and(|b| !b.is_ascii_alphanumeric()) {
            at += 1;
        }
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            at += 1;
        }
        (at > start).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_values_only() {
        let values = ["abc12345", "-x9y8z7w6", "abc12345-77ab"];
        let mut index = Index::default();
        for (at, value) in values.iter().enumerate() {
            index.add(value, at);
        }
        let find = |text: &str| index.find(text, |at| values.get(at).copied());
        assert_eq!(find("/a/abc12345/b?c=abc12345"), [(3..11, 0), (16..24, 0)]);
        assert_eq!(find("xabc12345 abc123456"), []);
        assert_eq!(find("abc12345-77ab"), [(0..13, 2)]);
        assert_eq!(find("=-x9y8z7w6"), [(1..10, 1)]);
        assert_eq!(find("x9y8z7w6"), []);
    }

    #[test]
    fn knows_what_is_distinctive() {
        for good in ["abc12345", "1048577", "0b7c4b0e-5f3b-4c12-9d2e-1f2a3b4c5d6e", "c2lnbmF0dXJlQbCdEf"] {
            assert!(plausible(good) && distinctive(good), "{good}");
        }
        assert!(!plausible("/orders/abc12345") && !plausible("https://a.example/abc12345"));
        for bad in ["2026-11-21T03:00:00Z", "pending", "48213", "12.50", "available"] {
            assert!(!distinctive(bad), "{bad}");
        }
    }
}
