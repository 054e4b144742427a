//! `receivers`: who is told about plans.

use super::{Entries, address, source};
use crate::config::{model::Receiver, read::At};
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
    let secret =
        fields.need("secret", "{ file: secrets/entrance.whsec }").and_then(|at| source::secret(at, folder));
    Some(Receiver { url: url?, secret: secret? })
}
