//! One request after the other: what earlier ones handed to it, and what nobody may read.

use super::{Step, told};
use crate::{
    capture::Captures,
    field, header, json,
    recorded::{Body, Recorded, is_json, media},
    sensitive::{self, Secrets, random},
    text::{Piece, Text},
};
use base64::Engine as _;
use std::{collections::BTreeSet, ops::Range};

/// Schemes of `authorization` whose name is no secret.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "apikey", "api-key", "jwt"];

/// What is known after the steps so far.
pub(super) struct Drafter<'r> {
    kept: &'r [Recorded],
    pub(super) secrets: Secrets,
    pub(super) captures: Captures,
    /// The names of the cookies that the journey has by now.
    jar: BTreeSet<String>,
    /// What was sent by now.
    spoken: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// A value with a name, in a text.
struct Place<'v> {
    name: &'v str,
    /// As it stands.
    raw: &'v str,
    /// As it is meant.
    value: &'v str,
    /// For the note.
    what: &'v str,
}

impl<'r> Drafter<'r> {
    /// Before the first step; names of secrets will begin with `prefix`.
    pub(super) fn new(kept: &'r [Recorded], prefix: &str) -> Drafter<'r> {
        Drafter {
            kept,
            secrets: Secrets::new(prefix),
            captures: Captures::default(),
            jar: BTreeSet::new(),
            spoken: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Makes the step of the request at `at`. Its name and captures are known only when all steps are made.
    pub(super) fn step(&mut self, at: usize, recorded: &Recorded) -> Step {
        let mut path = recorded.url.path().to_owned();
        if let Some(query) = recorded.url.query().filter(|query| !query.is_empty()) {
            path.push('?');
            path.push_str(query);
        }
        let kept = header::keep(recorded, &mut self.notes);
        let body = match &recorded.body {
            Some(Body::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        self.spoken.push(path.clone());
        self.spoken.extend(recorded.headers.iter().map(|(_, value)| value.clone()));
        self.spoken.extend(body.cloned());

        let spans = self.fields(at, &path, field::of_query(&path), "the parameter");
        let path = self.text(&path, spans);
        let mut headers: Vec<(String, Text)> =
            kept.iter().map(|(name, value)| (name.clone(), self.header(at, name, value))).collect();
        if let Some(credentials) = &recorded.credentials
            && !kept.iter().any(|(name, _)| name == "authorization")
        {
            headers.push(("authorization".to_owned(), self.basic(credentials, recorded)));
        }
        if let Some(cookies) = self.cookies(at, recorded) {
            headers.push(("cookie".to_owned(), cookies));
        }
        let body = body.map(|text| self.body(at, recorded, text));
        self.captures.learn(at, recorded, &self.spoken);
        if let Some(answer) = &recorded.answer {
            self.jar.extend(header::set_cookies(&answer.headers));
        }
        // An answer to a conditional request is another one than a probe gets.
        let status = recorded.answer.as_ref().map(|answer| answer.status).filter(|status| *status != 304);
        if let Some(status) = status.filter(|status| *status >= 400) {
            self.notes.push(format!(
                "{} was answered with {status}, and the step expects that; remove it if it was a mistake",
                recorded.line()
            ));
        }
        let method = recorded.method.to_ascii_lowercase();
        Step { name: String::new(), method, path, headers, body, status, captures: Vec::new() }
    }

    /// A text with places of its own, and with captured values where they are found besides.
    fn text(&mut self, text: &str, spans: Vec<(Range<usize>, Piece)>) -> Text {
        let mut text = Text::with(text, spans);
        text.fill(|text| {
            self.captures.find(text).into_iter().map(|(span, name)| (span, Piece::Capture(name))).collect()
        });
        text
    }

    /// The secrets among fields.
    fn fields(
        &mut self,
        at: usize,
        text: &str,
        fields: Vec<field::Field>,
        kind: &str,
    ) -> Vec<(Range<usize>, Piece)> {
        let secret = fields.into_iter().filter(|field| sensitive::is(&field.name, &field.value));
        let mut spans = Vec::new();
        for field in secret {
            let raw = text.get(field.span.clone()).unwrap_or_default();
            let what = format!("{kind} `{}`", plain(&field.name));
            let piece = self.piece(at, &Place { name: &field.name, raw, value: &field.value, what: &what });
            spans.push((field.span, piece));
        }
        spans
    }

    /// What stands for a secret value: the answer that gave it, or a secret.
    fn piece(&mut self, at: usize, place: &Place<'_>) -> Piece {
        if place.raw == place.value
            && let Some(name) = self.captures.exact(place.value)
        {
            return Piece::Capture(name);
        }
        let (name, new) = self.secrets.name(place.raw, place.name);
        if place.raw != place.value {
            // Elsewhere it may stand in the clear.
            self.secrets.name(place.value, place.name);
        }
        if new && let Some(recorded) = self.kept.get(at) {
            let how = if place.raw == place.value { "" } else { ", encoded as it stands in the request" };
            self.notes.push(told(&name, place.what, &recorded.line(), how));
            if let Some((from, where_)) = self.from(at, place.value) {
                self.notes.push(format!(
                    "{{{{ secret.{name} }}}} was given by {where_} of {}, from where a step cannot capture it; if it \
                     changes with each run, the step will fail",
                    from.line()
                ));
            }
        }
        Piece::Secret(name)
    }

    /// The earlier step whose answer has a value where it cannot be captured.
    fn from(&self, at: usize, value: &str) -> Option<(&Recorded, &'static str)> {
        if value.len() < 6 {
            return None;
        }
        let mut earlier = self.kept.get(..at)?.iter().rev();
        earlier.find_map(|recorded| {
            let answer = recorded.answer.as_ref()?;
            let set = |(name, text): &(String, String)| name == "set-cookie" && text.contains(value);
            let body = answer.body.as_deref().unwrap_or_default();
            if answer.headers.iter().any(set) {
                Some((recorded, "a cookie"))
            } else {
                body.contains(value)
                    .then_some((recorded, if is_json(&answer.media) { "the JSON" } else { "the page" }))
            }
        })
    }

    fn header(&mut self, at: usize, name: &str, value: &str) -> Text {
        if name == "idempotency-key" {
            // A server answers a key that it knows from its memory, without doing anything.
            return Text::with(value, vec![(0..value.len(), Piece::Capture("run.id".to_owned()))]);
        }
        if !sensitive::is(name, value) {
            return self.text(value, Vec::new());
        }
        let scheme = value.split_once(' ').filter(|(scheme, rest)| {
            SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) && !rest.trim().is_empty()
        });
        let start = scheme.map_or(0, |(scheme, _)| scheme.len() + 1);
        let raw = value.get(start..).unwrap_or_default();
        let what = match scheme {
            Some((scheme, _)) => format!("what follows `{scheme}` in the header `{name}`"),
            None => format!("the header `{name}`"),
        };
        let piece = self.piece(at, &Place { name, raw, value: raw, what: &what });
        Text::with(value, vec![(start..value.len(), piece)])
    }

    fn basic(&mut self, credentials: &str, recorded: &Recorded) -> Text {
        let value = base64::engine::general_purpose::STANDARD.encode(credentials);
        let (name, new) = self.secrets.name(&value, "authorization");
        if let Some((_, password)) = credentials.split_once(':').filter(|(_, password)| password.len() >= 6) {
            // Only so that it is found where it stands besides.
            self.secrets.name(password, "password");
        }
        if new {
            let how = ", which is what `printf %s 'USER:PASSWORD' | base64` prints";
            self.notes.push(told(&name, "user and password", &recorded.line(), how));
        }
        Text::with("Basic x", vec![(6..7, Piece::Secret(name))])
    }

    /// The `cookie` header: only for cookies that no step of the journey received, since it replaces those.
    fn cookies(&mut self, at: usize, recorded: &Recorded) -> Option<Text> {
        let lines: Vec<&str> = recorded
            .headers
            .iter()
            .filter(|(name, _)| name == "cookie")
            .map(|(_, value)| value.as_str())
            .collect();
        let line = lines.join("; ");
        let all = header::cookies(&line);
        for (name, value) in all.iter().filter(|(name, value)| self.jar.contains(*name) && random(value)) {
            // The journey has it by itself; this is only so that it is found where it stands besides.
            self.secrets.name(value, &format!("cookie_{name}"));
        }
        let foreign: Vec<(&str, &str)> = all
            .iter()
            .copied()
            .filter(|(name, _)| !self.jar.contains(*name) && !header::is_analytics(name))
            .collect();
        if foreign.is_empty() {
            return None;
        }
        if !self.jar.is_empty() {
            let names: Vec<String> = foreign.iter().map(|(name, _)| format!("`{}`", plain(name))).collect();
            self.notes.push(format!(
                "left out the cookies {} of {}: a `cookie` header would replace those that earlier steps received",
                names.join(", "),
                recorded.line()
            ));
            return None;
        }
        let mut text = String::new();
        let mut spans = Vec::new();
        for (name, value) in foreign {
            if !text.is_empty() {
                text.push_str("; ");
            }
            if !name.bytes().all(|b| b.is_ascii_graphic() && b != b'{') || value.is_empty() {
                continue;
            }
            text.push_str(name);
            text.push('=');
            let what = format!("the cookie `{name}`");
            let label = format!("cookie_{name}");
            let piece = self.piece(at, &Place { name: &label, raw: value, value, what: &what });
            spans.push((text.len()..text.len() + value.len(), piece));
            text.push_str(value);
        }
        let text = text.trim_end_matches("; ").to_owned();
        (!spans.is_empty()).then(|| Text::with(&text, spans))
    }

    fn body(&mut self, at: usize, recorded: &Recorded, text: &str) -> Text {
        let kind = media(recorded.header("content-type").unwrap_or_default());
        let spans = if let Some(leaves) = json::leaves(text) {
            let secret = |leaf: &json::Leaf| {
                sensitive::is(&leaf.key, &leaf.value) || leaf.within.iter().any(|name| sensitive::holds(name))
            };
            let mut spans = Vec::new();
            for leaf in leaves.into_iter().filter(|leaf| !leaf.value.is_empty() && secret(leaf)) {
                let raw = text.get(leaf.span.clone()).unwrap_or_default();
                let what = format!("`{}` of the JSON body", plain(&leaf.key));
                let piece = self.piece(at, &Place { name: &leaf.key, raw, value: &leaf.value, what: &what });
                spans.push((leaf.span, piece));
            }
            spans
        } else if kind == "application/x-www-form-urlencoded" {
            self.fields(at, text, field::fields(text, 0), "the form field")
        } else {
            let lower = text.to_ascii_lowercase();
            if ["passw", "secret", "token", "apikey", "api_key"].iter().any(|word| lower.contains(word)) {
                self.notes.push(format!(
                    "the body of {} is neither JSON nor a form: look through it for secrets before you use it",
                    recorded.line()
                ));
            }
            Vec::new()
        };
        self.text(text, spans)
    }
}

/// A name for a note: without what terminals read as a command.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}
