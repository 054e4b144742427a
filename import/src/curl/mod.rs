//! curl command lines as requests.

mod option;

use crate::{
    Error,
    recorded::{Body, Recorded},
    shell,
};
use option::{Class, Given};
use std::time::Duration;
use url::{Url, form_urlencoded};

/// What was read.
pub(crate) struct Read {
    pub(crate) recorded: Vec<Recorded>,
    /// The sum of what `--max-time` allows, when every command says it.
    pub(crate) timeout: Option<Duration>,
}

/// Reads all commands of a text.
pub(crate) fn read(text: &str, notes: &mut Vec<String>) -> Result<Read, Error> {
    let commands = shell::commands(text, notes).map_err(Error::Shell)?;
    let mut recorded = Vec::new();
    let mut timeout = Some(Duration::ZERO);
    for (index, words) in commands.iter().enumerate() {
        let number = index + 1;
        let wrong = |problem| Error::Command { number, problem };
        let words = words.strip_prefix(&["$".to_owned()]).unwrap_or(words);
        let Some((program, rest)) = words.split_first() else { continue };
        let name = program.rsplit('/').next().unwrap_or_default();
        if name != "curl" {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(20).collect();
            return Err(wrong(format!("it begins with {shown:?}, not with curl")));
        }
        // `--next` begins another request in the same command.
        for part in rest.split(|word| word == "--next" || word == "-:") {
            let (requests, limit) = request(part, number, notes).map_err(wrong)?;
            let times = u32::try_from(requests.len()).unwrap_or(u32::MAX);
            recorded.extend(requests);
            timeout = timeout.zip(limit).map(|(sum, limit)| sum.saturating_add(limit.saturating_mul(times)));
        }
    }
    if recorded.is_empty() {
        return Err(Error::Nothing(": the text holds no curl command".to_owned()));
    }
    Ok(Read { recorded, timeout })
}

/// What the options of one request say.
#[derive(Default)]
struct Command {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    /// Headers that curl would make and was told not to.
    removed: Vec<String>,
    data: Option<String>,
    json: bool,
    get: bool,
    head: bool,
    globoff: bool,
    cookies: Vec<String>,
    credentials: Option<String>,
    query: Vec<String>,
    agent: Option<String>,
    referer: Option<String>,
    limit: Option<Duration>,
    notes: Vec<String>,
}

fn request(
    words: &[String],
    number: usize,
    notes: &mut Vec<String>,
) -> Result<(Vec<Recorded>, Option<Duration>), String> {
    let mut command = Command::default();
    for given in option::given(words)? {
        command.apply(given)?;
    }
    notes.extend(command.notes.iter().map(|note| format!("command {number}: {note}")));
    if command.urls.is_empty() {
        return Err("it names no URL".to_owned());
    }
    let urls = std::mem::take(&mut command.urls);
    let requests = urls.iter().map(|url| command.recorded(url)).collect::<Result<_, _>>()?;
    Ok((requests, command.limit))
}

impl Command {
    fn apply(&mut self, given: Given<'_>) -> Result<(), String> {
        let Given { name, class, value } = given;
        match (class, name) {
            (Class::Ignored, _) => {}
            (Class::Noted(why), _) => self.notes.push(format!("--{name} is left out: {why}")),
            (Class::Refused(why), _) => return Err(format!("--{name} cannot be imported: {why}")),
            (Class::Read, "url") => self.urls.push(value.to_owned()),
            (Class::Read, "request") => self.method = Some(value.trim().to_ascii_uppercase()),
            (Class::Read, "header") => self.header(value)?,
            (Class::Read, "data" | "data-ascii" | "data-binary") => {
                if value.starts_with('@') {
                    return Err(format!("--{name} reads a file, which is not done here; put its content in"));
                }
                self.add(value, "&");
            }
            (Class::Read, "data-raw") => self.add(value, "&"),
            (Class::Read, "data-urlencode") => {
                let encoded = encode(value)?;
                self.add(&encoded, "&");
            }
            (Class::Read, "json") => {
                if value.starts_with('@') {
                    return Err("--json reads a file, which is not done here; put its content in".to_owned());
                }
                self.json = true;
                self.add(value, "");
            }
            (Class::Read, "get") => self.get = true,
            (Class::Read, "head") => self.head = true,
            (Class::Read, "globoff") => self.globoff = true,
            (Class::Read, "cookie") if value.contains('=') => self.cookies.push(value.to_owned()),
            (Class::Read, "cookie") => {
                self.notes
                    .push("--cookie with a file is left out: journeys keep cookies by themselves".to_owned());
            }
            (Class::Read, "user") if value.contains(':') => self.credentials = Some(value.to_owned()),
            (Class::Read, "user") => {
                return Err("--user needs USER:PASSWORD, curl would ask for the password".to_owned());
            }
            (Class::Read, "oauth2-bearer") => {
                self.headers.push(("authorization".to_owned(), format!("Bearer {value}")))
            }
            (Class::Read, "user-agent") => self.agent = Some(value.to_owned()),
            (Class::Read, "referer") => self.referer = Some(value.trim_end_matches(";auto").to_owned()),
            (Class::Read, "range") => self.headers.push(("range".to_owned(), format!("bytes={value}"))),
            (Class::Read, "url-query") => {
                let encoded = match value.strip_prefix('+') {
                    Some(literal) => literal.to_owned(),
                    None => encode(value)?,
                };
                self.query.push(encoded);
            }
            (Class::Read, "max-time") => {
                let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
                let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                self.limit = Some(limit.ok_or("--max-time needs a number of seconds above 0")?);
            }
            (Class::Read, other) => return Err(format!("--{other} is not known here")),
        }
        Ok(())
    }

    /// `Name: value`; `Name:` takes away what curl would send; `Name;` is a header without a value.
    fn header(&mut self, text: &str) -> Result<(), String> {
        if text.starts_with('@') {
            return Err("--header reads a file, which is not done here; put its content in".to_owned());
        }
        match text.split_once(':') {
            // `:authority` and others, which some browsers copy along.
            Some(("", _)) => {}
            Some((name, value)) if value.trim().is_empty() => {
                self.removed.push(name.trim().to_ascii_lowercase())
            }
            Some((name, value)) => {
                self.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            None if text.ends_with(';') => {
                self.notes.push("a header without a value is left out: a check has none of those".to_owned());
            }
            None => return Err("--header needs `Name: value`".to_owned()),
        }
        Ok(())
    }

    fn add(&mut self, value: &str, separator: &str) {
        match &mut self.data {
            Some(data) => {
                data.push_str(separator);
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
    }

    fn recorded(&self, url: &str) -> Result<Recorded, String> {
        let mut url = self.url(url)?;
        let credentials = self.credentials.clone().or_else(|| {
            let user = (!url.username().is_empty() || url.password().is_some()).then(|| url.clone())?;
            Some(format!("{}:{}", decoded(user.username()), decoded(user.password().unwrap_or_default())))
        });
        let mut query = self.query.clone();
        query.extend(self.data.clone().filter(|data| self.get && !data.is_empty()));
        if !query.is_empty() {
            let before = url.query().filter(|query| !query.is_empty()).map(str::to_owned);
            let whole: Vec<String> = before.into_iter().chain(query).collect();
            url.set_query(Some(&whole.join("&")));
        }
        let data = self.data.clone().filter(|_| !self.get);
        let default = if self.head {
            "HEAD"
        } else if data.is_some() {
            "POST"
        } else {
            "GET"
        };
        let mut headers = self.headers.clone();
        let mut implied = |name: &str, value: &str| {
            if !headers.iter().any(|(known, _)| known == name)
                && !self.removed.iter().any(|known| known == name)
            {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        if data.is_some() && self.json {
            implied("content-type", "application/json");
            implied("accept", "application/json");
        } else if data.is_some() {
            implied("content-type", "application/x-www-form-urlencoded");
        }
        if let Some(agent) = self.agent.as_deref().filter(|agent| !agent.is_empty()) {
            implied("user-agent", agent);
        }
        if let Some(referer) = self.referer.as_deref().filter(|referer| !referer.is_empty()) {
            implied("referer", referer);
        }
        headers.extend(self.cookies.iter().map(|cookie| ("cookie".to_owned(), cookie.clone())));
        let multipart =
            headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("multipart/"));
        let body = data.map(|data| {
            if multipart {
                Body::Refused("its body is a multipart form, which a check cannot send")
            } else if data.contains('\0') || data.contains('\u{fffd}') {
                Body::Refused("its body is binary, and a check sends texts")
            } else {
                Body::Text(data)
            }
        });
        let method = self.method.clone().unwrap_or_else(|| default.to_owned());
        Ok(Recorded { method, url, headers, body, answer: None, purpose: "document".to_owned(), credentials })
    }

    fn url(&self, text: &str) -> Result<Url, String> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let address = whole.split_once("://").map_or("", |(_, rest)| rest);
        // Brackets of an IPv6 address come before the path.
        let path = address.find(['/', '?']).and_then(|at| address.get(at..)).unwrap_or_default();
        if !self.globoff
            && (path.contains('{') && path.contains('}') || path.contains('[') && path.contains(']'))
        {
            return Err(
                "braces and brackets in a URL mean several URLs to curl; write them out, or add --globoff"
                    .to_owned(),
            );
        }
        let url = Url::parse(&whole).map_err(|error| format!("its URL is none: {error}"))?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            scheme => Err(format!("a check has http and https, not {scheme}")),
        }
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', "%2B");
    let pair = format!("x={text}");
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// `content`, `=content` and `name=content` of `--data-urlencode`, encoded.
fn encode(value: &str) -> Result<String, String> {
    let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match value.split_once('=') {
        Some(("", content)) => Ok(escaped(content)),
        Some((name, content)) => Ok(format!("{name}={}", escaped(content))),
        None if value.contains('@') => {
            Err("--data-urlencode reads a file, which is not done here; put its content in".to_owned())
        }
        None => Ok(escaped(value)),
    }
}
