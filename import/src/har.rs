//! HAR 1.2, as browsers save it: lenient where they differ, strict where guessing would be wrong.

use crate::{
    Error,
    recorded::{Answer, Body, Recorded, media},
};
use base64::Engine as _;
use serde::Deserialize;
use url::{Url, form_urlencoded};

/// What a body of this kind cannot be.
const MULTIPART: &str = "its body is a multipart form, which a check cannot send";
const BINARY: &str = "its body is binary, and a check sends texts";

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: Option<String>,
    request: Request,
    response: Option<Response>,
    /// Chrome's.
    #[serde(rename = "_resourceType")]
    resource_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    headers: Option<Vec<Pair>>,
    cookies: Option<Vec<Pair>>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Pair {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    mime_type: Option<String>,
    params: Option<Vec<Pair>>,
    text: Option<String>,
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    status: Option<f64>,
    headers: Option<Vec<Pair>>,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    mime_type: Option<String>,
    text: Option<String>,
    encoding: Option<String>,
}

/// Reads a file into requests in the order in which they began.
pub(crate) fn read(bytes: &[u8], notes: &mut Vec<String>) -> Result<Vec<Recorded>, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let har: Har = serde_json::from_slice(bytes).map_err(|error| Error::NotHar(problem(&error)))?;
    let mut entries = har.log.entries;
    sort(&mut entries);
    let total = entries.len();
    let recorded: Vec<Recorded> = entries.into_iter().filter_map(recorded).collect();
    if recorded.len() < total {
        notes.push(format!("left out {} entries whose address is none", total - recorded.len()));
    }
    Ok(recorded)
}

/// What is wrong, without the values that the library quotes, because these may be secrets.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes = error.is_data() && !text.starts_with("missing field");
    if quotes {
        format!("a value of the wrong kind at line {} column {}", error.line(), error.column())
    } else {
        text
    }
}

/// By time when all times are written alike, so that they can be compared as texts; otherwise as they stand.
fn sort(entries: &mut [Entry]) {
    let times: Vec<Option<(&str, &str)>> =
        entries.iter().map(|e| split(e.started_date_time.as_deref()?)).collect();
    let alike = times
        .iter()
        .all(|time| time.is_some() && time.map(|(_, zone)| zone) == times[0].map(|(_, zone)| zone));
    if alike {
        entries.sort_by(|a, b| {
            let time =
                |entry: &Entry| entry.started_date_time.as_deref().and_then(split).map(|(t, _)| t.to_owned());
            time(a).cmp(&time(b))
        });
    }
}

/// An RFC 3339 time without its zone, and the zone.
fn split(time: &str) -> Option<(&str, &str)> {
    let zone = time.find('T').and_then(|t| time.get(t..)?.find(['Z', '+', '-']).map(|at| t + at))?;
    time.split_at_checked(zone)
}

fn recorded(entry: Entry) -> Option<Recorded> {
    let Entry { request, response, resource_type, .. } = entry;
    let url = Url::parse(&request.url).ok()?;
    let mut headers = pairs(request.headers);
    let cookies = pairs(request.cookies);
    if !cookies.is_empty() && !headers.iter().any(|(name, _)| name == "cookie") {
        let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        headers.push(("cookie".to_owned(), line.join("; ")));
    }
    let body = request.post_data.and_then(|data| body(data, &mut headers));
    let fetched = headers.iter().find(|(name, _)| name == "sec-fetch-dest").map(|(_, value)| value.clone());
    let purpose = resource_type.or(fetched).unwrap_or_default().to_ascii_lowercase();
    let credentials = (!url.username().is_empty() || url.password().is_some())
        .then(|| format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default())));
    Some(Recorded {
        method: request.method.trim().to_ascii_uppercase(),
        url,
        headers,
        body,
        answer: Some(answer(response)),
        purpose,
        credentials,
    })
}

fn decoded(text: &str) -> String {
    // A plus is no space here.
    let text = text.replace('+', "%2B");
    form_urlencoded::parse(format!("x={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn pairs(pairs: Option<Vec<Pair>>) -> Vec<(String, String)> {
    let named = pairs
        .unwrap_or_default()
        .into_iter()
        .filter_map(|pair| Some((pair.name?, pair.value.unwrap_or_default())));
    named.map(|(name, value)| (name.trim().to_ascii_lowercase(), value)).collect()
}

fn body(data: PostData, headers: &mut Vec<(String, String)>) -> Option<Body> {
    let kind = media(data.mime_type.as_deref().unwrap_or_default());
    if kind.starts_with("multipart/") {
        return Some(Body::Refused(MULTIPART));
    }
    let text = data.text.filter(|text| !text.is_empty());
    let params = data.params.unwrap_or_default();
    let text = match text {
        Some(text) => text,
        None if params.is_empty() => return None,
        None => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for Pair { name, value } in params {
                form.append_pair(&name.unwrap_or_default(), &value.unwrap_or_default());
            }
            form.finish()
        }
    };
    if !headers.iter().any(|(name, _)| name == "content-type")
        && let Some(kind) = data.mime_type.filter(|kind| !kind.is_empty())
    {
        headers.push(("content-type".to_owned(), kind));
    }
    let encoded = data.encoding.is_some_and(|encoding| !encoding.is_empty());
    if encoded || is_binary(&kind, &text) { Some(Body::Refused(BINARY)) } else { Some(Body::Text(text)) }
}

fn is_binary(kind: &str, text: &str) -> bool {
    let by_kind = ["image/", "audio/", "video/", "font/", "application/grpc"]
        .iter()
        .any(|k| kind.starts_with(k))
        || ["octet-stream", "protobuf", "zip", "pdf", "msgpack", "cbor"].iter().any(|k| kind.ends_with(k));
    let control = |c: char| (c.is_control() && !matches!(c, '\t' | '\r' | '\n')) || c == '\u{fffd}';
    by_kind || text.chars().any(control)
}

fn answer(response: Option<Response>) -> Answer {
    let Some(response) = response else {
        return Answer { status: 0, headers: Vec::new(), media: String::new(), body: None };
    };
    // Whole numbers of three digits only; browsers write 0 or -1 for no answer.
    let status = response.status.filter(|s| (100.0..600.0).contains(s)).map(|s| s.to_string());
    let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
    let content = response.content;
    let kind =
        content.as_ref().and_then(|content| content.mime_type.as_deref()).map(media).unwrap_or_default();
    let body = content.and_then(|content| {
        let text = content.text?;
        if !content.encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64")) {
            return Some(text);
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
        String::from_utf8(bytes).ok()
    });
    Answer { status, headers: pairs(response.headers), media: kind, body }
}
