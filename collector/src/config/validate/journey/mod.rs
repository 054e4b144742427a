//! `journey`: several requests in order, sharing cookies and captured values.

mod capture;
mod step;

use super::{
    kind::{Around, tls_options},
    template,
};
use crate::config::read::{At, Fields};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use template::Scope;
use wire::{
    RegionId,
    assignment::{CLEANUP_US, Journey, Place, Step, TlsOptions},
};

/// The most steps of a journey.
const MOST_STEPS: usize = 50;
/// The longest text of a value that is set, bytes.
const LONGEST_VALUE: usize = 8 << 10;

/// What is known of a journey on the way through its steps.
struct Journal<'a> {
    around: &'a Around<'a>,
    names: BTreeSet<String>,
    /// Values that steps before captured or set.
    values: BTreeSet<String>,
    /// Whether a step for cleaning up was met.
    cleaning: bool,
}

/// Reads a journey.
pub fn read(at: &At<'_>, around: &Around<'_>) -> Option<(Journey, TlsOptions)> {
    let fields = at.fields(&["set", "steps", "cleanup", "tls"])?;
    let tls = tls_options::of(&fields);
    let mut journal = Journal { around, names: BTreeSet::new(), values: BTreeSet::new(), cleaning: false };
    let set = set(&fields, &mut journal.values);
    let cleanup = fields.or("cleanup", CLEANUP_US, |at| {
        let cleanup = at.duration(Duration::from_millis(100)..=Duration::from_secs(60))?;
        u32::try_from(cleanup.as_micros()).ok()
    });
    let at = fields.need("steps", "[{ name: browse, get: /products }]")?;
    let items = at.list()?;
    if items.is_empty() || items.len() > MOST_STEPS {
        at.problem(format!("a journey has 1 to {MOST_STEPS} steps, this one has {}", items.len()));
    }
    // All steps are read before the first wrong one ends the journey.
    let steps: Vec<Option<Step>> = items.iter().map(|item| step::read(item, &mut journal)).collect();
    let steps = steps.into_iter().collect::<Option<_>>()?;
    Some((Journey { steps, set: set?, cleanup_us: cleanup? }, tls?))
}

/// `set`: names to texts, each with the names before it. They are known afterwards.
fn set(fields: &Fields<'_>, values: &mut BTreeSet<String>) -> Option<Vec<(String, String)>> {
    let Some(at) = fields.get("set") else { return Some(Vec::new()) };
    let mut set = Vec::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        if let Some(problem) = template::bad_name(name) {
            at.problem_with_key(problem);
            well = false;
        }
        let text = at.text(LONGEST_VALUE);
        match text.filter(|text| Scope::Names(values).check(&at, text).is_some()) {
            Some(text) => set.push((name.to_owned(), text.to_owned())),
            None => well = false,
        }
        values.insert(name.to_owned());
    }
    well.then_some(set)
}

/// `here`, `other`, `nearest`, `public` or the id of a region of the service.
fn place(at: &At<'_>, around: &Around<'_>) -> Option<Place> {
    if at.is_word("here") {
        return Some(Place::Here);
    }
    if at.is_word("public") {
        if !around.has_public {
            at.problem("the service has no `public` address; add it or name a region");
            return None;
        }
        return Some(Place::Public);
    }
    let Some(regions) = around.regions else {
        // The service is wrong or unknown, which is reported where it is.
        return at.text(63).and(None);
    };
    if at.is_word("nearest") {
        if !around.unplaced.is_empty() {
            let missing: Vec<&str> = around.unplaced.iter().map(RegionId::as_str).take(8).collect();
            at.problem(format!(
                "needs the coordinates of {}: add `coordinates: [latitude, longitude]` under `regions`",
                missing.join(", ")
            ));
            return None;
        }
        return Some(Place::Nearest);
    }
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
