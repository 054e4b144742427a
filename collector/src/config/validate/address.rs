//! Addresses: HTTP URLs that can be joined with a path and shown to everybody.

use crate::config::read::At;
use url::Url;

/// The longest URL accepted, bytes.
const LONGEST: usize = 2048;

/// A base address, without a trailing slash.
pub fn base(at: &At<'_>) -> Option<String> {
    checked(at).map(|url| url.as_str().trim_end_matches('/').to_owned())
}

/// The address of a webhook, as it was written.
pub fn webhook(at: &At<'_>) -> Option<String> {
    checked(at).map(String::from)
}

fn checked(at: &At<'_>) -> Option<Url> {
    const SHAPE: &str = "a URL such as https://shop.example.com";
    let text = at.text(LONGEST)?;
    let parsed = Url::parse(text).ok();
    let named = parsed.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some());
    // Asked first, and of the text too: an address with a mistake must not be repeated with its password.
    if named || text.split(['?', '#']).next().is_some_and(|address| address.contains('@')) {
        at.keep_secret();
        at.problem("holds a user name or password (or an `@`), which would be stored and shown; remove it");
        return None;
    }
    // The parser would silently drop or encode these.
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return at.expected("a URL without spaces, backslashes and control characters");
    }
    let Some(url) = parsed else {
        return at.expected(SHAPE);
    };
    if !matches!(url.scheme(), "http" | "https") || !text.contains("://") {
        return at.expected(SHAPE);
    }
    if url.query().is_some() || url.fragment().is_some() {
        at.problem("must end before `?` and `#`; queries belong into the path of a request");
        return None;
    }
    if url.port() == Some(0) {
        at.problem("port 0 cannot be reached");
        return None;
    }
    Some(url)
}
