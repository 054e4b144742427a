//! `regions`: where users and servers are, and where what is seen there may be kept.

use super::{Entries, source};
use crate::config::{
    model::{Region, SecretSource},
    read::{At, Fields},
};
use std::path::Path;
use wire::{RegionId, residency::Residency};

/// Keys of one region's evidence: the one in use, and older ones for as long as what they sealed is kept.
const MOST_KEYS: usize = 16;

const POLICIES: [(&str, Residency); 3] =
    [("travels", Residency::Travels), ("encrypted", Residency::Encrypted), ("stays", Residency::Stays)];

/// Words that stand where a region's id can stand, and so can be no id.
const RESERVED: [&str; 5] = [wire::assignment::PUBLIC, "all", "here", "other", "nearest"];

/// Reads the section.
pub fn read(section: Option<&At<'_>>, folder: &Path) -> Entries<RegionId, Region> {
    let entries = section.map(At::ids::<RegionId>).unwrap_or_default();
    entries
        .into_iter()
        .map(|(id, at)| {
            if RESERVED.contains(&id.as_str()) {
                at.problem_with_key(format!(
                    "`{id}` has a meaning of its own in checks; give the region another id"
                ));
            }
            let region = region(&id, &at, folder);
            (id, region)
        })
        .collect()
}

fn region(id: &RegionId, at: &At<'_>, folder: &Path) -> Option<Region> {
    if at.is_null() {
        return Some(Region::named(id.as_str()));
    }
    let fields = at.fields(&["name", "coordinates", "jurisdiction", "evidence", "evidence_key"])?;
    let name = fields.or("name", id.to_string(), At::label);
    let coordinates = fields.maybe("coordinates", coordinates);
    let jurisdiction = fields.or("jurisdiction", id.to_string(), At::label);
    let evidence = fields.or("evidence", Residency::Travels, |at| at.word(&POLICIES));
    let evidence_keys = keys(&fields, folder);
    let (evidence, evidence_keys) = (evidence?, evidence_keys?);
    if evidence == Residency::Encrypted && evidence_keys.is_empty() {
        at.problem_with_key(
            "evidence that is encrypted needs a key: add `evidence_key: { file: secrets/eu.key }`; `sextant secret \
             evidence` makes one",
        );
        return None;
    }
    Some(Region {
        name: name?,
        coordinates: coordinates?,
        jurisdiction: jurisdiction?,
        evidence,
        evidence_keys,
    })
}

/// One key or several, the one that seals first.
fn keys(fields: &Fields<'_>, folder: &Path) -> Option<Vec<SecretSource>> {
    let Some(at) = fields.get("evidence_key") else { return Some(Vec::new()) };
    let items = at.one_or_many();
    if items.is_empty() || items.len() > MOST_KEYS {
        return at.expected(format!("one key, or a list of 1 to {MOST_KEYS} of which the first one seals"));
    }
    // All are read, so that every mistake is told.
    let keys: Vec<_> = items.iter().map(|at| source::secret(at, folder)).collect();
    let keys: Vec<SecretSource> = keys.into_iter().collect::<Option<_>>()?;
    let twice = (1..keys.len()).find(|n| keys[..*n].contains(&keys[*n]));
    if let Some(twice) = twice {
        items[twice].problem("stands in this list already; keep one of them");
        return None;
    }
    Some(keys)
}

/// Latitude and longitude in degrees.
fn coordinates(at: &At<'_>) -> Option<(f64, f64)> {
    let items = at.list()?;
    let [latitude, longitude] = items.as_slice() else {
        return at.expected("latitude and longitude, for example [53.3, -6.3]");
    };
    let (latitude, longitude) = (latitude.number(-90.0..=90.0), longitude.number(-180.0..=180.0));
    Some((latitude?, longitude?))
}
