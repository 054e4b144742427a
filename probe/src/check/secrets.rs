//! Secrets in the texts of a check: `{{ secret.NAME }}`.
//!
//! They are fetched before the watch starts, so that no run is slow because a vault is. In HTTP requests the templates
//! fill them in; elsewhere this is the only template, and all other braces are texts. What a run found is cleaned of the
//! values at the end, wherever a server may have put them.

use super::{Measured, redact::Redactor, template, words};
use crate::{
    net::Net,
    secrets::{Secret, SecretError, Secrets, is_name},
};
use serde_json::Value;
use std::{
    borrow::Cow,
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use url::Url;
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, TlsOptions, When},
    sample::Evidence,
};

/// How a name is written.
const PREFIX: &str = "secret.";

/// The values that a check uses, by name.
pub(super) type Values = BTreeMap<String, Secret>;

/// A check whose secrets are known.
pub(super) struct Filled<'a> {
    pub(super) check: Cow<'a, AssignedCheck>,
    pub(super) values: Values,
}

/// Fetches what the check needs and fills it in.
///
/// # Errors
/// When this probe does not have one of the secrets, or does not send it there.
pub(super) async fn fill<'a>(
    check: &'a AssignedCheck,
    endpoint: &Endpoint,
    secrets: &Secrets,
) -> Result<Filled<'a>, SecretError> {
    let mut check = Cow::Borrowed(check);
    let tls = &check.reach.tls;
    let kind = mentioning(&check.kind);
    let mut names = BTreeSet::new();
    let mut note = |text: &str| names.extend(named(text).map(str::to_owned));
    kind.iter().for_each(|kind| each_text(kind, &mut note));
    if let CheckKind::Journey(journey) = &check.kind {
        // Conditions are expressions without braces.
        let conditions = journey.steps.iter().filter_map(|step| match &step.when {
            When::If(expression) => Some(format!("{{{{{expression}}}}}")),
            _ => None,
        });
        conditions.for_each(|condition| note(&condition));
    }
    tls.ca.iter().for_each(|ca| note(ca));
    names.extend(tls.client.iter().flat_map(|client| [client.certificate.clone(), client.key.clone()]));
    if names.is_empty() {
        return Ok(Filled { check, values: Values::new() });
    }
    let mut values = Values::new();
    for name in names {
        for url in check.regions.values().chain([&endpoint.url]) {
            // An address that cannot be read is no place that anything is sent to.
            let url = Url::parse(url).ok();
            secrets.permits(&name, url.as_ref().and_then(Url::host_str).unwrap_or_default())?;
        }
        values.insert(name.clone(), secrets.get(&name).await?);
    }
    if let Some(mut kind) = kind.filter(|_| !matches!(check.kind, CheckKind::Http(_) | CheckKind::Journey(_)))
    {
        change_texts(&mut kind, &mut |text| *text = filled(text, &values));
        // What a text says decides nothing about the shape.
        if let Ok(kind) = serde_json::from_value(kind) {
            check.to_mut().kind = kind;
        }
    }
    if check.reach.tls.ca.as_deref().is_some_and(|ca| named(ca).next().is_some()) {
        check.to_mut().reach.tls.ca.iter_mut().for_each(|ca| *ca = filled(ca, &values));
    }
    Ok(Filled { check, values })
}

/// The kind as a tree, if it may name a secret. All texts of every kind are looked at in this way, also those that are
/// added to a kind one day.
fn mentioning(kind: &CheckKind) -> Option<Value> {
    // Most checks are plain requests, of which each run is to cost little.
    if matches!(kind, CheckKind::Http(request) if !template::are_in(request)) {
        return None;
    }
    let text = serde_json::to_string(kind).ok()?;
    if !text.contains(PREFIX) {
        return None;
    }
    serde_json::from_str(&text).ok()
}

fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, see)),
        _ => {}
    }
}

fn change_texts(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| change_texts(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| change_texts(field, change)),
        _ => {}
    }
}

impl Filled<'_> {
    /// The values themselves, to be taken out of texts.
    pub(super) fn revealed(&self) -> Vec<String> {
        self.values.values().map(|secret| secret.reveal().to_owned()).collect()
    }

    /// The network with handshakes as this check wants them, where it wants anything of them.
    ///
    /// # Errors
    /// A sentence, when certificates or keys cannot be used.
    pub(super) fn net(&self, net: &Net) -> Result<Option<Net>, String> {
        let options = &self.check.reach.tls;
        if *options == TlsOptions::default() {
            return Ok(None);
        }
        let value = |name: &String| self.values.get(name).cloned();
        let client = options.client.as_ref();
        let client = client.and_then(|client| Some((value(&client.certificate)?, value(&client.key)?)));
        net.with_tls(options, client).map(Some)
    }

    /// Takes the values out of what a run found.
    pub(super) fn clean(&self, mut found: Measured) -> Measured {
        if self.values.is_empty() {
            return found;
        }
        let secrets = self.revealed();
        // Most runs go well and hold no foreign text at all.
        let redactor = LazyCell::new(|| Redactor::new(&secrets));
        let mut clean = |text: &mut String| *text = redactor.redact(text);
        found.evidence = found.evidence.map(|evidence| clean_evidence(evidence, &mut clean));
        found.served_by.iter_mut().for_each(&mut clean);
        found.trail.iter_mut().for_each(|exchange| exchange.redact(&secrets));
        found.hops.iter_mut().for_each(|hop| clean(&mut hop.url));
        found.addresses.iter_mut().filter_map(|one| one.summary.as_mut()).for_each(&mut clean);
        found.steps.iter_mut().filter_map(|step| step.served_by.as_mut()).for_each(&mut clean);
        found
    }
}

/// Evidence with every text of it cleaned; none of it where that does not succeed.
fn clean_evidence(evidence: Evidence, clean: &mut impl FnMut(&mut String)) -> Evidence {
    let cleaned = serde_json::to_value(&evidence).and_then(|mut tree| {
        change_texts(&mut tree, clean);
        serde_json::from_value::<Evidence>(tree)
    });
    let mut evidence = cleaned.unwrap_or_else(|_unlikely| Evidence {
        summary: "the evidence could not be cleaned of secrets, and is left out".to_owned(),
        step: None,
        excerpt: None,
        withheld: None,
    });
    evidence.summary = words::line(&evidence.summary, super::evidence::MAX_SUMMARY);
    if let Some(excerpt) = &mut evidence.excerpt {
        excerpt.truncate(excerpt.floor_char_boundary(super::evidence::MAX_EXCERPT));
    }
    evidence
}

/// The names in a text.
fn named(text: &str) -> impl Iterator<Item = &str> {
    mentions(text).map(|range| &text[range])
}

/// A single check's text with its secrets; texts around them, and other braces, stay as they are.
fn filled(text: &str, values: &Values) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let inner = after.split_once("}}").and_then(|(inner, behind)| {
            let value = values.get(inner.trim().strip_prefix(PREFIX)?)?;
            Some((value, behind))
        });
        match inner {
            Some((value, behind)) => {
                out.push_str(value.reveal());
                rest = behind;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Where names of secrets stand between the marks of templates, in order.
fn mentions(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find("{{").into_iter().chain(text[at..].find("{%")).min() {
        let inner = at + begin + 2;
        let close = if text[at + begin..].starts_with("{{") { "}}" } else { "%}" };
        let Some(length) = text[inner..].find(close) else { break };
        found.extend(
            mentions_in(&text[inner..inner + length]).map(|range| inner + range.start..inner + range.end),
        );
        at = inner + length + 2;
    }
    found.into_iter()
}

/// The same inside one template.
fn mentions_in(expression: &str) -> impl Iterator<Item = Range<usize>> {
    expression.match_indices(PREFIX).filter_map(|(at, _)| {
        let part_of_a_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        if expression[..at].ends_with(part_of_a_word) {
            return None;
        }
        let begin = at + PREFIX.len();
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = expression[begin..].find(|c| !letter(c)).unwrap_or(expression.len() - begin);
        // A hyphen at the end belongs to the template: `-}}` trims what follows.
        let name = expression[begin..begin + length].trim_end_matches('-');
        is_name(name).then(|| begin..begin + name.len())
    })
}

/// The text with `secret.a-b` as `secret["a-b"]`: in templates a hyphen would be a minus.
pub(super) fn subscripted(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for range in mentions(text).filter(|range| text[range.clone()].contains('-')) {
        out.push_str(&text[copied..range.start - 1]);
        out.push_str(&format!("[\"{}\"]", &text[range.clone()]));
        copied = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_templates_only() {
        for (text, expected) in [
            ("Bearer {{ secret.shop-key }}", vec!["shop-key"]),
            ("{{secret.a}}{{ secret.b|upper }}{{secret.c-}}", vec!["a", "b", "c"]),
            ("{% if secret.a == 'x' %}{{ secret.b ~ secret.a }}{% endif %}", vec!["a", "b", "a"]),
            ("secret.a {{ mysecret.a }} {{ x.secret.a }} {{ secret }} {{ secret. }} {{ secret.a", vec![]),
            ("{% raw", vec![]),
            ("ä{{ secret.ä }}", vec![]),
        ] {
            assert_eq!(named(text).collect::<Vec<_>>(), expected, "{text}");
        }
        assert_eq!(subscripted("a {{ secret.a-b }}{{ secret.c }}"), "a {{ secret[\"a-b\"] }}{{ secret.c }}");
        assert_eq!(subscripted("secret.a-b"), "secret.a-b");
    }
}
