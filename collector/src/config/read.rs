//! Typed readers over the tree. Each returns what it read, or notes a problem and returns nothing, so that its
//! caller goes on and finds the next one.

use super::{
    duration, near,
    node::{Node, Position, Value},
    problem::Sink,
};
use std::{collections::BTreeMap, fmt, ops::RangeInclusive, str::FromStr, time::Duration};
use wire::id::BadId;

/// How much of a wrong text is repeated in a message, characters.
const QUOTED: usize = 60;

/// A node with its path, and where its problems go.
#[derive(Clone)]
pub struct At<'a> {
    node: &'a Node,
    /// Where its key stands; for items of a list, where it stands itself.
    key: Position,
    path: String,
    sink: &'a Sink,
}

/// The entries of a mapping whose keys are ours.
pub struct Fields<'a> {
    at: At<'a>,
    entries: BTreeMap<&'a str, At<'a>>,
}

impl<'a> At<'a> {
    /// The whole document.
    pub fn root(node: &'a Node, sink: &'a Sink) -> Self {
        At { node, key: node.at, path: String::new(), sink }
    }

    /// Notes a problem with the value.
    pub fn problem(&self, message: impl Into<String>) {
        self.sink.add(self.node.at, &self.path, message.into());
    }

    /// Notes a problem with the key: something is missing in it, or it should not be there.
    pub fn problem_with_key(&self, message: impl Into<String>) {
        self.sink.add(self.key, &self.path, message.into());
    }

    /// Keeps the value out of what is printed.
    pub fn keep_secret(&self) {
        self.sink.keep_secret(self.node.at.line);
        self.sink.keep_secret(self.key.line);
    }

    /// Whether the key has no value.
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Whether the value is a text, which decides between a short and a long form.
    pub fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    /// Whether the value is this word.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.node.value, Value::Text(text) if text == word)
    }

    /// The value itself, for fields that take any type.
    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Notes that something else was expected.
    pub fn expected<T>(&self, what: impl fmt::Display) -> Option<T> {
        let found = match &self.node.value {
            Value::Text(text) => quote(text),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            other => other.kind().to_owned(),
        };
        self.problem(format!("expected {what}, found {found}"));
        None
    }

    /// A text of 1 to `most` bytes.
    pub fn text(&self, most: usize) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => self.expected("a text that is not empty"),
            Value::Text(text) if text.len() > most => {
                self.problem(format!("is {} bytes long; the limit is {most}", text.len()));
                None
            }
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => self.expected("a text (put it in quotes)"),
            _ => self.expected("a text"),
        }
    }

    /// A name for people: one line of at most 100 characters.
    pub fn label(&self) -> Option<String> {
        let text = self.text(400)?;
        if text.chars().count() > 100 || text.chars().any(char::is_control) || text.trim() != text {
            return self.expected("one line of at most 100 characters without spaces around it");
        }
        Some(text.to_owned())
    }

    /// One of some words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        self.word_where(words, |word, text| word == text)
    }

    /// One of some words, in capitals or not.
    pub fn word_in_any_case<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        self.word_where(words, str::eq_ignore_ascii_case)
    }

    fn word_where<T: Copy>(&self, words: &[(&str, T)], same: fn(&str, &str) -> bool) -> Option<T> {
        let found = match &self.node.value {
            Value::Text(text) => words.iter().find(|(word, _)| same(word, text)).map(|(_, value)| *value),
            _ => None,
        };
        found.or_else(|| self.expected(list_of(words.iter().map(|(word, _)| *word))))
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => self.expected("`true` or `false`"),
        }
    }

    /// A whole number.
    pub fn whole<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let number = match &self.node.value {
            Value::Int(number) if range.contains(number) => T::try_from(*number).ok(),
            _ => None,
        };
        number.or_else(|| self.expected(format!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// A number with or without a fraction.
    pub fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match &self.node.value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        number.or_else(|| self.expected(format!("a number from {} to {}", range.start(), range.end())))
    }

    /// A duration.
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let Value::Text(text) = &self.node.value else {
            return self.expected("a duration such as 250ms, 2s, 5m or 1h30m");
        };
        match duration::parse(text) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                let [low, high] = [range.start(), range.end()].map(|bound| duration::format(*bound));
                self.expected(format!("a duration from {low} to {high}"))
            }
            Err(what) => self.expected(what),
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Option<Vec<At<'a>>> {
        match &self.node.value {
            Value::List(items) => {
                Some(items.iter().enumerate().map(|(i, item)| self.item(i, item)).collect())
            }
            _ => self.expected("a list"),
        }
    }

    /// The items of a list, or the one value that stands in its place.
    pub fn one_or_many(&self) -> Vec<At<'a>> {
        match &self.node.value {
            Value::List(items) => items.iter().enumerate().map(|(i, item)| self.item(i, item)).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The entries of a mapping whose keys people choose, each key once.
    pub fn entries(&self) -> Option<Vec<(&'a str, At<'a>)>> {
        let Value::Map(map) = &self.node.value else {
            return self.expected("a mapping");
        };
        let mut first: BTreeMap<&str, Position> = BTreeMap::new();
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            let Value::Text(name) = &key.value else {
                let path = &self.path;
                let message = match &key.value {
                    Value::Map(_) | Value::List(_) => {
                        "a key must be a text; texts that begin with { or [ need quotes, as in \"{{ name }}\""
                    }
                    _ => "a key must be a text: put it in quotes",
                };
                self.sink.add(key.at, path, message.to_owned());
                continue;
            };
            let at = At { node: value, key: key.at, path: join(&self.path, name), sink: self.sink };
            if let Some(other) = first.insert(name, key.at) {
                at.problem_with_key(format!(
                    "this key stands already on line {}; keep one of them",
                    other.line
                ));
                continue;
            }
            entries.push((name.as_str(), at));
        }
        Some(entries)
    }

    /// The entries of a mapping whose keys are ids.
    pub fn ids<T: FromStr<Err = BadId>>(&self) -> Vec<(T, At<'a>)> {
        let entries = self.entries().unwrap_or_default().into_iter();
        entries
            .filter_map(|(name, at)| match name.parse() {
                Ok(id) => Some((id, at)),
                Err(BadId(_)) => {
                    at.problem_with_key(
                        "is no id: use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a \
                         letter or digit",
                    );
                    None
                }
            })
            .collect()
    }

    /// The fields of a mapping; other keys are problems.
    pub fn fields(&self, known: &[&'static str]) -> Option<Fields<'a>> {
        self.fields_unless(known, |_| false)
    }

    /// As [`At::fields`], for settings that may all be left out: then the key may stand without a value.
    pub fn settings(&self, known: &[&'static str]) -> Option<Fields<'a>> {
        if self.is_null() {
            return Some(Fields { at: self.clone(), entries: BTreeMap::new() });
        }
        self.fields(known)
    }

    /// The fields of a mapping; other keys are problems unless `ignored`.
    pub fn fields_unless(&self, known: &[&'static str], ignored: fn(&str) -> bool) -> Option<Fields<'a>> {
        let entries = self.entries()?;
        let mut fields = Fields { at: self.clone(), entries: BTreeMap::new() };
        for (name, at) in entries {
            if known.contains(&name) {
                fields.entries.insert(name, at);
            } else if !ignored(name) {
                let hint = match near::nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "there are no settings here".to_owned(),
                    None => format!("known here: {}", known.join(", ")),
                };
                let message = format!("unknown key {}; {hint}", tick(name));
                self.sink.add(at.key, &self.path, message);
            }
        }
        Some(fields)
    }

    /// The id of something configured elsewhere in the document, with what is known of it.
    pub fn reference<'k, T, V>(&self, what: &str, known: &'k BTreeMap<T, V>) -> Option<(&'k T, &'k V)>
    where
        T: Ord + fmt::Display + FromStr,
    {
        let Value::Text(text) = &self.node.value else {
            return self.expected(format!("the id of a {what}"));
        };
        look_up(text, what, known, self.sink.wants_hints()).map_err(|message| self.problem(message)).ok()
    }

    /// As [`At::reference`], for an id that stands as the key.
    pub fn key_reference<'k, T, V>(
        &self,
        key: &str,
        what: &str,
        known: &'k BTreeMap<T, V>,
    ) -> Option<(&'k T, &'k V)>
    where
        T: Ord + fmt::Display + FromStr,
    {
        look_up(key, what, known, self.sink.wants_hints())
            .map_err(|message| self.problem_with_key(message))
            .ok()
    }

    fn item(&self, index: usize, node: &'a Node) -> At<'a> {
        At { node, key: node.at, path: format!("{}[{index}]", self.path), sink: self.sink }
    }
}

impl<'a> Fields<'a> {
    /// The mapping itself.
    pub fn at(&self) -> &At<'a> {
        &self.at
    }

    /// A field that may be left out.
    pub fn get(&self, name: &str) -> Option<&At<'a>> {
        self.entries.get(name)
    }

    /// A field that must be there.
    pub fn need(&self, name: &str, example: &str) -> Option<&At<'a>> {
        let found = self.get(name);
        if found.is_none() {
            self.at.problem_with_key(format!("`{name}` is missing, for example `{name}: {example}`"));
        }
        found
    }

    /// The field that is there out of several of which there must be exactly one.
    pub fn one_of(&self, names: &[&'static str]) -> Option<(&'static str, &At<'a>)> {
        let mut found = names.iter().filter_map(|name| Some((*name, self.get(name)?)));
        let Some(first) = found.next() else {
            self.at.problem_with_key(format!("needs {}", list_of(names.iter().copied())));
            return None;
        };
        for (name, other) in found {
            other
                .problem_with_key(format!("`{}` and `{name}` exclude each other; keep one of them", first.0));
        }
        Some(first)
    }

    /// A field that may be left out: the default when it is, nothing when it is wrong.
    pub fn or<T>(&self, name: &str, default: T, read: impl FnOnce(&At<'a>) -> Option<T>) -> Option<T> {
        self.get(name).map_or(Some(default), read)
    }

    /// A field that may be left out: `Some(None)` when it is, nothing when it is wrong.
    pub fn maybe<T>(&self, name: &str, read: impl FnOnce(&At<'a>) -> Option<T>) -> Option<Option<T>> {
        self.get(name).map_or(Some(None), |at| read(at).map(Some))
    }
}

/// Finds an entry by its id, or says which ids there are.
fn look_up<'k, T, V>(
    text: &str,
    what: &str,
    known: &'k BTreeMap<T, V>,
    hints: bool,
) -> Result<(&'k T, &'k V), String>
where
    T: Ord + fmt::Display + FromStr,
{
    if let Some(found) = text.parse().ok().and_then(|id: T| known.get_key_value(&id)) {
        return Ok(found);
    }
    let wrong = format!("there is no {what} {}", tick(text));
    if !hints {
        return Err(wrong);
    }
    let names: Vec<String> = known.keys().map(T::to_string).collect();
    let hint = match near::nearest(text, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "none is configured".to_owned(),
        None if names.len() > 8 => format!("known: {} and {} more", names[..8].join(", "), names.len() - 8),
        None => format!("known: {}", names.join(", ")),
    };
    Err(format!("{wrong}; {hint}"))
}

/// A text in quotes, cut when long.
pub fn quote(text: &str) -> String {
    format!("{:?}", clip(text))
}

/// A text in backticks, cut when long.
fn tick(text: &str) -> String {
    format!("`{}`", clip(text))
}

fn clip(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// `a, b or c`.
fn list_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match (path.is_empty(), bare) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{}]", quote(name)),
    }
}
