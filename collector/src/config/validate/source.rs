//! Where a secret is kept: a file or an environment variable, never the document itself.

use crate::config::{
    model::SecretSource,
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

/// A secret in a file or an environment variable.
pub fn secret(at: &At<'_>, folder: &Path) -> Option<SecretSource> {
    const PLACES: [&str; 2] = ["file", "env"];
    let fields = fields(at, &PLACES)?;
    let (name, at) = fields.one_of(&PLACES)?;
    Some(match place(name, at, folder)? {
        Source::File(path) => SecretSource::File(path),
        Source::Env(name) => SecretSource::Env(name),
    })
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
