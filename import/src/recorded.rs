//! A request that somebody made, and what came back, whatever format it was read from.

use url::Url;

/// A request with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// In capitals.
    pub(crate) method: String,
    pub(crate) url: Url,
    /// As they were sent; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
    /// Nothing for a command that was never run.
    pub(crate) answer: Option<Answer>,
    /// What the browser says it was for, in lower case: `document`, `xhr`, `image`; empty when it does not say.
    pub(crate) purpose: String,
    /// User and password, joined by a colon.
    pub(crate) credentials: Option<String>,
}

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Text(String),
    /// Why it cannot be a text in a document.
    Refused(&'static str),
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// 100 to 599, or 0 when there was none.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The media type without parameters, in lower case.
    pub(crate) media: String,
    /// Nothing when it was not recorded or is no text.
    pub(crate) body: Option<String>,
}

impl Recorded {
    /// The first value of a header of the request.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The request for a note: no query and no fragment, because these may hold secrets.
    pub(crate) fn line(&self) -> String {
        format!("{} {}{}", self.method, self.url.host_str().unwrap_or_default(), self.url.path())
    }
}

/// A media type without its parameters, in lower case.
pub(crate) fn media(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type is that of JSON.
pub(crate) fn is_json(media: &str) -> bool {
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}
