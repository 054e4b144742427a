//! Filling values into the texts of a request: `{{ expression }}`, and nothing else of the template language.
//!
//! Statements and comments (`{%`, `{#`) have no meaning, so that texts may hold them and nothing can loop. What an
//! expression may use is listed in `functions` (functions and filters) and at [`Templates::new`] (values).

mod fill;
mod functions;

pub(super) use fill::are_in;

use super::{
    Run,
    fault::Fault,
    secrets::{Values, subscripted},
    words,
};
use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Object,
};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};
use wire::assignment::{AssignedCheck, Endpoint};

/// Instructions that one text may take: enough for any value or condition, and over in well under a millisecond.
const FUEL: u64 = 10_000;
/// The longest text that may result, bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// Delimiters that no document can hold, for what is turned off.
const NEVER: [(&str, &str); 2] = [("\u{0}{%", "%}\u{0}"), ("\u{0}{#", "#}\u{0}")];
/// Values that captures and `set` cannot replace.
const BUILT_IN: [&str; 6] = ["run", "region", "vantage", "here", "regions", "secret"];

/// What templates can name, and what was kept under a name so far.
pub(super) struct Templates {
    environment: Environment<'static>,
    values: BTreeMap<String, Value>,
    kept: Vec<String>,
}

/// Why a text could not be filled in.
#[derive(Debug)]
pub(super) enum Unfilled {
    /// A value that it names does not exist.
    Missing(Fault),
    Wrong(Fault),
}

impl Unfilled {
    pub(super) fn fault(self) -> Fault {
        match self {
            Unfilled::Missing(fault) | Unfilled::Wrong(fault) => fault,
        }
    }
}

impl Templates {
    /// Starts with what is known before the first request: `run.id`, `region` (the series' target), `vantage` (the
    /// probe's region), `here.url`, `regions['…'].url` and `secret.NAME`. What functions draw is determined by the run's identity.
    pub(super) fn new(check: &AssignedCheck, endpoint: &Endpoint, run: &Run, secrets: &Values) -> Templates {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_syntax(syntax());
        functions::add(&mut environment, run.random(0), run.started, Instant::now());
        let url = |url: &str| Value::from_pairs([("url", url)]);
        let regions = check.regions.iter().map(|(id, at)| (id.to_string(), url(at)));
        let mut values = BTreeMap::from([
            ("run".to_owned(), Value::from_pairs([("id", run.trace.id())])),
            ("region".to_owned(), Value::from(endpoint.target.to_string())),
            ("here".to_owned(), url(&endpoint.url)),
            ("regions".to_owned(), Value::from_pairs(regions.collect::<Vec<_>>())),
            ("secret".to_owned(), Value::from_object(ByName(secrets.clone()))),
        ]);
        if let Some(vantage) = &check.places.vantage {
            values.insert("vantage".to_owned(), Value::from(vantage.as_str()));
        }
        Templates { environment, values, kept: Vec::new() }
    }

    /// Keeps a value under a name; the built-in names stay what they are.
    pub(super) fn keep(&mut self, name: &str, value: &str) {
        if !BUILT_IN.contains(&name) {
            self.kept.push(value.to_owned());
            self.values.insert(name.to_owned(), Value::from(value));
        }
    }

    /// Every value that was kept: for messages to leave out, because an error may quote what it stumbled over.
    pub(super) fn kept(&self) -> Vec<String> {
        self.kept.clone()
    }

    /// Whether an expression is true: neither empty, nor 0, nor false, nor undefined.
    ///
    /// # Errors
    /// [`wire::sample::FailClass::Request`] with the reason.
    pub(super) fn holds(&self, expression: &str) -> Result<bool, Fault> {
        let marked = format!("{{{{{expression}}}}}");
        let marked = subscripted(&marked);
        let expression = &marked[2..marked.len() - 2];
        let found = self.environment.compile_expression(expression).and_then(|e| e.eval(&self.values));
        let value = found.map_err(|error| unfilled("condition `when`", &error).fault())?;
        Ok(value.is_true())
    }

    fn render(&self, place: &str, text: &mut String) -> Result<(), Unfilled> {
        if !text.contains("{{") {
            return Ok(());
        }
        let filled = self.environment.render_str(&subscripted(text), &self.values);
        let filled = filled.map_err(|error| unfilled(place, &error))?;
        if filled.len() > MAX_TEXT {
            return Err(Unfilled::Wrong(failed(place, "the text is longer than 1 MiB")));
        }
        *text = filled;
        Ok(())
    }
}

/// The secrets as templates see them: a value for a name, and no way to list or print them all.
#[derive(Debug)]
struct ByName(Values);

impl Object for ByName {
    fn get_value(self: &Arc<Self>, name: &Value) -> Option<Value> {
        self.0.get(name.as_str()?).map(|secret| Value::from(secret.reveal()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn syntax() -> SyntaxConfig {
    let [block, comment] = NEVER;
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    syntax.block_delimiters(block.0, block.1).comment_delimiters(comment.0, comment.1);
    syntax.build().unwrap_or_default()
}

fn failed(place: &str, why: &str) -> Fault {
    Fault::request(format!("the template in the {place} failed: {why}"))
}

fn unfilled(place: &str, error: &minijinja::Error) -> Unfilled {
    let why = error.to_string().replace(" (in <string>:1)", "").replace(" (in <expression>:1)", "");
    let fault = failed(place, &words::line(&why, 200));
    match error.kind() {
        ErrorKind::UndefinedError => Unfilled::Missing(fault),
        _ => Unfilled::Wrong(fault),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
