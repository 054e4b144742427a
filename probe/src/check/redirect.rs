//! The request that a redirect asks for (RFC 9110, 15.4).
//!
//! What is private stays where it was meant to go: headers that carry credentials and the check's cookies are not sent
//! to another origin (scheme, host and port), as in browsers. Where anything else of the request holds a secret of the
//! probe, another origin is not gone to at all.

use super::{
    dial::Destination,
    evidence,
    fault::Fault,
    jar::Jar,
    prepare::{self, Prepared},
    record::Record,
    words,
};
use http::{HeaderMap, Method, header};
use url::{Position, Url};
use wire::sample::FailClass;

/// The most redirects of one run, whatever the check says.
const HOPS_MOST: u8 = 10;
/// The longest URL that is told of a hop, characters.
const URL_MOST: usize = 300;
/// The same in a sentence.
const WORDS_MOST: usize = 60;

/// A walk from one redirect to the next.
pub(super) struct Trail {
    /// How many may be followed.
    most: u8,
    /// The cookies are the jar's, and not the check's own.
    jar_speaks: bool,
    /// What was asked for so far: going in circles is asking for the same with the same cookies.
    asked: Vec<(Method, Url, Option<header::HeaderValue>)>,
}

impl Trail {
    pub(super) fn new(most: u8, first: &Prepared, jar_speaks: bool) -> Trail {
        // Nothing is copied for a check that stays where it is.
        let asked = if most > 0 { vec![asked(first)] } else { Vec::new() };
        Trail { most: most.min(HOPS_MOST), jar_speaks, asked }
    }

    /// The next request, when the answer asks for one and the check follows redirects.
    ///
    /// # Errors
    /// [`FailClass::Protocol`] for a redirect that leads nowhere, in a circle, or on for too long.
    pub(super) fn next(
        &mut self,
        from: &Prepared,
        answer: &Record,
        jar: Option<&Jar>,
    ) -> Result<Option<Prepared>, Fault> {
        let status = answer.status.unwrap_or_default();
        if self.most == 0 || !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let broken = |why: String| Fault::new(FailClass::Protocol, why);
        let location = answer
            .header(header::LOCATION.as_str())
            .ok_or_else(|| broken(format!("status {status} without a `location` to go to")))?;
        let nowhere = |why: &str| {
            broken(format!("redirected (status {status}) to {}: {why}", words::quote(bare(&location))))
        };
        let mut url = from.url.join(&location).map_err(|error| nowhere(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(nowhere("that is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(broken(format!("redirected (status {status}) to a URL that holds credentials")));
        }
        url.set_fragment(None);
        if self.asked.len() > usize::from(self.most) {
            let most = self.most;
            let s = if most == 1 { "" } else { "s" };
            return Err(broken(format!("more than {most} redirect{s}: {}", self.chain(&url))));
        }
        let next = self.request(from, status, url, jar)?;
        let this = asked(&next);
        if self.asked.contains(&this) {
            return Err(broken(format!("the redirects go in a circle: {}", self.chain(&next.url))));
        }
        self.asked.push(this);
        Ok(Some(next))
    }

    fn request(&self, from: &Prepared, status: u16, url: Url, jar: Option<&Jar>) -> Result<Prepared, Fault> {
        let same = url.origin() == from.url.origin();
        let mut headers = from.headers.clone();
        let (mut method, mut body) = (from.method.clone(), from.body.clone());
        // A POST that is answered by 301 or 302 goes on as GET everywhere; 303 means GET (RFC 9110, 15.4.2 to 15.4.4).
        let becomes_get = match status {
            301 | 302 => method == Method::POST,
            303 => method != Method::GET && method != Method::HEAD,
            _ => false,
        };
        if becomes_get {
            method = Method::GET;
            body.clear();
            for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
                headers.remove(name);
            }
        }
        if !same {
            withhold(&mut headers);
        }
        if self.jar_speaks {
            headers.remove(header::COOKIE);
            if let Some(cookies) = jar.and_then(|jar| jar.header(&url)) {
                headers.insert(header::COOKIE, prepare::value("cookie", &cookies)?);
            }
        }
        let authority = if same {
            from.authority.clone()
        } else {
            url[Position::BeforeHost..Position::AfterPort].to_owned()
        };
        let to = Destination::of(&url)?;
        Ok(Prepared { secure: url.scheme() == "https", url, to, method, headers, authority, body })
    }

    /// Where the redirects led, for a sentence.
    fn chain(&self, last: &Url) -> String {
        let mut urls: Vec<&Url> = self.asked.iter().map(|(_, url, _)| url).collect();
        urls.push(last);
        let mut text = String::new();
        for (index, url) in urls.iter().enumerate() {
            if index > 0 {
                let leaves = urls[index - 1].scheme() == "https" && url.scheme() == "http";
                text.push_str(if leaves { " -> (without TLS) " } else { " -> " });
            }
            text.push_str(&words::line(plain(url), WORDS_MOST));
        }
        text
    }
}

/// Removes what is not for another origin.
fn withhold(headers: &mut HeaderMap) {
    let private: Vec<_> = headers.keys().filter(|name| evidence::is_secret(name.as_str())).cloned().collect();
    for name in private {
        headers.remove(name);
    }
}

fn asked(request: &Prepared) -> (Method, Url, Option<header::HeaderValue>) {
    (request.method.clone(), request.url.clone(), request.headers.get(header::COOKIE).cloned())
}

/// A URL without its query, which may hold secrets.
fn plain(url: &Url) -> &str {
    &url[..Position::AfterPath]
}

/// The same of a text that need not be a URL.
fn bare(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

/// How a hop is told: scheme, host, port and path.
pub(super) fn told(url: &Url) -> String {
    words::line(plain(url), URL_MOST)
}

/// Whether following a redirect would hand a secret to another origin: in a body that is sent again, in a header whose
/// name says nothing, or in an address that the server made of it.
pub(super) fn betrays(from: &Prepared, next: &Prepared, secrets: &[String]) -> bool {
    let holds = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret.as_str()))
    };
    from.url.origin() != next.url.origin()
        && (holds(&next.body)
            || holds(next.url.as_str().as_bytes())
            || next.headers.values().any(|value| holds(value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::assignment::Request;

    fn prepared(method: &str, url: &str) -> Prepared {
        let headers = [
            ("Authorization", "Bearer x"),
            ("X-Api-Key", "k"),
            ("Cookie", "a=b"),
            ("Accept-Language", "de"),
            ("Content-Type", "text/plain"),
        ];
        let request = Request {
            method: method.into(),
            path: "/start?secret=1".into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: Some("body".into()),
            ..Request::default()
        };
        prepare::prepare(&request, url, "tp", |_| None).expect("valid")
    }

    fn answer(status: u16, location: Option<&str>) -> Record {
        let mut record = Record { status: Some(status), ..Record::default() };
        if let Some(location) = location {
            record.headers.insert(header::LOCATION, location.parse().expect("a value"));
        }
        record
    }

    fn follow(method: &str, status: u16, location: &str) -> Prepared {
        let first = prepared(method, "https://a.test");
        let next = Trail::new(3, &first, false).next(&first, &answer(status, Some(location)), None);
        next.expect("leads on").expect("is a redirect")
    }

    #[test]
    fn methods_follow_the_status() {
        for (method, status, becomes) in [
            ("GET", 301, "GET"),
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("PUT", 302, "PUT"),
            ("POST", 303, "GET"),
            ("DELETE", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 307, "POST"),
            ("DELETE", 308, "DELETE"),
        ] {
            let next = follow(method, status, "/next");
            assert_eq!(next.method.as_str(), becomes, "{method} {status}");
            let carries = becomes == method;
            assert_eq!(next.body.is_empty(), !carries, "{method} {status}");
            assert_eq!(next.headers.contains_key("content-type"), carries);
            assert_eq!(next.url.as_str(), "https://a.test/next");
        }
    }

    #[test]
    fn private_headers_stay_at_their_origin() {
        for (location, same) in [
            ("/b", true),
            ("https://a.test:443/b", true),
            ("https://b.test/", false),
            ("http://a.test/", false),
            ("//a.test:444/", false),
        ] {
            let next = follow("GET", 302, location);
            for name in ["authorization", "x-api-key", "cookie"] {
                assert_eq!(next.headers.contains_key(name), same, "{name} to {location}");
            }
            assert!(next.headers.contains_key("accept-language"));
        }
        assert_eq!(follow("GET", 302, "http://b.test:81/").authority, "b.test:81");
    }

    #[test]
    fn what_leads_nowhere_is_said_without_queries() {
        let first = prepared("GET", "https://a.test");
        for (location, word) in [
            (None, "without a `location`"),
            (Some("ftp://a.test/x?key=hush"), "neither http nor https"),
            (Some("https://u:hush@b.test/"), "credentials"),
            (Some("https://[::x/?hush"), "redirected (status 302)"),
        ] {
            let fault =
                Trail::new(3, &first, false).next(&first, &answer(302, location), None).expect_err(word);
            assert_eq!(fault.class, FailClass::Protocol);
            assert!(fault.summary.contains(word) && !fault.summary.contains("hush"), "{}", fault.summary);
        }
        for (most, status) in [(0, 302), (3, 200), (3, 304), (3, 300)] {
            let next = Trail::new(most, &first, false).next(&first, &answer(status, Some("/x")), None);
            assert!(next.expect("no fault").is_none());
        }
    }

    #[test]
    fn circles_and_long_walks_end() {
        let first = prepared("GET", "https://a.test");
        let mut trail = Trail::new(5, &first, false);
        let second = trail.next(&first, &answer(302, Some("http://a.test/b?q")), None);
        let second = second.expect("leads on").expect("a redirect");
        let back = answer(302, Some("https://a.test/start?secret=1"));
        // The first request had credentials, this one would have none: its cookie tells them apart.
        let third = trail.next(&second, &back, None).expect("leads on").expect("a redirect");
        let again = answer(302, Some("http://a.test/b?q"));
        let fault = trail.next(&third, &again, None).expect_err("a circle");
        assert_eq!(
            fault.summary,
            "the redirects go in a circle: https://a.test/start -> (without TLS) http://a.test/b -> \
             https://a.test/start -> (without TLS) http://a.test/b"
        );
        let mut trail = Trail::new(1, &first, false);
        let second =
            trail.next(&first, &answer(302, Some("/1")), None).expect("leads on").expect("a redirect");
        let fault = trail.next(&second, &answer(302, Some("/2")), None).expect_err("too far");
        assert_eq!(
            fault.summary,
            "more than 1 redirect: https://a.test/start -> https://a.test/1 -> https://a.test/2"
        );
    }
}
