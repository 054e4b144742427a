//! Is the answer what was expected, and which values are to be kept of it?
//!
//! `answer` reads an answer and finds values in it, `claim` holds one of them against one expectation and puts that
//! into words. Whatever a server sends, the work is bounded: `path` and `page` say how.

mod answer;
mod claim;
mod page;
mod path;
mod pattern;

#[cfg(test)]
mod tests;

pub(super) use answer::Answer;

use super::{Assertion, evidence, fault::Fault, words};
use claim::Claim;
use std::collections::BTreeMap;
use wire::assignment::{Expect, Source, Step};

/// The longest captured value, bytes: it goes into every later request that uses it.
const MAX_CAPTURE: usize = 16 * 1024;

/// Compares an answer with the expectations: status, server, text, JSON, then the rest as written; the first that
/// does not hold counts. With `notes`, all are looked at and written down.
pub(super) fn judge(
    expect: &Expect,
    answer: &Answer<'_>,
    mut notes: Option<&mut Vec<Assertion>>,
) -> Result<(), Fault> {
    let mut first = Ok(());
    for claim in Claim::all(expect) {
        let found = claim.look(answer);
        if let Some(notes) = &mut notes {
            let (pass, saw) = match &found {
                Ok(seen) => (seen.holds, seen.words.clone()),
                Err(fault) => (false, fault.summary.clone()),
            };
            notes.push(Assertion { expected: claim.words(), saw, pass });
        }
        let fault = match found {
            Ok(seen) if seen.holds => continue,
            Ok(seen) => Fault::new(claim.class(), format!("expected {}, {}", claim.words(), seen.words)),
            Err(fault) => fault,
        };
        if first.is_ok() {
            first = Err(fault);
        }
        if notes.is_none() {
            break;
        }
    }
    first
}

/// A value that a journey's step keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) value: String,
    /// Nobody may see it.
    pub(super) secret: bool,
}

/// The values that a journey's step keeps. A value is secret when the step says so, or when its name or the name of
/// the place where it was found does.
pub(super) fn capture(step: &Step, answer: &Answer<'_>) -> Result<BTreeMap<String, Captured>, Fault> {
    let mut values = BTreeMap::new();
    for (name, from) in &step.capture {
        let value = answer.find(from)?.map(|value| value.text());
        let value = value.ok_or_else(|| {
            let place = claim::subject(from);
            Fault::assertion(format!("nothing to capture as `{name}`: the answer has no {place}"))
        })?;
        if value.len() > MAX_CAPTURE {
            return Err(Fault::assertion(format!("the value to capture as `{name}` is longer than 16 KiB")));
        }
        let secret = step.secret.contains(name) || evidence::is_secret(name) || guarded(from);
        values.insert(name.clone(), Captured { value, secret });
    }
    Ok(values)
}

/// Whether what is found at a place is a secret, as far as its name tells.
fn guarded(from: &Source) -> bool {
    match from {
        Source::Cookie(_) => true,
        Source::Header(name) => evidence::is_secret(name),
        Source::Json(path) => evidence::is_secret(path),
        Source::Css { selector, .. } => evidence::is_secret(selector),
        _ => false,
    }
}

/// A pattern of the configuration that cannot be used.
fn unusable(written: &str, what: &str, why: &str) -> Fault {
    Fault::request(format!("{} is not a {what}: {why}", words::quote(written)))
}
