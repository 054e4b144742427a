//! `journey`: several requests in order, sharing cookies and captured values.

use super::{
    kind::tls_options,
    request,
    template::{self, Scope},
};
use crate::config::read::{At, Fields};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wire::{
    RegionId,
    assignment::{Capture, Expect, Journey, Place, Request, Step, TlsOptions},
};

/// The most steps of a journey.
const MOST_STEPS: usize = 50;

/// The keys that say a step's method and path in one, and the long form.
const VERBS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "request"];

/// Reads a journey. `regions` are the service's, when they could be read; `timeout` is the check's.
pub fn read(
    at: &At<'_>,
    regions: Option<&BTreeSet<RegionId>>,
    timeout: Option<Duration>,
) -> Option<(Journey, TlsOptions)> {
    let fields = at.fields(&["steps", "tls"])?;
    let tls = tls_options::of(&fields);
    let at = fields.need("steps", "[{ name: browse, get: /products }]")?;
    let items = at.list()?;
    if items.is_empty() || items.len() > MOST_STEPS {
        at.problem(format!("a journey has 1 to {MOST_STEPS} steps, this one has {}", items.len()));
    }
    let mut names = BTreeSet::new();
    let mut captured = BTreeSet::new();
    // All steps are read before the first wrong one ends the journey.
    let steps: Vec<Option<Step>> =
        items.iter().map(|item| step(item, &mut names, &mut captured, regions, timeout)).collect();
    Some((Journey { steps: steps.into_iter().collect::<Option<_>>()? }, tls?))
}

fn step(
    at: &At<'_>,
    names: &mut BTreeSet<String>,
    captured: &mut BTreeSet<String>,
    regions: Option<&BTreeSet<RegionId>>,
    timeout: Option<Duration>,
) -> Option<Step> {
    let mut known = vec!["name", "in"];
    known.extend(VERBS);
    known.extend(["headers", "body", "json", "expect", "capture", "within"]);
    let fields = at.fields(&known)?;
    let name = fields.need("name", "browse").and_then(|at| {
        let name = at.label()?;
        if !names.insert(name.clone()) {
            at.problem("another step has this name; name each step differently");
        }
        Some(name)
    });
    let place = fields.or("in", Place::Here, |at| place(at, regions));
    let scope = Scope::Names(captured);
    let request = request(&fields, scope);
    let method = request.as_ref().map(|request| request.method.as_str());
    let expect = fields.or("expect", Expect::default(), |at| request::expect(at, scope, method));
    let within = fields.maybe("within", |at| within(at, timeout));
    let capture = fields.or("capture", BTreeMap::new(), captures);
    // Known to later steps even when something is wrong with them, so that each mistake is reported once.
    if let Some(entries) = fields.get("capture").filter(|_| capture.is_some()).and_then(At::entries) {
        captured.extend(entries.into_iter().map(|(name, _)| name.to_owned()));
    }
    let request = Request { expect: expect?, ..request? };
    Some(Step { name: name?, place: place?, request, capture: capture?, within_us: within? })
}

fn request(fields: &Fields<'_>, scope: Scope<'_>) -> Option<Request> {
    match fields.one_of(&VERBS)? {
        ("request", at) => {
            for name in ["headers", "body", "json"] {
                if let Some(at) = fields.get(name) {
                    at.problem_with_key(format!("move `{name}` into `request`"));
                }
            }
            request::long(&at.fields(&["method", "path", "headers", "body", "json"])?, scope)
        }
        (verb, at) => {
            let method = verb.to_ascii_uppercase();
            let path = request::path(at, scope);
            request::with_content(fields, Some(&method), path, scope)
        }
    }
}

/// `here`, `other` or the id of a region of the service.
fn place(at: &At<'_>, regions: Option<&BTreeSet<RegionId>>) -> Option<Place> {
    if at.is_word("here") {
        return Some(Place::Here);
    }
    let Some(regions) = regions else {
        // The service is wrong or unknown, which is reported where it is.
        return at.text(63).and(None);
    };
    if at.is_word("other") {
        if regions.len() < 2 {
            at.problem("the service has only one region, so there is no other");
            return None;
        }
        return Some(Place::Other);
    }
    let known: BTreeMap<String, &RegionId> = regions.iter().map(|id| (id.to_string(), id)).collect();
    at.reference("region of the service", &known).map(|(_, id)| Place::Region((*id).clone()))
}

fn within(at: &At<'_>, timeout: Option<Duration>) -> Option<u32> {
    let within = at.duration(Duration::from_millis(10)..=Duration::from_secs(60))?;
    if timeout.is_some_and(|timeout| within > timeout) {
        at.problem("is longer than the check's timeout, which would cut it; raise `timeout` of the check");
        return None;
    }
    u32::try_from(within.as_micros()).ok()
}

fn captures(at: &At<'_>) -> Option<BTreeMap<String, Capture>> {
    let mut captures = BTreeMap::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        if !template::is_name(name) {
            at.problem_with_key("is no name for a value: use 1 to 63 letters, digits and _, no digit first");
            well = false;
        }
        if template::RESERVED.contains(&name) {
            at.problem_with_key("is built in: choose another name for the value");
            well = false;
        }
        match capture(&at) {
            Some(capture) => _ = captures.insert(name.to_owned(), capture),
            None => well = false,
        }
    }
    well.then_some(captures)
}

/// `{ json: path }` or `{ header: name }`.
fn capture(at: &At<'_>) -> Option<Capture> {
    let fields = at.fields(&["json", "header"])?;
    match fields.one_of(&["json", "header"])? {
        ("json", at) => {
            let path = at.text(1024)?;
            template::json_path(path).map_err(|problem| at.problem(problem)).ok()?;
            Some(Capture::Json(path.to_owned()))
        }
        (_, at) => request::header_name(at).map(Capture::Header),
    }
}
