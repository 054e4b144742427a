//! `capture`: what a step keeps of its answer.

use crate::config::{
    read::{At, Fields},
    validate::{request, template},
};
use std::collections::{BTreeMap, BTreeSet};
use wire::assignment::Source;

/// What is found without saying where.
const WHOLE: [(&str, Source); 5] = [
    ("status", Source::Status),
    ("size", Source::Size),
    ("sha256", Source::Sha256),
    ("served_by", Source::ServedBy),
    ("body", Source::Body),
];

/// What a step keeps, and of which values nobody may see.
#[derive(Default)]
pub(super) struct Captures {
    pub(super) values: BTreeMap<String, Source>,
    pub(super) secret: BTreeSet<String>,
}

pub(super) fn read(at: &At<'_>) -> Option<Captures> {
    let mut captures = Captures::default();
    let mut well = true;
    for (name, at) in at.entries()? {
        if let Some(problem) = template::bad_name(name) {
            at.problem_with_key(problem);
            well = false;
        }
        match one(&at) {
            Some((from, secret)) => {
                captures.values.insert(name.to_owned(), from);
                captures.secret.extend(secret.then(|| name.to_owned()));
            }
            None => well = false,
        }
    }
    well.then_some(captures)
}

/// A word, or a mapping with one place and what belongs to it; says whether the value is a secret.
fn one(at: &At<'_>) -> Option<(Source, bool)> {
    if at.is_text() {
        let found = WHOLE.into_iter().find(|(word, _)| at.is_word(word));
        let Some((_, from)) = found else {
            return at.expected(
                "`status`, `size`, `sha256`, `served_by`, `body`, or a place such as { json: $.id }",
            );
        };
        return Some((from, false));
    }
    let places = ["json", "header", "cookie", "regex", "css"];
    let mut known = places.to_vec();
    known.extend(["group", "attribute", "secret"]);
    let fields = at.fields(&known)?;
    let secret = fields.or("secret", false, At::flag);
    let (place, at) = fields.one_of(&places)?;
    let from = match place {
        "json" => path(at).map(Source::Json),
        "header" => request::header_name(at).map(Source::Header),
        "cookie" => request::cookie_name(at).map(Source::Cookie),
        "regex" => regex(at, &fields),
        _ => css(at, &fields),
    };
    for (name, owner) in [("group", "regex"), ("attribute", "css")] {
        if let Some(at) = fields.get(name).filter(|_| place != owner) {
            at.problem_with_key(format!("belongs to `{owner}`"));
            return None;
        }
    }
    Some((from?, secret?))
}

fn path(at: &At<'_>) -> Option<String> {
    let path = at.text(usize::MAX)?;
    template::json_path(path).map_err(|problem| at.problem(problem)).ok()?;
    Some(path.to_owned())
}

/// The group is the first one where there is any, else the whole match.
fn regex(at: &At<'_>, fields: &Fields<'_>) -> Option<Source> {
    let pattern = at.text(usize::MAX)?;
    let groups = template::regex(pattern).map_err(|problem| at.problem(problem)).ok()?;
    let usual = u8::from(groups > 0);
    let group = fields.or("group", usual, |at| {
        let group: u8 = at.whole(0..=99)?;
        if usize::from(group) > groups {
            at.problem(format!("the expression has {groups} groups"));
            return None;
        }
        Some(group)
    });
    Some(Source::Pattern { pattern: pattern.to_owned(), group: group? })
}

fn css(at: &At<'_>, fields: &Fields<'_>) -> Option<Source> {
    let selector = at.text(usize::MAX)?;
    template::css(selector).map_err(|problem| at.problem(problem)).ok()?;
    let attribute = fields.maybe("attribute", |at| at.text(100).map(str::to_owned));
    Some(Source::Css { selector: selector.to_owned(), attribute: attribute? })
}
