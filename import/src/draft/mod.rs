//! From recorded requests to steps: secrets and captured values get their places.

mod drafter;

use crate::{
    capture::Source,
    name,
    recorded::Recorded,
    sensitive::{self, Secrets},
    text::{Piece, Text},
};
use drafter::Drafter;
use std::{collections::BTreeSet, ops::Range};

/// A step of the journey.
pub(crate) struct Step {
    pub(crate) name: String,
    /// In lower case.
    pub(crate) method: String,
    pub(crate) path: Text,
    pub(crate) headers: Vec<(String, Text)>,
    pub(crate) body: Option<Text>,
    pub(crate) status: Option<u16>,
    pub(crate) captures: Vec<(String, Source)>,
}

/// Makes the steps. Notes say what needs a hand.
pub(crate) fn steps(kept: &[Recorded], prefix: &str, notes: &mut Vec<String>) -> Vec<Step> {
    let mut drafter = Drafter::new(kept, prefix);
    let mut steps: Vec<Step> =
        kept.iter().enumerate().map(|(at, recorded)| drafter.step(at, recorded)).collect();
    let Drafter { mut secrets, captures, notes: drafted, .. } = drafter;
    notes.extend(drafted);
    let mut names = BTreeSet::new();
    for (at, (step, recorded)) in steps.iter_mut().zip(kept).enumerate() {
        let texts = [&mut step.path]
            .into_iter()
            .chain(step.headers.iter_mut().map(|(_, text)| text))
            .chain(&mut step.body);
        for text in texts {
            // Now that all are known, also where a secret stands under a harmless name, and what only looks like one.
            text.fill(|text| {
                secrets.find(text).into_iter().map(|(span, name)| (span, Piece::Secret(name))).collect()
            });
            text.fill(|text| by_looks(text, &mut secrets, recorded, notes));
        }
        step.captures = captures.of(at);
        step.name = name::unique(&name::step(&step.method, &step.path), '-', &mut names);
    }
    for note in notes.iter_mut() {
        *note = secrets.hide(note);
    }
    silent(&steps, kept, notes);
    if notes.iter().any(|note| note.starts_with("{{ secret.")) {
        notes.push(
            "secrets are named in the file that `sextant probe --secrets` reads, and `sextant check run` too"
                .to_owned(),
        );
    }
    steps
}

/// Tells the secrets that were only found because they stand elsewhere too.
fn silent(steps: &[Step], kept: &[Recorded], notes: &mut Vec<String>) {
    let mut told_of = BTreeSet::new();
    for (step, recorded) in steps.iter().zip(kept) {
        let headers = step.headers.iter().map(|(_, text)| text);
        let pieces = headers.chain([&step.path]).chain(&step.body).flat_map(Text::pieces);
        for piece in pieces {
            if let Piece::Secret(name) = piece
                && told_of.insert(name.clone())
                && !notes.iter().any(|note| note.starts_with(&format!("{{{{ secret.{name} }}}} stands")))
            {
                // By the step's name, because the address holds the value.
                let what = format!("a cookie or password that stands in step `{}` too,", step.name);
                notes.push(told(name, &what, recorded.url.host_str().unwrap_or_default(), ""));
            }
        }
    }
}

fn by_looks(
    text: &str,
    secrets: &mut Secrets,
    recorded: &Recorded,
    notes: &mut Vec<String>,
) -> Vec<(Range<usize>, Piece)> {
    let spans = sensitive::by_looks(text);
    let piece = |span: Range<usize>| {
        let (name, new) = secrets.name(text.get(span.clone()).unwrap_or_default(), "key");
        if new {
            notes.push(told(&name, "what looks like a key or token", &recorded.line(), ""));
        }
        (span, Piece::Secret(name))
    };
    spans.into_iter().map(piece).collect()
}

/// What a note says of a secret.
fn told(name: &str, what: &str, place: &str, how: &str) -> String {
    format!(
        "{{{{ secret.{name} }}}} stands for {what} in {place}: give the probes that run this check a secret `{name}`{how}"
    )
}
