//! Which of the recorded requests become steps, and why the others do not.

use crate::{
    Error, MOST_STEPS,
    recorded::{Body, Recorded},
    text::{Context, Text},
};
use std::collections::BTreeMap;
use url::Url;

/// The methods a check may use.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What the configuration takes, less room for names that are longer than the values they stand for; bytes.
const LONGEST_BODY: usize = (64 << 10) - (4 << 10);
const LONGEST_PATH: usize = (4 << 10) - 512;

/// How many hosts a note lists.
const MOST_HOSTS: usize = 20;

const STATIC_PURPOSES: [&str; 9] =
    ["image", "imageset", "font", "stylesheet", "style", "script", "media", "texttrack", "manifest"];
const STATIC_ENDINGS: [&str; 25] = [
    "avif",
    "bmp",
    "css",
    "eot",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "m4a",
    "map",
    "mjs",
    "mp3",
    "mp4",
    "ogg",
    "otf",
    "png",
    "svg",
    "ttf",
    "wasm",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
];
const ENDLESS: [&str; 6] = ["websocket", "eventsource", "ping", "beacon", "cspviolationreport", "csp-report"];

/// Where the service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Origin {
    fn of(url: &Url) -> Option<Origin> {
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        let web = matches!(url.scheme(), "http" | "https");
        web.then(|| Origin { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// The base address of a service.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }

    fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }
}

/// The origin whose requests become steps: of the first document of the wanted host, or of any host.
///
/// # Errors
/// When no request goes to `host`, or none to any.
pub(crate) fn origin(recorded: &[Recorded], host: Option<&str>) -> Result<Origin, Error> {
    let found: Vec<(&Recorded, Origin)> =
        recorded.iter().filter_map(|recorded| Some((recorded, Origin::of(&recorded.url)?))).collect();
    let wanted = |origin: &Origin| {
        host.is_none_or(|host| {
            origin.host.eq_ignore_ascii_case(host) || origin.authority().eq_ignore_ascii_case(host)
        })
    };
    let ours: Vec<&(&Recorded, Origin)> = found.iter().filter(|(_, origin)| wanted(origin)).collect();
    let settled =
        ours.iter().find(|(recorded, origin)| is_document(recorded) && !leads_away(recorded, origin));
    let first = settled.or_else(|| ours.first());
    first.map(|(_, origin)| origin.clone()).ok_or_else(|| match host {
        Some(host) if !found.is_empty() => {
            let mut known: Vec<String> = found.iter().map(|(_, origin)| origin.authority()).collect();
            known.sort();
            known.dedup();
            known.truncate(MOST_HOSTS);
            Error::NoSuchHost { wanted: host.to_owned(), known: known.join(", ") }
        }
        _ => Error::Nothing(": it holds no http or https request".to_owned()),
    })
}

fn is_document(recorded: &Recorded) -> bool {
    match recorded.purpose.as_str() {
        "document" => true,
        "" | "other" => recorded.answer.as_ref().is_none_or(|answer| answer.media == "text/html"),
        _ => false,
    }
}

/// Whether the answer sends the browser to another origin, as `example.org` does to `www.example.org`.
fn leads_away(recorded: &Recorded, origin: &Origin) -> bool {
    let Some(answer) = recorded.answer.as_ref().filter(|answer| (300..400).contains(&answer.status)) else {
        return false;
    };
    let location = answer.headers.iter().find(|(name, _)| name == "location");
    let to = location.and_then(|(_, value)| recorded.url.join(value).ok());
    to.and_then(|to| Origin::of(&to)).is_some_and(|to| to != *origin)
}

/// The requests that become steps, in order.
pub(crate) fn steps(
    recorded: Vec<Recorded>,
    origin: &Origin,
    all: bool,
    notes: &mut Vec<String>,
) -> Vec<Recorded> {
    let mut elsewhere: BTreeMap<String, usize> = BTreeMap::new();
    let mut assets = 0;
    let mut preflights = 0;
    let mut kept = Vec::new();
    for recorded in recorded {
        let known = Origin::of(&recorded.url);
        if known.as_ref() != Some(origin) {
            let socket = matches!(recorded.url.scheme(), "ws" | "wss");
            if known.is_some() || socket {
                let host = recorded.url.host_str().unwrap_or_default();
                let port = recorded.url.port().map_or(String::new(), |port| format!(":{port}"));
                *elsewhere.entry(format!("{}://{host}{port}", recorded.url.scheme())).or_default() += 1;
            }
        } else if is_preflight(&recorded) {
            preflights += 1;
        } else if !all && is_asset(&recorded) {
            assets += 1;
        } else if let Some(why) = unfit(&recorded) {
            notes.push(format!("left out {}: {why}", recorded.line()));
        } else {
            kept.push(recorded);
        }
    }
    if assets > 0 {
        notes.push(format!("left out {assets} images, fonts, scripts and style sheets; --all keeps them"));
    }
    if preflights > 0 {
        notes.push(format!("left out {preflights} CORS preflights, which browsers make by themselves"));
    }
    if !elsewhere.is_empty() {
        let total: usize = elsewhere.values().sum();
        let more = elsewhere.len().saturating_sub(MOST_HOSTS);
        let mut hosts: Vec<String> =
            elsewhere.iter().take(MOST_HOSTS).map(|(host, times)| format!("{host} ({times})")).collect();
        hosts.extend((more > 0).then(|| format!("and {more} more")));
        notes.push(format!(
            "left out {total} requests that do not go to {}: {}",
            origin.url(),
            hosts.join(", ")
        ));
    }
    if kept.len() > MOST_STEPS {
        notes.push(format!(
            "{} requests would be steps, a journey has at most {MOST_STEPS}: kept the first {MOST_STEPS}",
            kept.len()
        ));
        kept.truncate(MOST_STEPS);
    }
    kept
}

fn is_preflight(recorded: &Recorded) -> bool {
    recorded.purpose == "preflight"
        || (recorded.method == "OPTIONS" && recorded.header("access-control-request-method").is_some())
}

fn is_asset(recorded: &Recorded) -> bool {
    let media = recorded.answer.as_ref().map_or("", |answer| answer.media.as_str());
    let by_media = ["image/", "font/", "audio/", "video/", "application/font"]
        .iter()
        .any(|kind| media.starts_with(kind))
        || matches!(
            media,
            "text/css"
                | "text/javascript"
                | "application/javascript"
                | "application/x-javascript"
                | "application/wasm"
        );
    let by_ending = || {
        let ending = recorded.url.path().rsplit('/').next().and_then(|file| file.rsplit_once('.'));
        ending.is_some_and(|(_, ending)| STATIC_ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
    };
    let read = matches!(recorded.method.as_str(), "GET" | "HEAD");
    let unknown = matches!(recorded.purpose.as_str(), "" | "other") && !is_document(recorded);
    read && (STATIC_PURPOSES.contains(&recorded.purpose.as_str()) || by_media || (unknown && by_ending()))
}

/// Why a request cannot be a step, if it cannot.
fn unfit(recorded: &Recorded) -> Option<String> {
    if let Some(purpose) = ENDLESS.iter().find(|purpose| recorded.purpose == **purpose) {
        return Some(format!("it is no request with an answer, but a {purpose}"));
    }
    match recorded.answer.as_ref().map(|answer| answer.status) {
        Some(101) => return Some("it became a WebSocket; the check `websocket` measures those".to_owned()),
        Some(status) if !(200..=599).contains(&status) => {
            return Some("no answer to it was recorded; it was blocked, cancelled or failed".to_owned());
        }
        _ => {}
    }
    if !METHODS.contains(&recorded.method.as_str()) {
        return Some(format!("a check has the methods {}", METHODS.join(", ")));
    }
    let path = recorded.url.path().len() + recorded.url.query().map_or(0, str::len);
    if path > LONGEST_PATH {
        return Some(format!("its path and query have {path} bytes; {LONGEST_PATH} fit into a step"));
    }
    match &recorded.body {
        Some(Body::Refused(why)) => Some((*why).to_owned()),
        Some(Body::Text(text)) => {
            let length = Text::literal(text).template(Context::Free).len();
            (length > LONGEST_BODY)
                .then(|| format!("its body has {length} bytes; {LONGEST_BODY} fit into a step"))
        }
        None => None,
    }
}
