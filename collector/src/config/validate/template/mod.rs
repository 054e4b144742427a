//! Sanity of small languages inside texts: `{{ expression }}`, JSONPath, regular expressions, CSS selectors.

mod expression;
mod pattern;
mod secret;

pub use expression::{BUILT_IN, FUNCTIONS};
pub use pattern::{css, json_path, regex};
pub use secret::is_name as is_secret_name;

use crate::config::read::At;
use std::collections::BTreeSet;

/// The values of a request that stands alone: only what is built in.
static NONE: BTreeSet<String> = BTreeSet::new();

/// Whether and which values a text may use.
#[derive(Clone, Copy)]
pub enum Scope<'s> {
    /// Only `{{ secret.NAME }}` is a template, and other braces have no meaning.
    Literal,
    /// What is built in, and the values that earlier steps captured or set.
    Names(&'s BTreeSet<String>),
}

impl Scope<'static> {
    /// What is built in.
    pub fn built_in() -> Self {
        Scope::Names(&NONE)
    }
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
                Ok(expression) => expression::problem(expression, known),
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
            if all || secret::read(name.trim()).is_ok() {
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
    for name in templates(text).flatten().filter(|name| secret::is_meant(name)) {
        if let Err(problem) = secret::read(name) {
            at.problem(problem);
            well = false;
        }
    }
    well.then_some(())
}

/// The expression of a text that is one template and nothing else.
pub fn only(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inside.contains("{{") && !inside.contains("}}")).then(|| inside.trim())
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

/// Why a text is no name for a value, if it is none.
pub fn bad_name(name: &str) -> Option<&'static str> {
    if !is_name(name) {
        return Some("is no name for a value: use 1 to 63 letters, digits and _, no digit first");
    }
    let taken = BUILT_IN.contains(&name) || FUNCTIONS.contains(&name) || expression::KEYWORDS.contains(&name);
    taken.then_some("is built in: choose another name for the value")
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
        assert_eq!((only(" {{ a == 1 }} "), only("{{ a }}{{ b }}"), only("a")), (Some("a == 1"), None, None));
    }
}
