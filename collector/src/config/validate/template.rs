//! Sanity of small languages inside texts: `{{ name }}` templates and JSONPath.

use crate::config::{
    near,
    read::{self, At},
};
use std::collections::BTreeSet;

/// What the probe offers besides captured values: the run's own id, and the region that the series points at.
const BUILT_IN: [&str; 2] = ["run.id", "region"];

/// Names that a captured value may not have, because they are built in.
pub const RESERVED: [&str; 3] = ["run", "region", "secret"];

/// How a secret of the probe is named: `secret.NAME`.
const SECRET: &str = "secret";

/// Whether and which captured values a text may use.
#[derive(Clone, Copy)]
pub enum Scope<'s> {
    /// A single request: only `{{ secret.NAME }}` is a template, and other braces have no meaning.
    Literal,
    /// A journey's step: the values that earlier steps captured.
    Names(&'s BTreeSet<String>),
}

impl Scope<'_> {
    /// Checks the templates of a text; says whether all are well.
    pub fn check(self, at: &At<'_>, text: &str) -> Option<()> {
        let Scope::Names(known) = self else {
            return literal(at, text);
        };
        let mut well = true;
        for template in templates(text) {
            let problem = match template {
                Err(()) => Some("`{{` without `}}`".to_owned()),
                Ok(name) if BUILT_IN.contains(&name) => None,
                Ok(name) if begins_with_secret(name) => secret(name).err(),
                Ok(name) if !is_name(name) => Some(format!(
                    "between {{{{ and }}}} stands the name of a captured value, not {}",
                    read::quote(name)
                )),
                Ok(name) if known.contains(name) => None,
                Ok(name) => {
                    let hint = near::nearest(name, known.iter().map(String::as_str));
                    let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                    Some(format!("no earlier step captures `{name}`{hint}"))
                }
            };
            if let Some(problem) = problem {
                at.problem(problem);
                well = false;
            }
        }
        well.then_some(())
    }

    /// The text with something harmless in place of its templates, to check what surrounds them.
    pub fn without(self, text: &str) -> String {
        let all = matches!(self, Scope::Names(_));
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            plain += before;
            let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
            if all || secret(name.trim()).is_ok() {
                plain.push('0');
                rest = behind;
            } else {
                plain += "{{";
                rest = after;
            }
        }
        plain + rest
    }
}

/// Checks a text in which only secrets are templates.
fn literal(at: &At<'_>, text: &str) -> Option<()> {
    let mut well = true;
    for name in templates(text).flatten().filter(|name| begins_with_secret(name)) {
        if let Err(problem) = secret(name) {
            at.problem(problem);
            well = false;
        }
    }
    well.then_some(())
}

/// Whether a template means a secret: also one that is misspelled, such as `secrets.key`.
fn begins_with_secret(name: &str) -> bool {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    first == SECRET || (!rest.is_empty() && near::nearest(first, [SECRET]).is_some())
}

/// Reads `secret.NAME`.
fn secret(name: &str) -> Result<(), String> {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    if first == SECRET && is_secret_name(rest) {
        return Ok(());
    }
    if first != SECRET && is_secret_name(rest) {
        return Err(format!("there is no `{name}` in templates; did you mean `{SECRET}.{rest}`?"));
    }
    Err(format!(
        "a secret is written as secret.NAME, its name has 1 to 63 letters, digits, _ and -, and no - at its ends; \
         this is {}",
        read::quote(name)
    ))
}

/// Whether a text can name a secret of the probes.
pub fn is_secret_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(letter)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// What stands between the braces of each template; an error for braces that are not closed.
fn templates(text: &str) -> impl Iterator<Item = Result<&str, ()>> {
    text.split("{{").skip(1).map(|after| after.split_once("}}").map(|(name, _)| name.trim()).ok_or(()))
}

/// Whether a text can name a captured value.
pub fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    (1..=63).contains(&text.len())
        && text.bytes().enumerate().all(|(i, b)| letter(b) || (i > 0 && b.is_ascii_digit()))
}

/// Checks the outline of an RFC 9535 JSONPath: its beginning, its brackets and quotes. The probe parses the rest.
pub fn json_path(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "expected a JSONPath that begins with $, such as $.cart.id or $['id'][0]";
    let mut open = Vec::new();
    let mut quote = None;
    let mut escaped = false;
    for c in text.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => open.push(']'),
            (None, '(') => open.push(')'),
            (None, ']' | ')') if open.pop() != Some(c) => return Err(PROBLEM),
            _ => {}
        }
    }
    let begins = text == "$" || text.starts_with("$.") || text.starts_with("$[");
    let ends = open.is_empty() && quote.is_none() && !text.ends_with('.');
    if begins && ends && text.len() <= 1024 { Ok(()) } else { Err(PROBLEM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_templates_out() {
        let names = BTreeSet::new();
        let scope = Scope::Names(&names);
        assert_eq!(scope.without("/carts/{{ cart }}/x{{"), "/carts/0/x0");
        assert_eq!(Scope::Literal.without("/a{{ b }}{{ secret.c-d }}{{x"), "/a{{ b }}0{{x");
        let found: Vec<_> = templates("a {{ b }} c }} {{d}} {{ e").collect();
        assert_eq!(found, [Ok("b"), Ok("d"), Err(())]);
    }

    #[test]
    fn tells_paths_from_other_texts() {
        for good in ["$", "$.a.b", "$['a.b'][0]", "$[?(@.a == ')')].b", "$..id"] {
            assert_eq!(json_path(good), Ok(()), "{good}");
        }
        for bad in ["", "a.b", "$a", "$.", "$[0", "$]", "$['a", "$[(])"] {
            assert!(json_path(bad).is_err(), "{bad}");
        }
    }
}
