//! HTML and CSS selectors, with bounds on their work.
//!
//! The parser looks up the stack of open elements for many tags, and a selector may climb all ancestors of each
//! element, so a page of nothing but nested tags would take time in the square of its length. Pages with more tags
//! than [`MOST_TAGS`] are therefore refused, and the rest is given up after [`LONGEST`].

use super::unusable;
use crate::check::fault::Fault;
use html5ever::{ParseOpts, tendril::TendrilSink};
use scraper::{ElementRef, Html, HtmlTreeSink, Selector};
use std::time::{Duration, Instant};
use wire::assignment::LONGEST_PATTERN;

/// The most tags of a page. The longest pages that people read have a few thousand.
const MOST_TAGS: usize = 30_000;
/// The longest that parsing or searching a page may take.
const LONGEST: Duration = Duration::from_secs(1);
/// How much is parsed between two looks at the watch, bytes.
const PIECE: usize = 2048;

/// A page that was parsed.
pub(super) struct Page(Html);

/// A parsed selector.
pub(super) struct Choice(Selector);

impl Choice {
    pub(super) fn parse(written: &str) -> Result<Choice, Fault> {
        let bad = |why: &str| unusable(written, "CSS selector", why);
        if written.len() > LONGEST_PATTERN {
            return Err(bad("it is longer than 512 bytes"));
        }
        // It would search below each element.
        if written.to_ascii_lowercase().contains(":has(") {
            return Err(bad("`:has` is not supported"));
        }
        Selector::parse(written).map(Choice).map_err(|error| bad(&error.to_string()))
    }
}

impl Page {
    pub(super) fn parse(text: &str) -> Result<Page, Fault> {
        let tags = text.bytes().filter(|byte| *byte == b'<').count();
        if tags > MOST_TAGS {
            return Err(Fault::assertion(format!(
                "expected a page that can be searched, it has {tags} tags; at most {MOST_TAGS} are looked at"
            )));
        }
        let began = Instant::now();
        let mut parser =
            html5ever::parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
            parser.process(piece.into());
            rest = after;
            in_time(began)?;
        }
        Ok(Page(parser.finish()))
    }

    /// An attribute, or the text, of the first element that is chosen. White space in a text is joined to single
    /// spaces, as a browser shows it.
    pub(super) fn first(&self, choice: &Choice, attribute: Option<&str>) -> Result<Option<String>, Fault> {
        let began = Instant::now();
        for (index, node) in self.0.tree.nodes().enumerate() {
            if index % 64 == 0 {
                in_time(began)?;
            }
            let Some(element) = ElementRef::wrap(node).filter(|element| choice.0.matches(element)) else {
                continue;
            };
            return Ok(match attribute {
                Some(name) => element.attr(name).map(str::to_owned),
                None => {
                    let text: String = element.text().collect();
                    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
                }
            });
        }
        Ok(None)
    }
}

fn in_time(began: Instant) -> Result<(), Fault> {
    if began.elapsed() > LONGEST {
        return Err(Fault::assertion("expected a page that can be searched, it nests too deeply"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(page: &str, selector: &str, attribute: Option<&str>) -> Result<Option<String>, String> {
        let find = || Page::parse(page)?.first(&Choice::parse(selector)?, attribute);
        find().map_err(|fault: Fault| fault.summary)
    }

    #[test]
    fn texts_and_attributes_are_found_in_order() {
        let page = "<!doctype html><title>Shop</title><body><h1 class=big>Hello\n  <b>you</b></h1>\
                    <form id=login><input name=csrf value='x&amp;1'><input name=q></form><h1>Two</h1>";
        for (selector, attribute, want) in [
            ("h1", None, Some("Hello you")),
            ("h1.big > b", None, Some("you")),
            ("#login input[name=csrf]", Some("value"), Some("x&1")),
            ("input[name=q]", Some("value"), None),
            ("h2", None, None),
            ("title", None, Some("Shop")),
        ] {
            assert_eq!(first(page, selector, attribute), Ok(want.map(str::to_owned)), "{selector}");
        }
        assert_eq!(first("", "p", None), Ok(None));
    }

    #[test]
    fn what_is_no_selector_is_told() {
        for selector in ["", "a[", "div:has(p)", "a:nonsense(", &"a".repeat(600)] {
            assert!(
                first("<p>", selector, None).is_err_and(|why| why.contains("CSS selector")),
                "{selector}"
            );
        }
    }

    #[test]
    fn hostile_pages_are_given_up() {
        let many = "<p>".repeat(MOST_TAGS + 1);
        assert!(first(&many, "p", None).is_err_and(|why| why.contains("30001 tags")));
        // Whether these are searched to the end depends on the machine; that they end does not.
        for part in ["<div>", "<b><p>", "<a><table>", "<select><option>", "<svg><g>"] {
            let deep = part.repeat(MOST_TAGS / 2);
            let _either = first(&deep, "div div div div span ~ i", None);
        }
    }
}
