//! One HTTP request and what its answer must look like. Texts may hold `{{ name }}` templates.

use crate::RegionId;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::{collections::BTreeMap, fmt};

/// The longest JSONPath, regular expression or CSS selector, bytes: parsers take time and stack that grow with them.
pub const LONGEST_PATTERN: usize = 512;
/// The most memory that a compiled regular expression may take, bytes.
pub const PATTERN_BYTES: usize = 256 << 10;

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    /// Path and query, appended to the endpoint's base URL.
    pub path: String,
    /// More of the query: names and values, percent-encoded by the probe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text; a JSON body is its text, with `content-type: application/json` among the headers.
    pub body: Option<String>,
    #[serde(default)]
    pub content: Content,
    #[serde(default)]
    pub expect: Expect,
}

impl Default for Request {
    /// `GET /`.
    fn default() -> Self {
        Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            headers: BTreeMap::new(),
            body: None,
            content: Content::Text,
            expect: Expect::default(),
        }
    }
}

/// What a body is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// `body` as it is.
    #[default]
    Text,
    /// `body` is JSON: templates are filled into its strings one by one, so that no value can change its shape.
    Json,
    /// Names and values, sent as `application/x-www-form-urlencoded` (WHATWG URL, 5).
    Form(Vec<(String, String)>),
    /// Sent as `multipart/form-data` (RFC 7578).
    Multipart(Vec<Part>),
}

/// One part of a `multipart/form-data` body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub value: String,
    /// Makes the part a file.
    #[serde(default)]
    pub filename: Option<String>,
    #[serde(default)]
    pub content_type: Option<String>,
}

/// What an answer must look like. Everything named must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expect {
    /// Accepted status codes; empty means 200 to 399.
    #[serde(default)]
    pub status: Vec<u16>,
    /// A text that the body must contain.
    pub body_contains: Option<String>,
    /// RFC 9535 JSONPath to the text its first match must equal (numbers and booleans as JSON prints them).
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Which region must have served the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_by: Option<Server>,
    /// What else must hold, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Which region must have served a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The region that the series points at.
    Here,
    /// Any other.
    Other,
    /// One of these.
    Among(Vec<RegionId>),
    /// None of these.
    Not(Vec<RegionId>),
}

/// One condition on one part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub of: Source,
    pub must: Must,
}

/// A place in an answer where a value is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The first match of an RFC 9535 JSONPath in the body.
    Json(String),
    /// A response header.
    Header(String),
    /// The value of a cookie that this answer sets.
    Cookie(String),
    /// The body as text.
    Body,
    /// What a group of a regular expression matches first in the body; group 0 is the whole match.
    Pattern {
        pattern: String,
        group: u8,
    },
    /// Of the first HTML element that a CSS selector finds: an attribute, or its text.
    Css {
        selector: String,
        attribute: Option<String>,
    },
    Status,
    /// The number of body bytes.
    Size,
    /// The SHA-256 of the body, hexadecimal.
    Sha256,
    /// The region that says it served the request.
    ServedBy,
    /// How long something took, microseconds.
    Time(Timing),
    /// How long the certificate that the server showed stays valid, seconds.
    Certificate,
}

/// What can be timed in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    Dns,
    Connect,
    Tls,
    Send,
    Wait,
    Transfer,
    /// All of it.
    Total,
}

impl Timing {
    /// All of them, by name.
    pub const NAMED: [(&'static str, Timing); 7] = [
        ("dns", Timing::Dns),
        ("connect", Timing::Connect),
        ("tls", Timing::Tls),
        ("send", Timing::Send),
        ("wait", Timing::Wait),
        ("transfer", Timing::Transfer),
        ("total", Timing::Total),
    ];
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Timing::NAMED.iter().find(|(_, timing)| timing == self).map_or("", |(name, _)| *name);
        f.pad(name)
    }
}

/// What must hold for a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Must {
    /// There is such a value (JSON `null` is one), or there is none.
    Exist(bool),
    /// As text.
    Equal(String),
    Differ(String),
    Contain(String),
    Lack(String),
    /// A regular expression matches somewhere in it.
    Match(String),
    /// As a number.
    Above(Number),
    Below(Number),
    AtLeast(Number),
    AtMost(Number),
    /// Characters of a text, entries of a list or an object.
    Length {
        least: u32,
        most: u32,
    },
}
