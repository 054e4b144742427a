//! Where a secret is kept: a file or an environment variable, never the document itself.

use crate::config::{
    node::Value,
    read::{At, Fields},
};
use std::path::{Path, PathBuf};

/// The place of a secret.
pub enum Source {
    File(PathBuf),
    Env(String),
}

/// The fields of a secret's place. A text or number in its stead would be the secret: refused, never repeated.
pub fn fields<'a>(at: &At<'a>, known: &[&'static str]) -> Option<Fields<'a>> {
    if !matches!(at.value(), Value::Map(_) | Value::List(_) | Value::Null) {
        at.keep_secret();
        at.problem(
            "secrets do not belong into the document, which is stored and shown; put it into a file and write \
             `{ file: path }`, or into an environment variable and write `{ env: NAME }`",
        );
        return None;
    }
    at.fields(known)
}

/// Reads `file` or `env`, whichever `name` says.
pub fn place(name: &str, at: &At<'_>, folder: &Path) -> Option<Source> {
    match name {
        "file" => file(at, folder).map(Source::File),
        _ => variable(at).map(Source::Env),
    }
}

fn file(at: &At<'_>, folder: &Path) -> Option<PathBuf> {
    let text = at.text(4096)?;
    if text.chars().any(char::is_control) {
        return at.expected("a file's path without control characters");
    }
    Some(folder.join(text))
}

fn variable(at: &At<'_>) -> Option<String> {
    let text = at.text(255)?;
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    if !text.bytes().enumerate().all(|(i, b)| letter(b) || (i > 0 && b.is_ascii_digit())) {
        // Somebody may have put the secret itself here.
        at.keep_secret();
        at.problem("expected the name of an environment variable, such as SHOP_SECRET");
        return None;
    }
    Some(text.to_owned())
}
