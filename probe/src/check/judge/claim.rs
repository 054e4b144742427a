//! One expectation against one answer, and both in words.

use super::{
    answer::{Answer, Value},
    pattern,
};
use crate::check::{MAX_BODY, fault::Fault, words};
use std::borrow::Cow;
use wire::{
    RegionId,
    assignment::{Expect, Must, Server, Source, Target, Timing},
    sample::FailClass,
};

/// One thing that is expected of an answer.
pub(super) enum Claim<'e> {
    /// One of these; without any, 200 to 399.
    Status(&'e [u16]),
    ServedBy(&'e Server),
    Value(Cow<'e, Source>, Cow<'e, Must>),
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) holds: bool,
    /// With its verb, to stand behind a comma: `saw "x"`.
    pub(super) words: String,
}

impl<'e> Claim<'e> {
    /// All that is expected, in the order in which it is looked at.
    pub(super) fn all(expect: &'e Expect) -> impl Iterator<Item = Claim<'e>> {
        let text = expect
            .body_contains
            .iter()
            .map(|text| Claim::Value(Cow::Owned(Source::Body), Cow::Owned(Must::Contain(text.clone()))));
        let json = expect.json.iter().map(|(path, text)| {
            Claim::Value(Cow::Owned(Source::Json(path.clone())), Cow::Owned(Must::Equal(text.clone())))
        });
        let rules = expect.rules.iter();
        let rules = rules.map(|rule| Claim::Value(Cow::Borrowed(&rule.of), Cow::Borrowed(&rule.must)));
        std::iter::once(Claim::Status(&expect.status))
            .chain(expect.served_by.iter().map(Claim::ServedBy))
            .chain(text)
            .chain(json)
            .chain(rules)
    }

    /// What a failure of it is.
    pub(super) fn class(&self) -> FailClass {
        match self {
            Claim::Status(_) => FailClass::Status,
            Claim::Value(of, _) if **of == Source::Certificate => FailClass::Tls,
            Claim::ServedBy(_) | Claim::Value(..) => FailClass::Assertion,
        }
    }

    /// To stand behind "expected".
    pub(super) fn words(&self) -> String {
        match self {
            Claim::Status([]) => "status 200 to 399".to_owned(),
            Claim::Status(some) => format!("status {}", words::line(&list(some.iter()), 120)),
            Claim::ServedBy(server) => format!("to be served by {}", named(server)),
            Claim::Value(of, must) => format!("{} {}", subject(of), condition(of, must)),
        }
    }

    /// Holds it against an answer.
    ///
    /// # Errors
    /// What was looked for cannot be looked for in this answer at all.
    pub(super) fn look(&self, answer: &Answer<'_>) -> Result<Seen, Fault> {
        match self {
            Claim::Status(accepted) => Ok(status(accepted, answer.record.status.unwrap_or_default())),
            Claim::ServedBy(server) => served_by(server, answer),
            Claim::Value(of, must) => {
                let found = answer.find(of)?;
                unread(of, must, answer)?;
                // A phase that did not happen took no time.
                let untimed = found.is_none() && matches!(**of, Source::Time(_));
                let holds = untimed || holds(must, found.as_ref())?;
                Ok(Seen { holds, words: saw(of, must, found.as_ref(), answer, holds) })
            }
        }
    }
}

/// Of a body that goes on, nobody knows how long it is, nor what it does not hold.
fn unread(of: &Source, must: &Must, answer: &Answer<'_>) -> Result<(), Fault> {
    let whole = match (of, must) {
        (Source::Size, must) => !matches!(must, Must::AtLeast(_) | Must::Above(_)),
        (Source::Body, must) => !matches!(must, Must::Contain(_) | Must::Match(_)),
        (Source::Pattern { .. }, Must::Exist(false)) => true,
        _ => false,
    };
    if whole && answer.record.truncated {
        let (subject, condition) = (subject(of), condition(of, must));
        let why = format!(
            "expected {subject} {condition}, and the body is longer than the {MAX_BODY} bytes that are read"
        );
        return Err(Fault::assertion(why));
    }
    Ok(())
}

fn status(accepted: &[u16], seen: u16) -> Seen {
    let holds = if accepted.is_empty() { (200..=399).contains(&seen) } else { accepted.contains(&seen) };
    let reason = http::StatusCode::from_u16(seen).ok().and_then(|code| code.canonical_reason());
    let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    Seen { holds, words: format!("saw {seen}{reason}") }
}

fn served_by(server: &Server, answer: &Answer<'_>) -> Result<Seen, Fault> {
    let Some(seen) = answer.served_by else {
        return Ok(Seen { holds: false, words: "the answer does not say by which".to_owned() });
    };
    let among = |regions: &[RegionId]| regions.iter().any(|region| region.as_str() == seen);
    let here = || match answer.target {
        Target::Region(here) => Ok(here.as_str() == seen),
        Target::Public => {
            Err(Fault::request("`served_by` asks for here, and the public entrance is no region"))
        }
    };
    let holds = match server {
        Server::Here => here()?,
        Server::Other => !here()?,
        Server::Among(regions) => among(regions),
        Server::Not(regions) => !among(regions),
    };
    let here = match answer.target {
        Target::Region(here) if matches!(server, Server::Here | Server::Other) => {
            format!(" (here is {here})")
        }
        _ => String::new(),
    };
    Ok(Seen { holds, words: format!("saw {}{here}", words::line(seen, 63)) })
}

fn named(server: &Server) -> String {
    match server {
        Server::Here => "this region".to_owned(),
        Server::Other => "another region".to_owned(),
        Server::Among(regions) => words::line(&list(regions.iter()), 120),
        Server::Not(regions) => words::line(&format!("a region other than {}", list(regions.iter())), 140),
    }
}

/// Whether a condition holds. What must not be there is not there when nothing is.
fn holds(must: &Must, found: Option<&Value<'_>>) -> Result<bool, Fault> {
    let Some(value) = found else {
        let vacuous = matches!(must, Must::Exist(false) | Must::Differ(_) | Must::Lack(_));
        return Ok(vacuous);
    };
    let number = |limit: &serde_json::Number, good: fn(&f64, &f64) -> bool| {
        let (seen, limit) = (value.number(), limit.as_f64());
        seen.zip(limit).is_some_and(|(seen, limit)| good(&seen, &limit))
    };
    Ok(match must {
        Must::Exist(wanted) => *wanted,
        Must::Equal(text) => value.is(text),
        Must::Differ(text) => !value.is(text),
        // The search in `str` is linear in both texts, whatever a server may send.
        Must::Contain(text) => value.text().contains(text),
        Must::Lack(text) => !value.text().contains(text),
        Must::Match(written) => pattern::compile(written)?.is_match(&value.text()),
        Must::Above(limit) => number(limit, f64::gt),
        Must::Below(limit) => number(limit, f64::lt),
        Must::AtLeast(limit) => number(limit, f64::ge),
        Must::AtMost(limit) => number(limit, f64::le),
        Must::Length { least, most } => (*least as usize..=*most as usize).contains(&value.length()),
    })
}

/// What an expectation is about.
pub(super) fn subject(of: &Source) -> String {
    match of {
        Source::Json(path) => words::line(path, 80),
        Source::Header(name) => format!("header {}", words::line(name, 80)),
        Source::Cookie(name) => format!("cookie {}", words::line(name, 80)),
        Source::Body => "the body".to_owned(),
        Source::Pattern { pattern, .. } => format!("match of /{}/", words::line(pattern, 80)),
        Source::Css { selector, attribute: None } => format!("element {}", words::line(selector, 80)),
        Source::Css { selector, attribute: Some(name) } => {
            format!("attribute {} of {}", words::line(name, 40), words::line(selector, 80))
        }
        Source::Status => "status".to_owned(),
        Source::Size => "the size of the body".to_owned(),
        Source::Sha256 => "the SHA-256 of the body".to_owned(),
        Source::ServedBy => "region that says it served it".to_owned(),
        Source::Time(timing) => timing.to_string(),
        Source::Certificate => "the certificate".to_owned(),
    }
}

fn condition(of: &Source, must: &Must) -> String {
    let text = |before: &str, text: &str| format!("{before} {}", words::quote(text));
    let number = |before: &str, limit: &serde_json::Number| format!("{before} {limit}");
    match (of, must) {
        (Source::Time(_), Must::AtMost(limit)) => {
            format!("to take at most {}", words::span(limit.as_u64().map_or(u32::MAX, saturate)))
        }
        (Source::Certificate, Must::AtLeast(limit)) => {
            format!("to stay valid for {}", words::age(limit.as_u64().unwrap_or(0)))
        }
        (Source::Sha256, Must::Equal(digest)) => format!("to be {}", words::line(digest, 64)),
        (_, Must::Exist(true)) => "to be there".to_owned(),
        (_, Must::Exist(false)) => "not to be there".to_owned(),
        (_, Must::Equal(want)) => text("to be", want),
        (_, Must::Differ(want)) => text("not to be", want),
        (_, Must::Contain(want)) => text("to contain", want),
        (_, Must::Lack(want)) => text("not to contain", want),
        (_, Must::Match(pattern)) => format!("to match /{}/", words::line(pattern, 60)),
        (_, Must::Above(limit)) => number("to be above", limit),
        (_, Must::Below(limit)) => number("to be below", limit),
        (_, Must::AtLeast(limit)) => number("to be at least", limit),
        (_, Must::AtMost(limit)) => number("to be at most", limit),
        (_, Must::Length { least, most }) if least == most => format!("to have a length of {least}"),
        (_, Must::Length { least, most: u32::MAX }) => format!("to have a length of at least {least}"),
        (_, Must::Length { least, most }) => format!("to have a length of {least} to {most}"),
    }
}

/// What was seen instead, or as expected.
fn saw(of: &Source, must: &Must, found: Option<&Value<'_>>, answer: &Answer<'_>, holds: bool) -> String {
    let Some(value) = found else { return missing(of).to_owned() };
    match (of, value) {
        (Source::Body, _) if answer.record.truncated => {
            format!("saw only its first {MAX_BODY} bytes, the rest was not read")
        }
        (Source::Body, _) => {
            format!("saw {} bytes that {}", answer.record.body.len(), if holds { "do" } else { "do not" })
        }
        (Source::Time(_), Value::Number(us)) => {
            format!("it took {}", words::span(saturate(us.unsigned_abs())))
        }
        (Source::Certificate, Value::Number(left)) => {
            format!("it expires in {}", words::age(left.unsigned_abs()))
        }
        (Source::Sha256, value) => format!("saw {}", value.text()),
        (_, value) if matches!(must, Must::Length { .. }) => format!("saw {}", value.length()),
        (_, Value::Number(number)) => format!("saw {number}"),
        (_, value) => format!("saw {}", words::quote(&value.text())),
    }
}

fn missing(of: &Source) -> &'static str {
    match of {
        Source::Json(_) => "the body has no such value",
        Source::Header(_) => "the answer has no such header",
        Source::Cookie(_) => "the answer sets no such cookie",
        Source::Css { attribute: None, .. } => "the page has no such element",
        Source::Css { .. } => "the page has no such element and attribute",
        Source::Certificate => "no certificate was shown",
        Source::Time(Timing::Total) => "nothing was timed",
        Source::Time(_) => "there was none",
        _ => "there is none",
    }
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `a or b or c`.
fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(" or ")
}
