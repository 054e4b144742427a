//! What may stand between `{{` and `}}`: names, functions and filters that a probe knows.

use super::secret;
use crate::config::{near, read};
use minijinja::Environment;
use std::collections::BTreeSet;

/// The longest expression, bytes.
const LONGEST: usize = 1024;
/// Values that a probe offers, with what must follow them.
pub const BUILT_IN: [&str; 6] = ["run", "region", "vantage", "here", "regions", secret::WORD];
/// Functions that a probe offers.
pub const FUNCTIONS: [&str; 7] =
    ["uuid", "now", "timestamp", "timestamp_ms", "random_int", "random_hex", "random_word"];
/// Filters that a probe offers.
const FILTERS: [&str; 9] =
    ["upper", "lower", "trim", "length", "default", "int", "tojson", "urlencode", "base64"];
/// Words of the language.
pub const KEYWORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];

/// What is wrong with an expression, if something is; `known` are the names of captured and set values.
pub fn problem(expression: &str, known: &BTreeSet<String>) -> Option<String> {
    if expression.len() > LONGEST {
        return Some(format!("the expression is {} bytes long; the limit is {LONGEST}", expression.len()));
    }
    if expression.is_empty() {
        return Some("`{{ }}` is empty; name a value or call a function".to_owned());
    }
    if secret::is_meant(expression) {
        return secret::read(expression).err();
    }
    let plain = secret::without(expression);
    if let Err(error) = Environment::empty().compile_expression(&plain) {
        let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        return Some(format!("{} is no expression: {why}", read::quote(expression)));
    }
    words(&plain).find_map(|word| wrong(&word, known))
}

/// A word of an expression with what stands around it.
struct Word<'e> {
    text: &'e str,
    /// The last sign before it that is no space.
    before: Option<char>,
    /// What follows it, without spaces before that.
    after: &'e str,
}

fn wrong(word: &Word<'_>, known: &BTreeSet<String>) -> Option<String> {
    let Word { text, before, after } = *word;
    let unknown = |what: &str, list: &[&str]| {
        let near = near::nearest(text, list.iter().copied());
        let hint = near
            .map_or_else(|| format!("known: {}", list.join(", ")), |near| format!("did you mean `{near}`?"));
        Some(format!("there is no {what} `{text}`; {hint}"))
    };
    if before == Some('.') {
        return None;
    }
    if before == Some('|') {
        return if FILTERS.contains(&text) { None } else { unknown("filter", &FILTERS) };
    }
    if text == "is" {
        return Some("`is` is not available; compare with == or use `| default('')`".to_owned());
    }
    if KEYWORDS.contains(&text) {
        return None;
    }
    if after.starts_with('(') {
        return if FUNCTIONS.contains(&text) { None } else { unknown("function", &FUNCTIONS) };
    }
    let must = |part: &str| (!after.starts_with(part)).then(|| format!("write `{text}{part}`"));
    match text {
        "run" => must(".id"),
        "here" => must(".url"),
        secret::WORD => Some("write `secret.NAME`, with the name of a secret of the probes".to_owned()),
        "regions" if !after.starts_with(['[', '.']) => {
            Some("write `regions['id'].url`, with the id of a region".to_owned())
        }
        "region" | "vantage" | "regions" => None,
        _ if known.contains(text) => None,
        _ if FUNCTIONS.contains(&text) => Some(format!("`{text}` is a function: write `{text}()`")),
        _ => {
            let names = known.iter().map(String::as_str).chain(BUILT_IN).chain(FUNCTIONS);
            let hint = near::nearest(text, names);
            let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            Some(format!("no earlier step captures `{text}`{hint}"))
        }
    }
}

/// The words of an expression; texts in quotes and numbers are none.
fn words(expression: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    let mut before = None;
    std::iter::from_fn(move || {
        while let Some(c) = expression[at..].chars().next() {
            let rest = &expression[at..];
            if c == '\'' || c == '"' {
                at += quoted(rest, c);
                before = Some(c);
            } else if c.is_alphanumeric() || c == '_' {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                at += length;
                let word = Word { text: &rest[..length], before, after: rest[length..].trim_start() };
                before = Some('a');
                if !c.is_numeric() {
                    return Some(word);
                }
            } else {
                at += c.len_utf8();
                before = if c.is_whitespace() { before } else { Some(c) };
            }
        }
        None
    })
}

/// How long a text in quotes is, with both quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_knows_is_accepted() {
        let known = BTreeSet::from(["cart".to_owned()]);
        for good in [
            "cart",
            "run.id",
            "region ~ '-' ~ vantage",
            "regions['eu-west-1'].url",
            "here.url",
            "uuid()",
            "random_int(1, 6)",
            "cart | default('none') | upper",
            "cart == 'it\\'s' and not (cart | length > 3)",
            "'a' if cart in ['x', 'y'] else 1.5",
            "now()",
            "secret.shop-key",
            "'Basic ' ~ secret.shop-key | base64",
        ] {
            assert_eq!(problem(good, &known), None, "{good}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_told() {
        let known = BTreeSet::from(["cart".to_owned()]);
        for (bad, expected) in [
            ("", "is empty"),
            ("cart ==", "is no expression"),
            ("carts", "no earlier step captures `carts`; did you mean `cart`?"),
            ("uuid", "`uuid` is a function: write `uuid()`"),
            ("uid()", "there is no function `uid`; did you mean `uuid`?"),
            ("range(3)", "there is no function `range`; known: uuid, now"),
            ("cart | uppr", "there is no filter `uppr`; did you mean `upper`?"),
            ("run", "write `run.id`"),
            ("run.trace", "write `run.id`"),
            ("regions", "write `regions['id'].url`"),
            ("cart is defined", "`is` is not available"),
            ("regon", "did you mean `region`?"),
            ("secrets.key", "did you mean `secret.key`?"),
            ("secret", "secret.NAME"),
            ("secret | upper", "secret.NAME"),
        ] {
            let found = problem(bad, &known).unwrap_or_else(|| panic!("{bad}"));
            assert!(found.contains(expected), "{bad}: {found}");
        }
    }
}
