//! The cookies of one journey (a working part of RFC 6265).
//!
//! Cookies belong to a host, not to a port, or to the domain that the server names, as in browsers: that is how
//! a session moves from one region to another. Left out: expiry within a run (a journey is over in seconds;
//! `Max-Age` of 0 and dates in 1970, the two ways to delete a cookie, are understood), `SameSite`, and the list
//! of public suffixes, because a journey only visits endpoints of one service.

use http::{HeaderMap, header};
use url::{Host, Url};

/// How many cookies are kept, and how long one may be in bytes; RFC 6265, 6.1 asks for as much.
const MAX_COOKIES: usize = 50;
const MAX_LENGTH: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// True when only the host that set it gets it back.
    host_only: bool,
    path: String,
    secure: bool,
}

/// Cookies, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    /// The `cookie` header for a request.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let host = url.host_str()?;
        let fits = |cookie: &&Cookie| {
            (if cookie.host_only { host == cookie.domain } else { within(host, &cookie.domain) })
                && under(url.path(), &cookie.path)
                && (!cookie.secure || url.scheme() == "https")
        };
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .filter(fits)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Keeps what an answer from `url` sets. What is malformed is ignored, as browsers do.
    pub(super) fn keep(&mut self, url: &Url, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE) {
            let Ok(text) = value.to_str() else { continue };
            let Some((cookie, deleted)) = parse(text, url) else { continue };
            let same = |old: &Cookie| {
                (&old.name, &old.domain, &old.path) == (&cookie.name, &cookie.domain, &cookie.path)
            };
            let place = self.cookies.iter().position(same);
            match (place, deleted) {
                (Some(place), true) => drop(self.cookies.remove(place)),
                (Some(place), false) => self.cookies[place] = cookie,
                (None, false) if self.cookies.len() < MAX_COOKIES => self.cookies.push(cookie),
                (None, _) => {}
            }
        }
    }

    /// The values, which are secrets as a rule.
    pub(super) fn values(&self) -> impl Iterator<Item = String> {
        self.cookies.iter().map(|cookie| cookie.value.clone())
    }
}

/// Reads one `set-cookie`; the second part tells whether it deletes.
fn parse(text: &str, url: &Url) -> Option<(Cookie, bool)> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let host = url.host_str()?;
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: host.to_owned(),
        host_only: true,
        path: default_path(url.path()).to_owned(),
        secure: false,
    };
    let (mut max_age, mut expired) = (None, false);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => cookie.path = value.to_owned(),
            "domain" => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                let named = matches!(url.host(), Some(Host::Domain(_)));
                if domain.is_empty() || domain == host {
                    // RFC 6265, 5.3: naming oneself still opens the cookie to subdomains.
                    cookie.host_only = domain.is_empty() || !named;
                } else if named && domain.contains('.') && within(host, &domain) {
                    cookie.domain = domain;
                    cookie.host_only = false;
                } else {
                    return None;
                }
            }
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => expired = value.contains("1970"),
            "secure" => cookie.secure = true,
            _ => {}
        }
    }
    Some((cookie, max_age.map_or(expired, |seconds| seconds <= 0)))
}

/// Is `host` the domain or below it?
fn within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// RFC 6265, 5.1.4: does a request path lie under a cookie's path?
fn under(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// RFC 6265, 5.1.4: the directory of the request.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(jar: &mut Jar, url: &str, cookies: &[&str]) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::SET_COOKIE, cookie.parse().expect("a header value"));
        }
        jar.keep(&url.parse().expect(url), &headers);
    }

    fn get(jar: &Jar, url: &str) -> String {
        jar.header(&url.parse().expect(url)).unwrap_or_default()
    }

    #[test]
    fn cookies_go_back_to_their_host_only() {
        let mut jar = Jar::default();
        set(&mut jar, "http://eu.shop.test:1/", &["a=1", "b=2; Path=/api", "c=3; Secure; HttpOnly"]);
        assert_eq!(get(&jar, "http://eu.shop.test:2/"), "a=1");
        assert_eq!(get(&jar, "https://eu.shop.test/api/x"), "a=1; b=2; c=3");
        assert_eq!(get(&jar, "http://eu.shop.test/apix"), "a=1");
        assert_eq!(get(&jar, "http://us.shop.test/"), "");
        assert_eq!(get(&jar, "http://x.eu.shop.test/"), "");
    }

    #[test]
    fn a_domain_shares_them_between_regions() {
        let mut jar = Jar::default();
        set(
            &mut jar,
            "http://eu.shop.test/",
            &["a=1; Domain=.Shop.test", "b=2; Domain=evil.test", "c=3; Domain=test"],
        );
        assert_eq!(get(&jar, "http://us.shop.test/"), "a=1");
        assert_eq!(get(&jar, "http://ushop.test/"), "");
        set(&mut jar, "http://127.0.0.1/", &["a=1; Domain=0.0.1", "b=2; Domain=127.0.0.1"]);
        assert_eq!(get(&jar, "http://127.0.0.1/"), "b=2");
    }

    #[test]
    fn cookies_are_replaced_and_deleted() {
        let mut jar = Jar::default();
        set(&mut jar, "http://a.test/", &["a=1", "b=1", "a=2", "junk", "=x", ""]);
        assert_eq!(get(&jar, "http://a.test/"), "a=2; b=1");
        set(&mut jar, "http://a.test/", &["a=; Max-Age=0", "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(get(&jar, "http://a.test/"), "");
        for n in 0..100 {
            set(&mut jar, "http://a.test/", &[&format!("c{n}=1")]);
        }
        assert_eq!(jar.values().count(), MAX_COOKIES);
    }
}
