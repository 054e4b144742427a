//! From configuration to a request that can be sent, or the reason why it cannot.

use super::{dial::Destination, fault::Fault, words};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use url::{Position, Url};
use wire::assignment::Request;

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) url: Url,
    pub(super) to: Destination,
    pub(super) secure: bool,
    pub(super) method: Method,
    /// Without `host`, which the engine adds.
    pub(super) headers: HeaderMap,
    /// What goes into `Host` or `:authority`.
    pub(super) authority: String,
    pub(super) body: Bytes,
}

/// Reads the request; templates must have been filled in.
///
/// The check's headers replace the default ones, except for `content-length` and `transfer-encoding`, which
/// follow from the body and are ignored. A `cookie` header of the check replaces the journey's cookies.
///
/// # Errors
/// [`wire::sample::FailClass::Request`] when a part of it cannot be sent as written.
pub(super) fn prepare(
    request: &Request,
    base: &str,
    traceparent: &str,
    cookies: impl FnOnce(&Url) -> Option<String>,
) -> Result<Prepared, Fault> {
    let url = join(base, &request.path)?;
    let to = Destination::of(&url)?;
    let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| {
            Fault::request(format!("{} is not a method that can be sent", words::quote(&request.method)))
        })?;
    let body = Bytes::from(request.body.clone().unwrap_or_default());

    let mut headers = HeaderMap::new();
    headers
        .insert(header::USER_AGENT, HeaderValue::from_static(concat!("sextant/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert("traceparent", value("traceparent", traceparent)?);
    if let Some(cookies) = cookies(&url) {
        headers.insert(header::COOKIE, value("cookie", &cookies)?);
    }
    for (name, text) in &request.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed =
            parsed.map_err(|_| Fault::request(format!("{} is not a header name", words::quote(name))))?;
        headers.insert(parsed, value(name, text)?);
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if body.is_empty() && (method == Method::POST || method == Method::PUT || method == Method::PATCH) {
        // RFC 9110, 8.6: methods that anticipate content say so when there is none.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let authority = match headers.remove(header::HOST) {
        Some(host) => host.to_str().map_err(|_| Fault::request("the `host` header is not ASCII"))?.to_owned(),
        None => url[Position::BeforeHost..Position::AfterPort].to_owned(),
    };
    Ok(Prepared { secure: url.scheme() == "https", url, to, method, headers, authority, body })
}

impl Prepared {
    /// The request as hyper wants it: an origin-form target and a `Host` header for HTTP/1.1 (RFC 9112, 3.2),
    /// a full URI for HTTP/2 (RFC 9113, 8.3.1), where a `connection` header is not allowed. `keep` asks for a
    /// connection that stays.
    pub(super) fn to_http(
        &self,
        h2: bool,
        keep: bool,
    ) -> Result<http::Request<http_body_util::Full<Bytes>>, Fault> {
        let refuse = |error: http::Error| Fault::request(format!("the request cannot be sent: {error}"));
        let target = &self.url[Position::BeforePath..Position::AfterQuery];
        let uri = Uri::builder().path_and_query(target);
        let mut headers = self.headers.clone();
        let uri = if h2 {
            uri.scheme("https").authority(self.authority.as_str())
        } else {
            headers.insert(header::HOST, value("host", &self.authority)?);
            if !keep {
                headers.entry(header::CONNECTION).or_insert(HeaderValue::from_static("close"));
            }
            uri
        };
        let mut request = http::Request::new(http_body_util::Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri.build().map_err(refuse)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A header's value. Line breaks are refused: they would begin another header.
pub(super) fn value(name: &str, text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        Fault::request(format!(
            "the value of header {} holds a character that headers cannot",
            words::quote(name)
        ))
    })
}

/// The base URL and the path behind it. The path cannot change where the request goes.
fn join(base: &str, path: &str) -> Result<Url, Fault> {
    // `url` would drop line breaks and tabs silently, and the request would be another one than written.
    if path.chars().any(char::is_control) {
        return Err(Fault::request("the path holds a control character"));
    }
    let origin =
        Url::parse(base).map_err(|error| Fault::request(format!("the endpoint is not a URL: {error}")))?;
    if !matches!(origin.scheme(), "http" | "https") {
        let scheme = words::quote(origin.scheme());
        return Err(Fault::request(format!("the endpoint's scheme is {scheme}, not http or https")));
    }
    if !origin.username().is_empty() || origin.password().is_some() {
        return Err(Fault::request("the endpoint's URL holds credentials; use an `authorization` header"));
    }
    if origin.query().is_some() || origin.fragment().is_some() {
        return Err(Fault::request("the endpoint's URL ends in a query or fragment; put it into the path"));
    }
    // A `#` in a path and query can only be data (a captured value, say), for requests carry no fragment.
    let path = path.replace('#', "%23");
    let base = origin.as_str().trim_end_matches('/');
    let slash = if path.is_empty() || path.starts_with(['/', '?']) { "" } else { "/" };
    let url = Url::parse(&format!("{base}{slash}{path}"));
    let url = url.map_err(|error| Fault::request(format!("the path does not make a URL: {error}")))?;
    if url.origin() != origin.origin() {
        return Err(Fault::request("the path leads away from the endpoint"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_appended_to_the_base() {
        for (base, path, url) in [
            ("http://a.test", "/x", "http://a.test/x"),
            ("http://a.test/", "x", "http://a.test/x"),
            ("http://a.test/api/", "/x?y=1", "http://a.test/api/x?y=1"),
            ("http://a.test/api", "", "http://a.test/api"),
            ("http://a.test", "?q=a b", "http://a.test/?q=a%20b"),
            ("http://a.test", "@evil.test/", "http://a.test/@evil.test/"),
            ("http://a.test", "//evil.test/", "http://a.test//evil.test/"),
            ("http://a.test", "\\\\evil.test", "http://a.test/%2F"),
            ("http://a.test", "/a#b", "http://a.test/a%23b"),
            ("http://a.test:8080", ":81/", "http://a.test:8080/:81/"),
        ] {
            let joined = join(base, path).expect(path);
            assert_eq!(joined.host_str(), Some("a.test"));
            if !path.starts_with('\\') {
                assert_eq!(joined.as_str(), url);
            }
        }
    }

    #[test]
    fn what_cannot_be_sent_is_explained() {
        for (base, path) in [
            ("a.test", "/"),
            ("ftp://a.test", "/"),
            ("http://u:p@a.test", "/"),
            ("http://a.test?q", "/"),
            ("http://a.test", "/\r\nX: y"),
        ] {
            let fault = join(base, path).expect_err(base);
            assert!(!fault.summary.contains("u:p"), "{}", fault.summary);
        }
    }

    #[test]
    fn host_and_target_have_the_form_of_their_protocol() {
        let mut request = Request {
            method: "post".into(),
            path: "/x?y".into(),
            headers: [("Content-Length".to_owned(), "99".to_owned())].into(),
            ..Request::default()
        };
        let prepared = prepare(&request, "http://a.test:8080", "tp", |_| None).expect("valid");
        let http1 = prepared.to_http(false, false).expect("valid");
        assert_eq!(http1.uri(), "/x?y");
        assert_eq!(http1.headers()["host"], "a.test:8080");
        assert_eq!(http1.headers()["connection"], "close");
        assert_eq!(http1.headers()["content-length"], "0");
        assert!(!prepared.to_http(false, true).expect("valid").headers().contains_key("connection"));
        request.headers = [("HOST".to_owned(), "b.test".to_owned())].into();
        let prepared = prepare(&request, "https://a.test", "tp", |_| None).expect("valid");
        let http2 = prepared.to_http(true, false).expect("valid");
        assert_eq!(http2.uri(), "https://b.test/x?y");
        assert!(!http2.headers().contains_key("host") && !http2.headers().contains_key("connection"));
        assert_eq!(prepared.to.host.to_string(), "a.test");
    }
}
