//! An answer, and the values that can be found in it. What takes work is done once, and only when it is asked for.

use super::{page::Page, path, pattern};
use crate::check::{MAX_BODY, fault::Fault, record::Record, words};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, cell::OnceCell};
use wire::{
    Micros,
    assignment::{Source, Target, Timing},
};

/// An answer and what is known around it.
pub(in crate::check) struct Answer<'a> {
    pub(in crate::check) record: &'a Record,
    /// The region that says it served the request.
    pub(in crate::check) served_by: Option<&'a str>,
    /// What the series points at.
    pub(in crate::check) target: &'a Target,
    /// The time by which certificates are judged.
    pub(in crate::check) now: Micros,
    json: OnceCell<Result<path::Document, Fault>>,
    page: OnceCell<Result<Page, Fault>>,
}

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Json(&'a Json),
    Number(i64),
}

impl Value<'_> {
    /// As text: strings as they are, anything else as JSON prints it.
    pub(super) fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone().into_owned(),
            Value::Json(Json::String(text)) => text.clone(),
            Value::Json(other) => other.to_string(),
            Value::Number(number) => number.to_string(),
        }
    }

    /// Whether it is what a text says: numbers by their value, however they are written, and anything else by its text.
    pub(super) fn is(&self, wanted: &str) -> bool {
        if self.text() == wanted {
            return true;
        }
        let numbers = match self {
            Value::Json(Json::Number(seen)) => {
                wanted.parse().ok().map(|wanted: serde_json::Number| (seen.clone(), wanted))
            }
            Value::Number(seen) => wanted.parse().ok().map(|wanted| ((*seen).into(), wanted)),
            _ => None,
        };
        let whole = |number: &serde_json::Number| number.is_i64() || number.is_u64();
        // Whole numbers that differ as text are different; as floating point large ones would look alike.
        numbers.is_some_and(|(seen, wanted)| {
            !(whole(&seen) && whole(&wanted))
                && seen.as_f64().is_some_and(|seen| Some(seen) == wanted.as_f64())
        })
    }

    /// As a number, if it is one or reads as one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Value::Json(Json::String(text)) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Value::Json(other) => other.as_f64(),
            Value::Number(number) => Some(*number as f64),
        }
    }

    /// Characters of a text, entries of a list or an object.
    pub(super) fn length(&self) -> usize {
        match self {
            Value::Text(text) => text.chars().count(),
            Value::Json(Json::String(text)) => text.chars().count(),
            Value::Json(Json::Array(items)) => items.len(),
            Value::Json(Json::Object(fields)) => fields.len(),
            other => other.text().chars().count(),
        }
    }
}

impl<'a> Answer<'a> {
    pub(in crate::check) fn new(
        record: &'a Record,
        served_by: Option<&'a str>,
        target: &'a Target,
        now: Micros,
    ) -> Self {
        Answer { record, served_by, target, now, json: OnceCell::new(), page: OnceCell::new() }
    }

    /// The value at a place, or nothing where there is none.
    ///
    /// # Errors
    /// The body is not of the kind in which values are looked for, or the place cannot be looked up.
    pub(super) fn find(&self, from: &Source) -> Result<Option<Value<'_>>, Fault> {
        let text = |text: String| Value::Text(Cow::Owned(text));
        let number = |number: Option<u32>| number.map(|number| Value::Number(number.into()));
        Ok(match from {
            // Parsed before the body is, so that a wrong path is told for any answer.
            Source::Json(written) => {
                let path = path::Path::parse(written)?;
                self.json()?.first(&path)?.map(Value::Json)
            }
            Source::Header(name) => self.record.header(name).map(text),
            Source::Cookie(name) => self.record.cookie(name).map(text),
            Source::Body => Some(Value::Text(self.body())),
            Source::Pattern { pattern, group } => {
                let pattern = pattern::compile(pattern)?;
                pattern::group(&pattern, &self.body(), *group).map(text)
            }
            Source::Css { selector, attribute } => {
                let selector = super::page::Choice::parse(selector)?;
                self.page()?.first(&selector, attribute.as_deref())?.map(text)
            }
            Source::Status => self.record.status.map(|status| Value::Number(status.into())),
            Source::Size => Some(Value::Number(self.record.body.len() as i64)),
            Source::Sha256 if self.record.truncated => {
                let why = format!("a digest of the body: it is longer than {MAX_BODY} bytes");
                return Err(Fault::assertion(format!("expected {why}")));
            }
            Source::Sha256 => Some(text(words::hex(&Sha256::digest(&self.record.body)))),
            Source::ServedBy => self.served_by.map(|region| Value::Text(Cow::Borrowed(region))),
            Source::Time(timing) => number(self.time(*timing)),
            Source::Certificate => {
                let expires = self.record.certificate_expires;
                expires.map(|at| Value::Number(at.since(self.now).max(0) / 1_000_000))
            }
        })
    }

    fn time(&self, timing: Timing) -> Option<u32> {
        let phases = &self.record.phases;
        match timing {
            Timing::Dns => phases.dns,
            Timing::Connect => phases.connect,
            Timing::Tls => phases.tls,
            Timing::Send => phases.send,
            Timing::Wait => phases.wait,
            Timing::Transfer => phases.transfer,
            Timing::Total => Some(self.record.total_us),
        }
    }

    fn body(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.record.body)
    }

    fn json(&self) -> Result<&path::Document, Fault> {
        let parsed = self.json.get_or_init(|| {
            if self.record.truncated {
                let why = format!("expected a JSON body, it is longer than {MAX_BODY} bytes");
                return Err(Fault::assertion(why));
            }
            let json = serde_json::from_slice(&self.record.body);
            let json = json
                .map_err(|error| Fault::assertion(format!("expected a JSON body, it is not one: {error}")))?;
            Ok(path::Document::new(json))
        });
        parsed.as_ref().map_err(Clone::clone)
    }

    fn page(&self) -> Result<&Page, Fault> {
        if self.record.truncated {
            let why = format!("expected a page, its body is longer than {MAX_BODY} bytes");
            return Err(Fault::assertion(why));
        }
        self.page.get_or_init(|| Page::parse(&self.body())).as_ref().map_err(Clone::clone)
    }
}
