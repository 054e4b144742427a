//! JSONPath (RFC 9535) with a bound on its work.
//!
//! The library cannot be interrupted, and some paths take far more than one look at each value: `$..a..b` looks at a
//! value once for each object around it, `$[*,*]` doubles what it finds with every bracket, a filter can search the
//! whole document for each value. So the work is estimated from the path and from the size and depth of the document
//! before it is begun, and refused beyond a limit. Who writes the path is trusted; who sends the document is not.

use super::unusable;
use crate::check::{fault::Fault, words};
use serde_json::Value as Json;
use serde_json_path::JsonPath;
use wire::assignment::LONGEST_PATTERN;

/// The most looks at a value. A plain path or one `..` on a full body of 1 MiB stays below it.
const MOST_WORK: f64 = 4e6;
/// What a regular expression inside a filter costs in looks: it is compiled anew for each value.
const MATCH: f64 = 300.0;

/// A parsed path.
pub(super) struct Path {
    written: String,
    path: JsonPath,
    cost: Cost,
}

/// What about a path makes work.
#[derive(Debug, Default, PartialEq)]
struct Cost {
    /// How often it says `..`.
    descents: i32,
    /// The product of the numbers of selectors in its brackets.
    union: f64,
    /// How many searches of the whole document a filter begins (a `$` behind the first).
    roots: i32,
    /// Regular expressions in filters.
    matches: i32,
    /// Filters look at each child of what they filter.
    filters: bool,
}

impl Path {
    pub(super) fn parse(written: &str) -> Result<Path, Fault> {
        let bad = |why: &str| unusable(written, "JSONPath", why);
        if written.len() > LONGEST_PATTERN {
            return Err(bad("it is longer than 512 bytes"));
        }
        let path = JsonPath::parse(written).map_err(|error| bad(&error.to_string()))?;
        Ok(Path { written: written.to_owned(), path, cost: Cost::of(written) })
    }
}

impl Cost {
    /// Reads what matters off the text, quoted parts left out.
    fn of(written: &str) -> Cost {
        let mut plain = String::new();
        let (mut quote, mut escaped) = (None, false);
        for c in written.chars() {
            match quote {
                Some(_) if escaped => escaped = false,
                Some(_) if c == '\\' => escaped = true,
                Some(q) if q == c => quote = None,
                Some(_) => {}
                None if c == '\'' || c == '"' => quote = Some(c),
                None => plain.push(c),
            }
        }
        let count = |part: &str| i32::try_from(plain.matches(part).count()).unwrap_or(i32::MAX);
        // A comma separates selectors, or arguments of functions, which makes the estimate too large.
        let union = plain.split('[').map(|part| 1.0 + part.matches(',').count() as f64).product();
        Cost {
            descents: count(".."),
            union,
            roots: count("$") - 1,
            matches: count("match(").saturating_add(count("search(")),
            filters: plain.contains('?'),
        }
    }

    fn of_work(&self, nodes: f64, depth: f64) -> f64 {
        let descents = if self.descents == 0 { 1.0 } else { depth.powi(self.descents - 1) };
        let filters = if self.filters { 2.0 } else { 1.0 };
        let patterns = 1.0 + MATCH * f64::from(self.matches);
        nodes * descents * self.union * nodes.powi(self.roots.max(0)) * filters * patterns
    }
}

/// A document with its size.
pub(super) struct Document {
    json: Json,
    nodes: f64,
    depth: f64,
}

impl Document {
    pub(super) fn new(json: Json) -> Document {
        let (nodes, depth) = size(&json);
        Document { nodes, depth, json }
    }

    /// The first match.
    pub(super) fn first(&self, path: &Path) -> Result<Option<&Json>, Fault> {
        if path.cost.of_work(self.nodes, self.depth) > MOST_WORK {
            let written = words::line(&path.written, 80);
            return Err(Fault::assertion(format!(
                "{written} takes too much work on this body of {} values; write a path without `..`, `?` or lists \
                 of selectors",
                self.nodes
            )));
        }
        Ok(path.path.query(&self.json).first())
    }
}

/// The number of values in a document, and how deep they nest; the parser ends at 128 levels.
fn size(json: &Json) -> (f64, f64) {
    let inner = |(nodes, depth): (f64, f64), inner: &Json| {
        let (more, below) = size(inner);
        (nodes + more, depth.max(below))
    };
    let (nodes, depth) = match json {
        Json::Array(items) => items.iter().fold((0.0, 0.0), inner),
        Json::Object(fields) => fields.values().fold((0.0, 0.0), inner),
        _ => (0.0, 0.0),
    };
    (nodes + 1.0, depth + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(written: &str, json: &str) -> Result<Option<String>, String> {
        let document = Document::new(serde_json::from_str(json).expect("JSON"));
        let path = Path::parse(written).map_err(|fault| fault.summary)?;
        document.first(&path).map(|found| found.map(Json::to_string)).map_err(|fault| fault.summary)
    }

    #[test]
    fn usual_paths_work_on_large_bodies() {
        let large = format!("[{}1]", r#"{"a":[1,2,{"b":3}]},"#.repeat(50_000));
        for path in ["$[0].a[2].b", "$..b", "$[-1]", "$[?@.a]"] {
            assert!(first(path, &large).is_ok_and(|found| found.is_some()), "{path}");
        }
    }

    #[test]
    fn costly_paths_are_refused_on_large_bodies_only() {
        let small = r#"{"a":{"a":{"b":[1,2,"x"]}}}"#;
        let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
        let wide = format!("[{}1]", "[1,2,3],".repeat(100_000));
        for (path, body) in [
            ("$..a..b..c", r#"{"a":"#.repeat(100) + "[" + &"1,".repeat(10_000) + "1]" + &"}".repeat(100)),
            ("$[*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*]", deep),
            ("$..[?count($..*)>1]", wide.clone()),
            ("$[?match(@[0],'a.*')]", wide.clone()),
        ] {
            assert!(first(path, small).is_ok(), "{path}");
            let why = first(path, &body).expect_err(path);
            assert!(why.contains("too much work"), "{why}");
        }
    }

    #[test]
    fn quoted_parts_cost_nothing() {
        assert_eq!(Cost::of("$['..$?,match(\\'']").descents, 0);
        assert_eq!(Cost::of("$['..$?,match(\\'']"), Cost { union: 1.0, ..Cost::default() });
        assert_eq!(Cost::of("$..a[0,1][?@.x]").union, 2.0);
    }
}
