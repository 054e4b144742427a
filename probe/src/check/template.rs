//! Filling captured values into the texts of a journey.

use super::{
    fault::Fault,
    secrets::{self, Values},
    words,
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Object};
use std::{collections::BTreeMap, fmt, sync::Arc};
use wire::assignment::Request;

/// Instructions that one text may take: enough for any value or condition, and over in well under a millisecond.
const FUEL: u64 = 10_000;
/// The longest text that may result, bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// Names that no capture replaces.
const OURS: [&str; 3] = ["run", "region", "secret"];

/// What templates can name: captured values, `run.id` (the trace id), `region` (the series' target) and
/// `secret.NAME`. The last three cannot be replaced by a capture.
pub(super) struct Templates {
    environment: Environment<'static>,
    values: BTreeMap<String, Value>,
}

impl Templates {
    /// Starts without captured values.
    pub(super) fn new(run_id: &str, region: &str, secrets: &Values) -> Templates {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment
            .set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default());
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let values = BTreeMap::from([
            ("run".to_owned(), Value::from_pairs([("id", run_id)])),
            ("region".to_owned(), Value::from(region)),
            ("secret".to_owned(), Value::from_object(ByName(secrets.clone()))),
        ]);
        Templates { environment, values }
    }

    /// Adds captured values.
    pub(super) fn learn(&mut self, captured: BTreeMap<String, String>) {
        for (name, value) in captured.into_iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
            self.values.insert(name, Value::from(value));
        }
    }

    /// The values that were learned: for messages to leave out.
    pub(super) fn learned(&self) -> Vec<String> {
        let captured = self.values.iter().filter(|(name, _)| *name != "region");
        captured.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
    }

    /// Fills in path, header values, body, and the texts that the answer is compared with.
    ///
    /// # Errors
    /// [`wire::sample::FailClass::Request`] with the place and the reason.
    pub(super) fn fill(&self, request: &Request) -> Result<Request, Fault> {
        let mut filled = request.clone();
        self.render("path", &mut filled.path)?;
        for (name, value) in &mut filled.headers {
            self.render(&format!("header {}", words::line(name, 40)), value)?;
        }
        if let Some(body) = &mut filled.body {
            self.render("body", body)?;
        }
        if let Some(text) = &mut filled.expect.body_contains {
            self.render("expected text", text)?;
        }
        for (path, text) in &mut filled.expect.json {
            self.render(&format!("expected {}", words::line(path, 40)), text)?;
        }
        Ok(filled)
    }

    fn render(&self, place: &str, text: &mut String) -> Result<(), Fault> {
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return Ok(());
        }
        let bad = |why: String| Fault::request(format!("the template in the {place} failed: {why}"));
        let filled = self.environment.render_str(&secrets::subscripted(text), &self.values);
        let filled = filled.map_err(|error| bad(error.to_string().replace(" (in <string>:1)", "")))?;
        if filled.len() > MAX_TEXT {
            return Err(bad("the text is longer than 1 MiB".to_owned()));
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

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let mut templates = Templates::new("r1", "eu", &Values::new());
        let captured = [("id", "a{{ region }}\"<&"), ("run", "x")];
        templates.learn(captured.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let mut text = text.to_owned();
        templates.render("path", &mut text).map(|()| text).map_err(|fault| fault.summary)
    }

    #[test]
    fn values_are_filled_in_as_they_are() {
        assert_eq!(
            render("/x/{{ id }}?r={{ run.id }}&g={{ region }}\n").as_deref(),
            Ok("/x/a{{ region }}\"<&?r=r1&g=eu\n")
        );
        assert_eq!(render("{\"a\":{\"b\":1}}").as_deref(), Ok("{\"a\":{\"b\":1}}"));
    }

    #[test]
    fn mistakes_and_loops_are_explained() {
        for (text, word) in [
            ("{{ missing }}", "undefined value"),
            ("{{ run.missing }}", "undefined value"),
            ("{{ id", "syntax error"),
            ("{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}", "fuel"),
            ("{% include 'x' %}", "unknown statement"),
        ] {
            let why = render(text).expect_err(text);
            assert!(why.contains(word) && why.contains("the path"), "{why}");
        }
    }
}
