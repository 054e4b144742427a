//! Collecting problems and printing them, so that a document is corrected in one go.

use super::node::Position;
use serde::Serialize;
use std::{cell::RefCell, collections::BTreeSet, fmt};

/// After so many problems the rest is left for the next run; the document is probably something else.
const MOST: usize = 500;

/// After so many problems no more time is spent on searching for what may have been meant.
const MOST_HINTS: usize = 100;

/// The longest piece of a line that is shown, characters.
const SHOWN: usize = 110;

/// One thing to correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// From 1; 0 never occurs.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Where in the tree, for example `checks.shop-health.http.expect.status[1]`; empty for the document itself.
    pub path: String,
    /// What is wrong and what to do. Never holds a secret.
    pub message: String,
}

/// Everything that is wrong with a document, in the order of its text; never empty.
///
/// Displays as `origin:line:column: path: message` with the line it speaks of. Lines that hold secrets are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    origin: String,
    found: Vec<(Problem, Option<Snippet>)>,
}

/// The line a problem speaks of, and how far to the right its mark stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    line: String,
    indent: usize,
}

impl Problems {
    /// The problems in the order of the text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.found.iter().map(|(problem, _)| problem)
    }

    /// What was read: a file name or another name for the source.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        for (problem, snippet) in &self.found {
            let Problem { line, column, path, message } = problem;
            let path = if path.is_empty() { "document" } else { path };
            writeln!(f, "{origin}:{line}:{column}: {path}: {message}")?;
            if let Some(Snippet { line: text, indent }) = snippet {
                writeln!(f, "{line:>6} | {text}")?;
                writeln!(f, "       | {:indent$}^", "")?;
            }
        }
        match self.found.len() {
            1 => write!(f, "1 problem in {origin}"),
            MOST => write!(f, "{MOST} problems or more in {origin}"),
            count => write!(f, "{count} problems in {origin}"),
        }
    }
}

/// Where readers put what they find. Shared by reference, because every reader of a tree writes to the same one.
#[derive(Debug, Default)]
pub struct Sink {
    found: RefCell<Vec<Problem>>,
    secret_lines: RefCell<BTreeSet<usize>>,
}

impl Sink {
    /// Notes a problem, unless there are too many already.
    pub fn add(&self, at: Position, path: &str, message: String) {
        let mut found = self.found.borrow_mut();
        if found.len() < MOST {
            found.push(Problem {
                line: at.line,
                column: at.column,
                path: path.to_owned(),
                message: plain(&message),
            });
        }
    }

    /// Keeps a line out of what is printed, because a secret may stand there.
    pub fn keep_secret(&self, line: usize) {
        self.secret_lines.borrow_mut().insert(line);
    }

    /// Whether hints are still worth their time, which grows with the square of the document.
    pub fn wants_hints(&self) -> bool {
        self.found.borrow().len() < MOST_HINTS
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Sorts what was found into the order of the text.
    pub fn into_problems(self, text: &str, origin: &str) -> Problems {
        let mut found = self.found.into_inner();
        let secret = self.secret_lines.into_inner();
        found.sort_by_key(|problem| (problem.line, problem.column));
        let lines: Vec<&str> = text.lines().collect();
        let found = found
            .into_iter()
            .map(|problem| {
                let line = lines.get(problem.line - 1).filter(|_| !secret.contains(&problem.line));
                let snippet = line.and_then(|line| snippet(line, problem.column));
                (problem, snippet)
            })
            .collect();
        Problems { origin: plain(origin), found }
    }
}

/// Without control characters: a document must not be able to move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Cuts a line to what may and can be shown; nothing when the marked column is not in it.
fn snippet(line: &str, column: usize) -> Option<Snippet> {
    let line = plain(line.trim_start_matches('\u{feff}'));
    let kept: Vec<char> = line.chars().take(before_secret(&line)).collect();
    let cut = kept.len() < line.chars().count();
    let indent = column - 1;
    if kept.iter().all(|c| c.is_whitespace()) || indent > kept.len() {
        return None;
    }
    let from = if indent > SHOWN * 2 / 3 { indent - SHOWN / 3 } else { 0 };
    let mut shown: String = kept.iter().skip(from).take(SHOWN).collect();
    if cut || kept.len() > from + SHOWN {
        shown.push('…');
    }
    Some(Snippet { line: shown.trim_end().to_owned(), indent: indent - from })
}

/// How many characters of a line stand before something that looks like the value of a secret.
fn before_secret(line: &str) -> usize {
    const KEYS: [&str; 6] = ["secret", "token", "password", "authorization", "cookie", "api-key"];
    let lower = line.to_ascii_lowercase();
    let value_of = |word: &str| {
        let after = lower.find(word)? + word.len();
        lower[after..].find(':').map(|colon| after + colon + 1)
    };
    let first = KEYS.iter().filter_map(|word| value_of(word)).chain(lower.find("whsec_")).min();
    first.map_or(usize::MAX, |bytes| line[..bytes].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str, line: usize, column: usize) -> String {
        let sink = Sink::default();
        sink.add(Position { line, column }, "a.b", "is wrong".into());
        sink.into_problems(text, "x.yaml").to_string()
    }

    #[test]
    fn prints_the_line_with_a_mark() {
        let text = "a:\n  b: ü c\n";
        assert_eq!(
            printed(text, 2, 8),
            "x.yaml:2:8: a.b: is wrong\n     2 |   b: ü c\n       |        ^\n1 problem in x.yaml"
        );
    }

    #[test]
    fn a_place_outside_the_text_prints_no_line() {
        assert_eq!(printed("a\n", 9, 1), "x.yaml:9:1: a.b: is wrong\n1 problem in x.yaml");
        assert_eq!(printed("a\n", 1, 40), "x.yaml:1:40: a.b: is wrong\n1 problem in x.yaml");
    }

    #[test]
    fn secrets_and_control_characters_are_not_printed() {
        for text in ["x: {secret: hunter2}", "Authorization: hunter2", "- whsec_hunter2", "a: \u{1b}[31m"] {
            let printed = printed(text, 1, 1);
            assert!(!printed.contains("hunter2") && !printed.contains('\u{1b}'), "{printed}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}here{}", "x".repeat(5_000), "y".repeat(5_000));
        let printed = printed(&text, 1, 5_001);
        assert!(printed.contains("here") && printed.len() < 400, "{printed}");
    }
}
