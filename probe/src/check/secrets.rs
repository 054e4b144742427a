//! Secrets in the texts of a check: `{{ secret.NAME }}`.
//!
//! They are fetched before the watch starts, so that no run is slow because a vault is. In single checks this is
//! the only template, and all other braces are texts; in journeys the templates do it. What a run found is cleaned of
//! the values at the end, wherever a server may have put them.

use super::{Measured, redact::redact, words};
use crate::{
    net::Net,
    secrets::{Secret, SecretError, Secrets, is_name},
};
use std::{borrow::Cow, collections::BTreeMap, ops::Range};
use wire::{
    assignment::{AssignedCheck, CheckKind, Request, TlsOptions},
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
/// When this probe does not have one of the secrets.
pub(super) async fn fill<'a>(check: &'a AssignedCheck, secrets: &Secrets) -> Result<Filled<'a>, SecretError> {
    let mut values = Values::new();
    for name in names(&check.kind).into_iter().chain(of_tls(&check.reach.tls)) {
        if !values.contains_key(name) {
            values.insert(name.to_owned(), secrets.get(name).await?);
        }
    }
    let mut check = Cow::Borrowed(check);
    let fill = |text: &mut String| *text = filled(text, &values);
    if !values.is_empty() && !matches!(check.kind, CheckKind::Journey(_)) {
        texts_mut(&mut check.to_mut().kind).into_iter().for_each(fill);
    }
    if check.reach.tls.ca.as_deref().is_some_and(|ca| named(ca).next().is_some()) {
        check.to_mut().reach.tls.ca.iter_mut().for_each(fill);
    }
    Ok(Filled { check, values })
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
        let clean = |text: &mut String| {
            let without = redact(text, &secrets);
            if without != *text {
                *text = without;
            }
        };
        if let Some(Evidence { summary, excerpt, .. }) = &mut found.evidence {
            clean(summary);
            *summary = words::line(summary, super::evidence::MAX_SUMMARY);
            if let Some(excerpt) = excerpt {
                clean(excerpt);
                excerpt.truncate(excerpt.floor_char_boundary(super::evidence::MAX_EXCERPT));
            }
        }
        found.served_by.iter_mut().for_each(clean);
        found.hops.iter_mut().for_each(|hop| clean(&mut hop.url));
        found.addresses.iter_mut().filter_map(|one| one.summary.as_mut()).for_each(clean);
        found.steps.iter_mut().filter_map(|step| step.served_by.as_mut()).for_each(clean);
        found
    }
}

/// The secrets that a check names, with repetitions.
fn names(kind: &CheckKind) -> Vec<&str> {
    match kind {
        CheckKind::Http(request) => of_request(request).collect(),
        CheckKind::Journey(journey) => {
            journey.steps.iter().flat_map(|step| of_request(&step.request)).collect()
        }
        CheckKind::Tcp(tcp) => {
            [&tcp.send, &tcp.expect].into_iter().flatten().flat_map(|text| named(text)).collect()
        }
        CheckKind::WebSocket(socket) => [&socket.send, &socket.expect]
            .into_iter()
            .flatten()
            .chain([&socket.path])
            .chain(socket.headers.values())
            .flat_map(|text| named(text))
            .collect(),
        CheckKind::Tls(_)
        | CheckKind::Dns(_)
        | CheckKind::Icmp(_)
        | CheckKind::Grpc(_)
        | CheckKind::Unknown(_) => Vec::new(),
    }
}

fn of_tls(tls: &TlsOptions) -> impl Iterator<Item = &str> {
    let client = tls.client.iter().flat_map(|client| [client.certificate.as_str(), client.key.as_str()]);
    tls.ca.iter().flat_map(|ca| named(ca)).chain(client)
}

fn of_request(request: &Request) -> impl Iterator<Item = &str> {
    let expect = request.expect.body_contains.iter().chain(request.expect.json.values());
    let texts = request.headers.values().chain(&request.body).chain(expect);
    std::iter::once(&request.path).chain(texts).flat_map(|text| named(text))
}

fn texts_mut(kind: &mut CheckKind) -> Vec<&mut String> {
    match kind {
        CheckKind::Http(request) => {
            let expect = &mut request.expect;
            let mut texts: Vec<&mut String> = request.headers.values_mut().collect();
            texts.push(&mut request.path);
            texts.extend(&mut request.body);
            texts.extend(&mut expect.body_contains);
            texts.extend(expect.json.values_mut());
            texts
        }
        CheckKind::Tcp(tcp) => tcp.send.iter_mut().chain(&mut tcp.expect).collect(),
        CheckKind::WebSocket(socket) => {
            let texts = socket.send.iter_mut().chain(&mut socket.expect);
            texts.chain(socket.headers.values_mut()).chain([&mut socket.path]).collect()
        }
        _ => Vec::new(),
    }
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
