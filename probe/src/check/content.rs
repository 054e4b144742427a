//! From fields to bytes: the query, forms and files of a request.

use super::{fault::Fault, words};
use std::fmt::Write;
use url::form_urlencoded;
use wire::assignment::{Content, Part, Request};

/// Turns fields into a path with its query and a body with its `content-type`. Templates must have been filled in;
/// `boundary` separates the parts of a multipart body.
///
/// # Errors
/// [`wire::sample::FailClass::Request`] when a part cannot be sent as written.
pub(super) fn pack(request: &mut Request, boundary: &str) -> Result<(), Fault> {
    for (name, value) in std::mem::take(&mut request.query) {
        let mark = if request.path.contains('?') { '&' } else { '?' };
        let _infallible = write!(request.path, "{mark}{}={}", percent(&name), percent(&value));
    }
    let (body, kind) = match std::mem::take(&mut request.content) {
        Content::Text | Content::Json => return Ok(()),
        Content::Form(fields) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            (form.extend_pairs(fields).finish(), "application/x-www-form-urlencoded".to_owned())
        }
        Content::Multipart(parts) => {
            (multipart(&parts, boundary)?, format!("multipart/form-data; boundary={boundary}"))
        }
    };
    request.body = Some(body);
    let own = request.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
    if !own {
        request.headers.insert("content-type".to_owned(), kind);
    }
    Ok(())
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 (2.3).
pub(super) fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// RFC 7578, with names escaped as browsers do (HTML, "multipart/form-data encoding algorithm").
fn multipart(parts: &[Part], boundary: &str) -> Result<String, Fault> {
    let mut body = String::new();
    for part in parts {
        let _infallible =
            write!(body, "--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quoted(&part.name));
        if let Some(filename) = &part.filename {
            let _infallible = write!(body, "; filename=\"{}\"", quoted(filename));
        }
        let kind =
            part.content_type.as_deref().or(part.filename.as_ref().map(|_| "application/octet-stream"));
        if let Some(kind) = kind {
            if http::HeaderValue::from_str(kind).is_err() {
                return Err(Fault::request(format!("{} is no content type", words::quote(kind))));
            }
            let _infallible = write!(body, "\r\ncontent-type: {kind}");
        }
        let _infallible = write!(body, "\r\n\r\n{}\r\n", part.value);
    }
    let _infallible = write!(body, "--{boundary}--\r\n");
    Ok(body)
}

fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(request: Request) -> Request {
        let mut request = request;
        pack(&mut request, "bound").expect("can be sent");
        request
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn queries_and_forms_are_encoded() {
        let query = pairs(&[("q", "tea & cake"), ("ü", "a=b"), ("q", "50%+")]);
        let found = packed(Request { path: "/s".into(), query, ..Request::default() });
        assert_eq!(found.path, "/s?q=tea%20%26%20cake&%C3%BC=a%3Db&q=50%25%2B");
        let found =
            packed(Request { path: "/s?a=1".into(), query: pairs(&[("b", "#")]), ..Request::default() });
        assert_eq!(found.path, "/s?a=1&b=%23");
        let content = Content::Form(pairs(&[("user", "a b"), ("p&w", "1+1")]));
        let found = packed(Request { content, ..Request::default() });
        assert_eq!(found.body.as_deref(), Some("user=a+b&p%26w=1%2B1"));
        assert_eq!(found.headers["content-type"], "application/x-www-form-urlencoded");
    }

    #[test]
    fn parts_are_separated_and_named() {
        let file = Part {
            name: "f".into(),
            value: "a,b\n".into(),
            filename: Some("x\"\r\n.csv".into()),
            content_type: Some("text/csv".into()),
        };
        let field = Part { name: "n".into(), value: "v".into(), ..Part::default() };
        let found = packed(Request { content: Content::Multipart(vec![field, file]), ..Request::default() });
        assert_eq!(
            found.body.as_deref(),
            Some(
                "--bound\r\ncontent-disposition: form-data; name=\"n\"\r\n\r\nv\r\n--bound\r\ncontent-disposition: \
                 form-data; name=\"f\"; filename=\"x%22%0D%0A.csv\"\r\ncontent-type: text/csv\r\n\r\na,b\n\r\n\
                 --bound--\r\n"
            )
        );
        assert_eq!(found.headers["content-type"], "multipart/form-data; boundary=bound");
        let bad = Part { content_type: Some("a\r\nb".into()), ..Part::default() };
        let mut request = Request { content: Content::Multipart(vec![bad]), ..Request::default() };
        assert!(pack(&mut request, "b").expect_err("refused").summary.contains("no content type"));
    }

    proptest! {
        #[test]
        fn any_query_is_read_back(fields: Vec<(String, String)>) {
            let found = packed(Request { query: fields.clone(), ..Request::default() });
            prop_assert!(found.path.is_ascii());
            let query = found.path.split_once('?').map_or("", |(_, query)| query);
            let read: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            prop_assert_eq!(read, fields);
        }
    }
}
