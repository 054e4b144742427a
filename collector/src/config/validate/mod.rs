//! The document's sections, one file each, in the order in which they refer to each other.

mod address;
mod checks;
mod host;
mod journey;
mod kind;
mod mesh;
mod probes;
mod reach;
mod receivers;
mod regions;
mod request;
mod services;
mod source;
mod steering;
mod template;

use super::{model::Config, node::Value, read::At, voting::Voting};
use std::{collections::BTreeMap, path::Path};

/// The version of the document's shape. It changes only when an older document would be misunderstood.
const VERSION: i64 = 1;

/// The sections, and the version.
const SECTIONS: [&str; 8] =
    ["version", "regions", "probes", "services", "checks", "receivers", "steering", "mesh"];

/// Entries by id; nothing in the place of an entry that is wrong, so that its id is known all the same.
type Entries<Id, T> = BTreeMap<Id, Option<T>>;

/// Validates the whole document. Relative file names are meant from `folder`.
pub fn document(root: &At<'_>, folder: &Path) -> Option<Config> {
    if root.is_null() {
        root.problem("the document is empty; begin with `version: 1`");
        return None;
    }
    // Keys that begin with `x-` hold whatever anchors people want to refer to, as in Compose files.
    let sections = root.fields_unless(&SECTIONS, |key| key.starts_with("x-"))?;
    if let Some(version) = sections.need("version", "1")
        && !matches!(version.value(), Value::Int(VERSION))
    {
        version.problem(format!("this Sextant reads version {VERSION} of the document's shape"));
    }
    // A section whose entries are all commented out reads as null and means none.
    let section = |name| sections.get(name).filter(|section| !section.is_null());

    let regions = regions::read(section("regions"));
    let receivers = receivers::read(section("receivers"), folder);
    let probes = probes::read(section("probes"), &regions, section("mesh").is_some(), folder);
    let services = services::read(section("services"), &regions, &receivers);
    let context = checks::Context { regions: &regions, probes: &probes, services: &services };
    let checks = checks::read(section("checks"), &context);
    let mesh = mesh::read(section("mesh"), &probes, folder);
    let steering = steering::read(section("steering"), &services, &checks);

    let checks = complete(checks)?;
    Some(Config {
        voting: Voting::of(&checks),
        regions: complete(regions)?,
        probes: probes.into_iter().map(|(id, probe)| Some((id, probe.whole?))).collect::<Option<_>>()?,
        services: services
            .into_iter()
            .map(|(id, service)| Some((id, service.whole?)))
            .collect::<Option<_>>()?,
        checks,
        receivers: complete(receivers)?,
        steering: steering?,
        mesh: mesh?,
    })
}

/// All entries, if none is wrong.
fn complete<Id: Ord, T>(entries: Entries<Id, T>) -> Option<BTreeMap<Id, T>> {
    entries.into_iter().map(|(id, entry)| Some((id, entry?))).collect()
}
