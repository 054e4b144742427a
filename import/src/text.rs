//! Texts with places to fill, as the probe's template engine (minijinja) reads them.

use std::{fmt::Write as _, ops::Range};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    /// The name of a captured value.
    Capture(String),
    /// The name of a secret.
    Secret(String),
}

/// Parts in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(Vec<Piece>);

/// Where a text goes, which decides how braces that mean nothing are kept from the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// Percent-encoded, since a path has no room for the engine's own way.
    Path,
    /// By the engine's own way, so that the text results unchanged.
    Free,
}

impl Text {
    pub(crate) fn literal(text: &str) -> Text {
        Text(vec![Piece::Literal(text.to_owned())])
    }

    /// `text` with pieces in place of `spans`, which do not overlap and are in order.
    pub(crate) fn with(text: &str, spans: Vec<(Range<usize>, Piece)>) -> Text {
        let mut pieces = Vec::new();
        let mut end = 0;
        for (span, piece) in spans {
            pieces.push(Piece::Literal(text.get(end..span.start).unwrap_or_default().to_owned()));
            pieces.push(piece);
            end = span.end;
        }
        pieces.push(Piece::Literal(text.get(end..).unwrap_or_default().to_owned()));
        Text(pieces)
    }

    /// Puts what `find` gives for each literal in place of its spans.
    pub(crate) fn fill(&mut self, mut find: impl FnMut(&str) -> Vec<(Range<usize>, Piece)>) {
        let pieces = std::mem::take(&mut self.0);
        for piece in pieces {
            match piece {
                Piece::Literal(text) => {
                    let spans = find(&text);
                    self.0.extend(Text::with(&text, spans).0);
                }
                filled => self.0.push(filled),
            }
        }
        self.0.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// As the configuration has it.
    pub(crate) fn template(&self, context: Context) -> String {
        let mut out = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            let filled = |piece: &Piece| !matches!(piece, Piece::Literal(_));
            // Writing into a string cannot fail.
            let _ = match piece {
                Piece::Literal(text) => {
                    let next = self.0.get(index + 1).is_some_and(filled);
                    escape(text, next, context, &mut out);
                    Ok(())
                }
                Piece::Capture(name) => write!(out, "{{{{ {name} }}}}"),
                Piece::Secret(name) => write!(out, "{{{{ secret.{name} }}}}"),
            };
        }
        out
    }
}

/// Writes a literal so that no `{{` of its own begins a template, not even with the braces that follow it. `{%` and `{#`
/// mean nothing in a check.
fn escape(text: &str, before_braces: bool, context: Context, out: &mut String) {
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let marks = match rest.peek() {
            Some(next) => *next == '{',
            None => before_braces,
        };
        match (c, marks, context) {
            ('{', true, Context::Path) => out.push_str("%7B"),
            ('{', true, Context::Free) => out.push_str("{{ '{' }}"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};
    use proptest::prelude::*;

    /// Renders as the probe does.
    fn render(template: &str) -> String {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.keep_trailing_newline(true);
        syntax.block_delimiters("\u{0}{%", "%}\u{0}").comment_delimiters("\u{0}{#", "#}\u{0}");
        environment.set_syntax(syntax.build().expect("a syntax"));
        let values = context! { cart => "C1", secret => context! { key => "S1" } };
        environment.render_str(template, values).expect(template)
    }

    #[test]
    fn fills_and_escapes() {
        let key = || Piece::Secret("key".into());
        let mut text = Text::with("{abc}{{ x }}", vec![(1..4, key())]);
        text.fill(|text| {
            text.find('x').map(|at| (at..at + 1, Piece::Capture("cart".into()))).into_iter().collect()
        });
        assert_eq!(render(&text.template(Context::Free)), "{S1}{{ C1 }}");
        let path = Text::with("/{abc}?q={{", vec![(2..5, key())]).template(Context::Path);
        assert_eq!(path, "/%7B{{ secret.key }}}?q=%7B{");
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "([{}%#\\-+ \n\r\t]|raw|endraw|[a-z\"'\\\\]|\\PC){0,60}") {
            let template = Text::literal(&text).template(Context::Free);
            prop_assert_eq!(render(&template), text);
        }

        #[test]
        fn any_text_around_a_place_survives(before in "[{}%# a]{0,8}", after in "[{}%# a]{0,8}") {
            let whole = format!("{before}X{after}");
            let piece = Piece::Capture("cart".into());
            let text = Text::with(&whole, vec![(before.len()..before.len() + 1, piece)]);
            prop_assert_eq!(render(&text.template(Context::Free)), format!("{before}C1{after}"));
        }
    }
}
