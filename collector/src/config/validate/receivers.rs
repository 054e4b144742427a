//! `receivers`: who is told about plans.

use super::{
    Entries, address,
    source::{self, Source},
};
use crate::config::{
    model::{Receiver, SecretSource},
    read::At,
};
use std::path::Path;
use wire::ReceiverId;

/// Reads the section.
pub fn read(section: Option<&At<'_>>, folder: &Path) -> Entries<ReceiverId, Receiver> {
    let entries = section.map(At::ids::<ReceiverId>).unwrap_or_default();
    entries
        .into_iter()
        .map(|(id, at)| {
            let receiver = receiver(&at, folder);
            (id, receiver)
        })
        .collect()
}

fn receiver(at: &At<'_>, folder: &Path) -> Option<Receiver> {
    let fields = at.fields(&["webhook", "secret"])?;
    let url = fields.need("webhook", "https://entrance.example.com/sextant").and_then(address::webhook);
    let secret = fields.need("secret", "{ file: secrets/entrance.whsec }").and_then(|at| secret(at, folder));
    Some(Receiver { url: url?, secret: secret? })
}

fn secret(at: &At<'_>, folder: &Path) -> Option<SecretSource> {
    let fields = source::fields(at, &["file", "env"])?;
    let (name, at) = fields.one_of(&["file", "env"])?;
    Some(match source::place(name, at, folder)? {
        Source::File(path) => SecretSource::File(path),
        Source::Env(name) => SecretSource::Env(name),
    })
}
