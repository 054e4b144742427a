//! `probes`: the vantages, and how each is recognised.

use super::{
    Entries, mesh,
    source::{self, Source},
};
use crate::config::{
    model::{Probe, Region, TokenSource},
    node::Value,
    read::At,
};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};
use wire::{ProbeId, RegionId};

/// What is known of a probe, even when something in it is wrong.
pub struct Known {
    pub region: Option<RegionId>,
    pub whole: Option<Probe>,
}

/// Reads the section.
pub fn read(
    section: Option<&At<'_>>,
    regions: &Entries<RegionId, Region>,
    has_mesh: bool,
    folder: &Path,
) -> BTreeMap<ProbeId, Known> {
    let mut probes = BTreeMap::new();
    let mut tokens: HashMap<String, ProbeId> = HashMap::new();
    for (id, at) in section.map(At::ids::<ProbeId>).unwrap_or_default() {
        let reserved = id.as_str() == "all" || regions.keys().any(|region| region.as_str() == id.as_str());
        if reserved {
            at.problem_with_key(format!("`from: {id}` would have two meanings; give the probe another id"));
        }
        let known = probe(&at, regions, has_mesh, folder).unwrap_or(Known { region: None, whole: None });
        // A token tells the collector which probe speaks, so it must belong to one.
        if let Some(probe) = &known.whole
            && let Some(other) = tokens.insert(format!("{:?}", probe.token), id.clone())
        {
            at.problem_with_key(format!("has the token of `{other}`; every probe needs its own"));
        }
        probes.insert(id, known);
    }
    probes
}

fn probe(at: &At<'_>, regions: &Entries<RegionId, Region>, has_mesh: bool, folder: &Path) -> Option<Known> {
    let fields = at.fields(&["region", "failure_domain", "token", "mesh"])?;
    let region = fields.need("region", "eu-west-1").and_then(|at| at.reference("region", regions));
    let region = region.map(|(id, _)| id.clone());
    let domain = fields.maybe("failure_domain", At::label);
    let token = fields.need("token", "{ file: tokens/probe.token }").and_then(|at| token(at, folder));
    let mesh = fields.maybe("mesh", |at| mesh::seat(at, has_mesh));
    let build = || {
        let region = region.clone()?;
        let failure_domain = domain?.unwrap_or_else(|| region.to_string());
        Some(Probe { region, failure_domain, token: token?, mesh: mesh? })
    };
    let whole = build();
    Some(Known { region, whole })
}

fn token(at: &At<'_>, folder: &Path) -> Option<TokenSource> {
    const PLACES: [&str; 3] = ["file", "env", "sha256"];
    let fields = source::fields(at, &PLACES)?;
    match fields.one_of(&PLACES)? {
        ("sha256", at) => sha256(at).map(TokenSource::Sha256),
        (name, at) => Some(match source::place(name, at, folder)? {
            Source::File(path) => TokenSource::File(path),
            Source::Env(name) => TokenSource::Env(name),
        }),
    }
}

fn sha256(at: &At<'_>) -> Option<[u8; 32]> {
    const WHAT: &str = "the SHA-256 of the token as 64 hexadecimal digits in quotes";
    let digest = match at.value() {
        Value::Text(text) => hex(text),
        _ => None,
    };
    if digest.is_none() {
        // Somebody may have put the token itself here.
        at.keep_secret();
        at.problem(format!("expected {WHAT}"));
    }
    digest
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}
