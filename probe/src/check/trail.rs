//! What a run did, for a person who asks: every request with its answer. Kept only where [`super::Run::explain`] is
//! set; it never leaves the machine.

use super::{evidence, prepare::Prepared, record::Record, words};
use http::{HeaderMap, header};
use wire::sample::Phases;

/// How much of a body is shown, bytes.
const EXCERPT: usize = 1024;
/// How much of a URL, a header or a captured value is shown, characters.
const LINE: usize = 300;
const REDACTED: &str = "[redacted]";

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Exchange {
    /// The step of a journey that made it.
    pub step: Option<String>,
    /// Counted from 1; above 1 only in a step that repeats.
    pub attempt: u16,
    pub method: String,
    pub url: String,
    /// As they were sent, without those that HTTP itself needs.
    pub sent_headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub sent_body: Option<String>,
    /// The address that was connected to.
    pub address: Option<String>,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: Option<String>,
    pub served_by: Option<String>,
    pub phases: Phases,
    /// Every expectation, also those after the first that did not hold.
    pub assertions: Vec<Assertion>,
    /// What was kept for later steps.
    pub captures: Vec<(String, String)>,
    /// Why it failed, one sentence.
    pub fault: Option<String>,
}

/// One expectation and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Assertion {
    /// To stand behind "expected".
    pub expected: String,
    /// To stand behind a comma.
    pub saw: String,
    pub pass: bool,
}

impl Exchange {
    /// What is about to be sent.
    pub(super) fn sending(prepared: &Prepared) -> Exchange {
        Exchange {
            attempt: 1,
            method: prepared.method.to_string(),
            url: words::line(prepared.url.as_str(), LINE),
            sent_headers: shown(&prepared.headers),
            sent_body: excerpt(&prepared.body),
            ..Exchange::default()
        }
    }

    /// Adds what came back.
    pub(super) fn received(&mut self, record: &Record) {
        self.address = record.address.map(|address| address.to_string());
        self.status = record.status;
        self.headers = shown(&record.headers);
        self.body = excerpt(&record.body);
        self.phases = record.phases;
    }

    /// Adds a value that was kept.
    pub(super) fn kept(&mut self, name: &str, value: &str, secret: bool) {
        let value = if secret { REDACTED.to_owned() } else { words::line(value, LINE) };
        self.captures.push((name.to_owned(), value));
    }

    /// Takes out what nobody may see.
    pub(super) fn redact(&mut self, secrets: &[String]) {
        let clean = |text: &mut String| *text = evidence::redact(text, secrets);
        clean(&mut self.url);
        self.sent_headers.iter_mut().chain(&mut self.headers).for_each(|(_, value)| clean(value));
        self.captures.iter_mut().for_each(|(_, value)| clean(value));
        self.assertions.iter_mut().for_each(|assertion| {
            clean(&mut assertion.expected);
            clean(&mut assertion.saw);
        });
        [&mut self.sent_body, &mut self.body, &mut self.fault].into_iter().flatten().for_each(clean);
    }
}

/// Headers as text; of those that are secrets only the names, and of cookies that are set all but the value.
fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = headers.iter().map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = if name == header::SET_COOKIE {
            let (pair, attributes) = text.split_once(';').unwrap_or((&text, ""));
            let cookie = pair.split_once('=').map_or("", |(cookie, _)| cookie);
            format!("{cookie}={REDACTED};{attributes}")
        } else if evidence::is_secret(name.as_str()) {
            REDACTED.to_owned()
        } else {
            text.into_owned()
        };
        (name.to_string(), words::line(&text, LINE))
    });
    shown.collect()
}

fn excerpt(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]);
    let plain = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c };
    (!body.is_empty()).then(|| text.chars().filter(|c| *c != '\r').map(plain).collect())
}
