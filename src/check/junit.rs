//! JUnit XML, which continuous integration shows: one suite for a check, one case for each target and each step.

use probe::check::Measured;
use std::fmt::Write;
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint},
    sample::{Evidence, Outcome, StepResult},
};

/// The runs of one check.
pub struct Suite {
    check: String,
    /// The names of a journey's steps.
    steps: Vec<String>,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    /// Microseconds.
    time_us: u32,
    result: Verdict,
}

enum Verdict {
    Passed,
    /// The check says that something is wrong: a kind, a sentence, and what more is known.
    Failed(String, String, String),
    /// The check could say nothing.
    Error(String, String),
    Skipped(&'static str),
}

impl Suite {
    /// Starts without runs.
    pub fn new(check: &AssignedCheck) -> Suite {
        let steps = match &check.kind {
            CheckKind::Journey(journey) => journey.steps.iter().map(|step| step.name.clone()).collect(),
            _ => Vec::new(),
        };
        Suite { check: check.id.to_string(), steps, cases: Vec::new() }
    }

    /// Adds what one target said.
    pub fn add(&mut self, endpoint: &Endpoint, measured: &Measured) {
        let evidence = measured.evidence.as_ref();
        self.case(
            &endpoint.target.to_string(),
            measured.outcome,
            measured.total_us,
            evidence,
            &measured.steps,
        );
    }

    fn case(
        &mut self,
        target: &str,
        outcome: Outcome,
        time_us: u32,
        evidence: Option<&Evidence>,
        results: &[StepResult],
    ) {
        let class = self.check.clone();
        let result = verdict(outcome, evidence);
        self.cases.push(Case { class: class.clone(), name: target.to_owned(), time_us, result });
        for (index, step) in self.steps.iter().enumerate() {
            // Steps that were not run have no result, so their places differ.
            let (time_us, result) = match results.iter().find(|result| result.name == *step) {
                Some(result) => {
                    // The evidence is of the step that ended the run, or of a slow one, which is no failure.
                    (result.total_us, verdict(result.outcome, evidence))
                }
                None => (
                    0,
                    Verdict::Skipped("it was not run: an earlier step failed, or its condition did not hold"),
                ),
            };
            let name = format!("{}. {step}", index + 1);
            self.cases.push(Case { class: format!("{class}.{target}"), name, time_us, result });
        }
    }

    /// The document.
    pub fn xml(&self) -> String {
        let count = |kind: fn(&Verdict) -> bool| self.cases.iter().filter(|case| kind(&case.result)).count();
        // Steps are parts of their target's time, which therefore is not counted twice.
        let whole = self.cases.iter().filter(|case| case.class == self.check);
        let time = seconds(whole.map(|case| u64::from(case.time_us)).sum());
        let numbers = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time}\"",
            self.cases.len(),
            count(|result| matches!(result, Verdict::Failed(..))),
            count(|result| matches!(result, Verdict::Error(..))),
            count(|result| matches!(result, Verdict::Skipped(_))),
        );
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing into a string cannot fail.
        let _ = writeln!(xml, "<testsuites name=\"sextant\" {numbers}>");
        let _ = writeln!(xml, "  <testsuite name=\"{}\" {numbers}>", escape(&self.check));
        for case in &self.cases {
            let _ = case.write(&mut xml);
        }
        xml.push_str("  </testsuite>\n</testsuites>\n");
        xml
    }
}

impl Case {
    fn write(&self, xml: &mut String) -> std::fmt::Result {
        let (class, name) = (escape(&self.class), escape(&self.name));
        let time = seconds(self.time_us.into());
        write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\"")?;
        match &self.result {
            Verdict::Passed => return writeln!(xml, "/>"),
            Verdict::Failed(kind, message, more) => {
                let (kind, message) = (escape(kind), escape(message));
                let more = escape(more);
                writeln!(xml, ">\n      <failure type=\"{kind}\" message=\"{message}\">{more}</failure>")?;
            }
            Verdict::Error(kind, message) => {
                writeln!(xml, ">\n      <error type=\"{}\" message=\"{}\"/>", escape(kind), escape(message))?;
            }
            Verdict::Skipped(why) => writeln!(xml, ">\n      <skipped message=\"{}\"/>", escape(why))?,
        }
        writeln!(xml, "    </testcase>")
    }
}

fn verdict(outcome: Outcome, evidence: Option<&Evidence>) -> Verdict {
    let summary =
        || evidence.map_or_else(|| "no evidence was kept".to_owned(), |evidence| evidence.summary.clone());
    match outcome {
        Outcome::Ok => Verdict::Passed,
        Outcome::Fail(class) => {
            let excerpt = evidence.and_then(|evidence| evidence.excerpt.clone()).unwrap_or_default();
            Verdict::Failed(class.to_string(), summary(), excerpt)
        }
        Outcome::Missed => Verdict::Error("missed".to_owned(), "the run was missed".to_owned()),
        Outcome::Unsupported => Verdict::Error("unsupported".to_owned(), summary()),
    }
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// A text for XML 1.0, in an attribute or between tags. Characters that no XML may hold become U+FFFD (XML 1.0, 2.2);
/// ends of lines and tabs become references, because attributes lose them otherwise (3.3.3).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wire::sample::FailClass;

    fn result(name: &str, outcome: Outcome, us: u32) -> StepResult {
        let value = json!({
            "name": name, "outcome": outcome, "total_us": us, "status": null, "served_by": null, "attempts": 1
        });
        serde_json::from_value(value).expect("a step's result")
    }

    #[test]
    fn steps_that_were_not_run_move_no_verdict_to_another() {
        let steps = ["browse", "discount", "pay", "receipt", "leave"].map(str::to_owned).to_vec();
        let mut suite = Suite { check: "shop".into(), steps, cases: Vec::new() };
        let failed = Outcome::Fail(FailClass::Status);
        let results =
            [result("browse", Outcome::Ok, 1), result("pay", failed, 1), result("leave", Outcome::Ok, 1)];
        suite.case("eu-west-1", failed, 3, None, &results);
        let told: Vec<&str> = suite.cases[1..]
            .iter()
            .map(|case| match case.result {
                Verdict::Passed => "passed",
                Verdict::Failed(..) => "failed",
                Verdict::Error(..) => "error",
                Verdict::Skipped(_) => "skipped",
            })
            .collect();
        assert_eq!(told, ["passed", "skipped", "failed", "skipped", "passed"]);
    }

    #[test]
    fn a_failed_journey_names_its_step() {
        let steps = ["browse", "buy <now>", "leave"].map(str::to_owned).to_vec();
        let mut suite = Suite { check: "shop".into(), steps, cases: Vec::new() };
        let failed = Outcome::Fail(FailClass::Timeout);
        let evidence = Evidence {
            summary: "expected \"ok\" & got\nnothing\u{1}".into(),
            step: Some("buy <now>".into()),
            excerpt: Some("<html>]]>".into()),
            withheld: None,
        };
        let results = [result("browse", Outcome::Ok, 1_500), result("buy <now>", failed, 2_000_000)];
        suite.case("eu-west-1", failed, 2_001_500, Some(&evidence), &results);
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites name=\"sextant\" tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\" time=\"2.001500\">\n\
            \x20 <testsuite name=\"shop\" tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\" time=\"2.001500\">\n\
            \x20   <testcase classname=\"shop\" name=\"eu-west-1\" time=\"2.001500\">\n{failure}\
            \x20   </testcase>\n\
            \x20   <testcase classname=\"shop.eu-west-1\" name=\"1. browse\" time=\"0.001500\"/>\n\
            \x20   <testcase classname=\"shop.eu-west-1\" name=\"2. buy &lt;now&gt;\" time=\"2.000000\">\n{failure}\
            \x20   </testcase>\n\
            \x20   <testcase classname=\"shop.eu-west-1\" name=\"3. leave\" time=\"0.000000\">\n\
            \x20     <skipped message=\"it was not run: an earlier step failed, or its condition did not hold\"/>\n\
            \x20   </testcase>\n\
            \x20 </testsuite>\n</testsuites>\n",
            failure = "      <failure type=\"timeout\" message=\"expected &quot;ok&quot; &amp; got&#10;nothing\u{fffd}\">\
                       &lt;html&gt;]]&gt;</failure>\n"
        );
        assert_eq!(suite.xml(), expected);
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        let mut suite = Suite { check: "shop".into(), steps: Vec::new(), cases: Vec::new() };
        let evidence =
            Evidence { summary: "no right to send".into(), step: None, excerpt: None, withheld: None };
        suite.case("public", Outcome::Unsupported, 0, Some(&evidence), &[]);
        suite.case("eu-west-1", Outcome::Ok, 12, None, &[]);
        let xml = suite.xml();
        assert!(
            xml.contains("tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0.000012\""),
            "{xml}"
        );
        assert!(xml.contains("<error type=\"unsupported\" message=\"no right to send\"/>"), "{xml}");
    }

    #[test]
    fn nothing_that_xml_forbids_is_left() {
        let all: String = (0..=0x1_0fff).filter_map(char::from_u32).collect();
        let escaped = escape(&all);
        let allowed = |c: char| matches!(c, ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(escaped.chars().all(allowed));
        assert!(!escaped.contains(['<', '>', '"']));
        assert_eq!(escape("a\tb"), "a&#9;b");
    }
}
