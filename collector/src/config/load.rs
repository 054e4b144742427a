//! From a text or a file to a validated configuration.

use super::{
    Config, Problems,
    node::{self, MAX_BYTES, START},
    problem::Sink,
    read::At,
    validate,
};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Why a file gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {}", path.display(), advice(source))]
    Unreadable { path: PathBuf, source: io::Error },
    /// The file is no configuration, or a giant one.
    #[error(
        "{} is larger than {} MiB, the limit for a configuration; is it the right file?",
        .0.display(),
        MAX_BYTES >> 20
    )]
    TooLarge(PathBuf),
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// What to do about a file that cannot be read.
fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path given with --config".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs the collector read it".to_owned()
        }
        io::ErrorKind::IsADirectory => "this is a folder; name the YAML file in it".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Reads a file; its relative file names (tokens, secrets) are meant from the folder it is in.
///
/// Returns the text too, because it is what a revision keeps.
pub fn load(path: &Path) -> Result<(Config, String), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte more than allowed, to tell a file that fits from one that does not.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let config = parse_in(&text, &path.display().to_string(), folder)?;
    Ok((config, text))
}

/// Validates a text. `origin` names it in messages; relative file names stay as they are.
///
/// # Errors
/// Every problem at once, except that a text which is no well-formed YAML has only one.
pub fn parse(text: &str, origin: &str) -> Result<Config, Problems> {
    parse_in(text, origin, Path::new(""))
}

/// As [`parse`], with relative file names meant from `folder`: for a revision that was stored or sent as text.
pub fn parse_in(text: &str, origin: &str, folder: &Path) -> Result<Config, Problems> {
    let sink = Sink::default();
    if text.len() > MAX_BYTES {
        sink.add(START, "", format!("is larger than {} MiB, the limit for a configuration", MAX_BYTES >> 20));
        return Err(sink.into_problems(text, origin));
    }
    let root = match node::read(text) {
        Ok(root) => root,
        Err(malformed) => {
            sink.add(malformed.at, "", malformed.message);
            return Err(sink.into_problems(text, origin));
        }
    };
    let config = validate::document(&At::root(&root, &sink), folder);
    match config.filter(|_| sink.is_empty()) {
        Some(config) => Ok(config),
        None => {
            if sink.is_empty() {
                sink.add(START, "", "is refused without a reason, which is a defect of Sextant".to_owned());
            }
            Err(sink.into_problems(text, origin))
        }
    }
}
