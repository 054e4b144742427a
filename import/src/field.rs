//! Named values in queries and forms (`application/x-www-form-urlencoded`): where they stand, as they were sent.

use std::ops::Range;
use url::form_urlencoded;

/// A value and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Decoded.
    pub(crate) value: String,
    /// Where it stands, encoded.
    pub(crate) span: Range<usize>,
}

/// The fields of `name=value&…`, which begins at byte `from` of `text`. Those without a value are left out.
pub(crate) fn fields(text: &str, from: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut start = from;
    for pair in text.get(from..).unwrap_or_default().split('&') {
        let end = start + pair.len();
        if let Some((name, _)) = pair.split_once('=')
            && let Some((decoded, value)) = form_urlencoded::parse(pair.as_bytes()).next()
            && !value.is_empty()
        {
            let span = start + name.len() + 1..end;
            fields.push(Field { name: decoded.into_owned(), value: value.into_owned(), span });
        }
        start = end + 1;
    }
    fields
}

/// The fields of the query of a path.
pub(crate) fn of_query(path: &str) -> Vec<Field> {
    path.find('?').map(|at| fields(path, at + 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_fields() {
        let text = "/a?x=1&pass%5Bword%5D=p%40s+s&flag&e=&y=a=b";
        let seen: Vec<_> =
            of_query(text).into_iter().map(|f| (f.name, f.value, text[f.span].to_owned())).collect();
        let expected = [("x", "1", "1"), ("pass[word]", "p@s s", "p%40s+s"), ("y", "a=b", "a=b")];
        assert_eq!(seen, expected.map(|(a, b, c)| (a.into(), b.into(), c.into())));
        assert_eq!(of_query("/a"), []);
    }

    proptest! {
        #[test]
        fn spans_are_of_the_text(text in any::<String>()) {
            for field in fields(&text, 0) {
                prop_assert!(text.get(field.span).is_some());
            }
        }
    }
}
