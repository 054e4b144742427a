//! A journey from what a browser recorded: a HAR 1.2 file, or curl command lines as "Copy as cURL" gives them.
//!
//! Pure: bytes in, YAML and notes out. [`har()`] and [`curl()`] read their format into the same
//! `recorded::Recorded` requests; the rest is common. Nothing that looks like a secret reaches the YAML or the
//! notes: it becomes `{{ secret.name }}`. `docs/import.md` describes the rules for those who use them.
//!
//! # How it works
//!
//! 1. `har` or `curl` (with `shell`) read the requests; `select` says which of them become steps.
//! 2. `draft` turns each request into texts with places to fill: `header` drops what browsers add, `field` finds
//!    named values in queries, forms and JSON, `sensitive` knows secrets, `capture` the values of earlier answers.
//! 3. `yaml` writes the document. `text` escapes what the probe's template engine would otherwise read.

mod capture;
mod curl;
mod draft;
mod field;
mod har;
mod header;
mod json;
mod name;
mod recorded;
mod select;
mod sensitive;
mod shell;
mod text;
mod yaml;

use recorded::Recorded;
use select::Origin;
use wire::{CheckId, ServiceId};

/// The largest HAR file and the largest text of commands, bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// The most steps of a journey, as the configuration has it.
pub const MOST_STEPS: usize = 50;

/// What the person who imports may say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The check's id; by default the service's with `-journey`.
    pub name: Option<CheckId>,
    /// The service's id; by default the first label of the host that is not `www`.
    pub service: Option<ServiceId>,
    /// The host, with or without a port, whose requests become steps; by default that of the first document.
    pub host: Option<String>,
    /// Keep images, fonts, scripts and style sheets.
    pub all: bool,
    /// A whole configuration document with placeholders, not only the check.
    pub document: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// YAML for the configuration document.
    pub yaml: String,
    /// What was left out or needs a hand, one line each. No secrets.
    pub notes: Vec<String>,
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the input has {bytes} bytes; the limit is {} MiB. Record less, or only the page you need", MAX_BYTES >> 20)]
    TooLarge { bytes: usize },
    #[error("this is no HAR file: {0}. Save it with \"Save all as HAR\" in the browser's network panel")]
    NotHar(String),
    #[error("the host {wanted:?} is in none of the requests; the hosts are {known}")]
    NoSuchHost { wanted: String, known: String },
    #[error("there is nothing to make a step of{0}")]
    Nothing(String),
    #[error("command {number}: {problem}")]
    Command { number: usize, problem: String },
    #[error("{0}")]
    Shell(String),
}

/// Makes a journey from a HAR file.
///
/// # Errors
/// When the bytes are no HAR 1.2, are larger than [`MAX_BYTES`], or when no request in them can become a step.
pub fn har(bytes: &[u8], options: &Options) -> Result<Imported, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let mut notes = Vec::new();
    let recorded = har::read(bytes, &mut notes)?;
    finish(recorded, None, options, notes)
}

/// Makes a journey from one or several curl commands, as a POSIX shell reads them.
///
/// # Errors
/// When the text cannot be read as such commands, has options that have no meaning for a check, or is too large.
pub fn curl(text: &str, options: &Options) -> Result<Imported, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: text.len() });
    }
    let mut notes = Vec::new();
    let curl::Read { recorded, timeout } = curl::read(text, &mut notes)?;
    // Whoever writes a command means it: nothing is left out for being an image.
    finish(recorded, timeout, &Options { all: true, ..options.clone() }, notes)
}

fn finish(
    recorded: Vec<Recorded>,
    timeout: Option<std::time::Duration>,
    options: &Options,
    mut notes: Vec<String>,
) -> Result<Imported, Error> {
    let origin = select::origin(&recorded, options.host.as_deref())?;
    let kept = select::steps(recorded, &origin, options.all, &mut notes);
    let ids = ids(&origin, options);
    let steps = draft::steps(&kept, &name::word(ids.service.as_str()), &mut notes);
    if steps.is_empty() {
        let why = notes.first().map_or(String::new(), |note| format!(": {note}"));
        return Err(Error::Nothing(why));
    }
    let yaml = yaml::write(&steps, &ids, &origin, timeout, options.document);
    Ok(Imported { yaml, notes })
}

/// The names under which the journey goes into the document.
pub(crate) struct Ids {
    pub(crate) check: String,
    pub(crate) service: String,
}

fn ids(origin: &Origin, options: &Options) -> Ids {
    let service = options.service.as_ref().map(ToString::to_string);
    let service = service.unwrap_or_else(|| name::service(&origin.host));
    let check = options.name.as_ref().map(ToString::to_string);
    // Room for the ending, so that the id stays within its limit.
    let check = check.unwrap_or_else(|| format!("{}-journey", name::id(&service, 50)));
    Ids { check, service }
}
