//! `expect`: what an answer must look like.

use super::{LONGEST_VALUE, rule};
use crate::config::{node::Value, read::At, validate::template::Scope};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wire::{
    RegionId,
    assignment::{Expect, Must, Rule, Server, Source, Timing},
};

/// The keys, of which these read the body.
const OF_BODY: [&str; 4] = ["body_contains", "body", "json", "css"];

/// Reads the expectations; `method` is that of the request and `regions` those of the service, when they could be
/// read.
pub fn expect(
    at: &At<'_>,
    scope: Scope<'_>,
    method: Option<&str>,
    regions: Option<&BTreeSet<RegionId>>,
) -> Option<Expect> {
    let mut known = vec!["status"];
    known.extend(OF_BODY);
    known.extend(["headers", "cookies", "served_by", "phases", "valid_for"]);
    let fields = at.fields(&known)?;
    let status = fields.or("status", Vec::new(), status);
    let body_contains = fields.maybe("body_contains", |at| {
        let text = at.text(LONGEST_VALUE)?;
        scope.check(at, text)?;
        Some(text.to_owned())
    });
    let body = fields.or("body", Vec::new(), |at| rule::body(at, scope));
    let json = fields.or("json", (BTreeMap::new(), Vec::new()), |at| rule::json(at, scope));
    let css = fields.or("css", Vec::new(), |at| rule::css(at, scope));
    let headers = fields.or("headers", Vec::new(), |at| rule::headers(at, scope));
    let cookies = fields.or("cookies", Vec::new(), |at| rule::cookies(at, scope));
    let served_by = fields.maybe("served_by", |at| served_by(at, regions));
    let phases = fields.or("phases", Vec::new(), phases);
    let valid_for = fields.or("valid_for", Vec::new(), valid_for);
    if method == Some("HEAD")
        && let Some(at) = OF_BODY.iter().find_map(|key| fields.get(key))
    {
        at.problem_with_key("an answer to HEAD has no body; use GET or expect a status only");
    }
    let (json, more) = json?;
    let rules = [headers?, cookies?, body?, more, css?, phases?, valid_for?].concat();
    Some(Expect { status: status?, body_contains: body_contains?, json, served_by: served_by?, rules })
}

fn status(at: &At<'_>) -> Option<Vec<u16>> {
    let items = at.one_or_many();
    if items.is_empty() {
        return at.expected("a status code such as 200, or a list of them");
    }
    let codes: Vec<Option<u16>> = items.iter().map(|item| item.whole(100..=599)).collect();
    codes.into_iter().collect()
}

/// `here`, `other`, regions of the service, or `{ not: regions }`.
fn served_by(at: &At<'_>, regions: Option<&BTreeSet<RegionId>>) -> Option<Server> {
    if at.is_word("here") {
        return Some(Server::Here);
    }
    // What is wrong with the service is reported where it is.
    let regions = regions?;
    let known: BTreeMap<String, &RegionId> = regions.iter().map(|id| (id.to_string(), id)).collect();
    let named = |at: &At<'_>| {
        let items = at.one_or_many();
        if items.is_empty() {
            return at.expected("`here`, `other`, or regions of the service");
        }
        let found: Vec<_> =
            items.iter().map(|item| item.reference("region of the service", &known)).collect();
        found.into_iter().map(|found| Some((*found?.1).clone())).collect::<Option<Vec<RegionId>>>()
    };
    if at.is_word("other") {
        return Some(Server::Other);
    }
    if !matches!(at.value(), Value::Map(_)) {
        return named(at).map(Server::Among);
    }
    let fields = at.fields(&["not"])?;
    let at = fields.need("not", "us-east-1")?;
    if at.is_word("here") { Some(Server::Other) } else { named(at).map(Server::Not) }
}

/// Phases to the longest they may take.
fn phases(at: &At<'_>) -> Option<Vec<Rule>> {
    let names = Timing::NAMED.map(|(name, _)| name);
    let fields = at.fields(&names)?;
    let rules: Vec<Option<Rule>> = Timing::NAMED
        .iter()
        .filter_map(|(name, timing)| {
            let at = fields.get(name)?;
            let longest = at.duration(Duration::from_millis(1)..=Duration::from_secs(60));
            let most = |longest: Duration| Must::AtMost((longest.as_micros() as u64).into());
            Some(longest.map(|longest| Rule { of: Source::Time(*timing), must: most(longest) }))
        })
        .collect();
    rules.into_iter().collect()
}

fn valid_for(at: &At<'_>) -> Option<Vec<Rule>> {
    let least = at.duration(Duration::from_secs(3600)..=Duration::from_secs(1825 * 86_400))?;
    Some(vec![Rule { of: Source::Certificate, must: Must::AtLeast(least.as_secs().into()) }])
}
