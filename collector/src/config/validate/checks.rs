//! `checks`: what is measured, from where, to where, how often.

use super::{Entries, kind, probes, reach, services};
use crate::config::{
    duration,
    model::{Check, Impact, Region},
    read::{At, Fields},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wire::{
    CheckId, ProbeId, RegionId, ServiceId,
    assignment::{Family, PUBLIC, Reach, Target},
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The sections that checks refer to.
pub struct Context<'c> {
    pub regions: &'c Entries<RegionId, Region>,
    pub probes: &'c BTreeMap<ProbeId, probes::Known>,
    pub services: &'c BTreeMap<ServiceId, services::Known>,
}

/// What `from` may name: a probe, or a region for all its probes.
type Vantages = BTreeMap<String, Vec<ProbeId>>;

/// Reads the section.
pub fn read(section: Option<&At<'_>>, context: &Context<'_>) -> Entries<CheckId, Check> {
    let Some(section) = section else {
        return Entries::new();
    };
    let entries = section.ids::<CheckId>();
    if context.probes.is_empty() && !entries.is_empty() {
        section
            .problem_with_key("there are checks, but no probe that could run them; add one under `probes`");
    }
    let vantages = vantages(context);
    let named: BTreeSet<CheckId> = entries.iter().map(|(id, _)| id.clone()).collect();
    let mut checks = Entries::new();
    for (id, at) in entries {
        match check(&at, context, &vantages) {
            Some((check, families)) if families.len() > 1 => {
                for family in families {
                    if let Some(id) = of_family(&id, family, &at, &named) {
                        let reach = Reach { family, ..check.reach.clone() };
                        checks.insert(id, Some(Check { reach, ..check.clone() }));
                    } else {
                        checks.insert(id.clone(), None);
                    }
                }
            }
            Some((check, families)) => {
                let family = families.first().copied().unwrap_or_default();
                let reach = Reach { family, ..check.reach };
                checks.insert(id, Some(Check { reach, ..check }));
            }
            None => drop(checks.insert(id, None)),
        }
    }
    checks
}

/// The id of a check for one of its two families. Each family is a check of its own, because a name that works with
/// one says nothing of the other.
fn of_family(id: &CheckId, family: Family, at: &At<'_>, named: &BTreeSet<CheckId>) -> Option<CheckId> {
    let suffix = if family == Family::V6 { "v6" } else { "v4" };
    let text = format!("{id}-{suffix}");
    let Ok(of_family) = text.parse::<CheckId>() else {
        at.problem_with_key(format!(
            "measuring both families makes a check `{text}`, whose id is too long; shorten this one"
        ));
        return None;
    };
    if named.contains(&of_family) {
        at.problem_with_key(format!(
            "measuring both families makes a check `{text}`, and there is one of that name; rename one of them"
        ));
        return None;
    }
    Some(of_family)
}

fn vantages(context: &Context<'_>) -> Vantages {
    let mut vantages: Vantages = context.regions.keys().map(|id| (id.to_string(), Vec::new())).collect();
    for (id, probe) in context.probes {
        vantages.entry(id.to_string()).or_default().push(id.clone());
        if let Some(region) = &probe.region {
            vantages.entry(region.to_string()).or_default().push(id.clone());
        }
    }
    vantages
}

fn check(at: &At<'_>, context: &Context<'_>, vantages: &Vantages) -> Option<(Check, Vec<Family>)> {
    let mut known = vec!["service"];
    known.extend(kind::KINDS);
    known.extend(["from", "to", "interval", "timeout", "slower_than", "impact"]);
    known.extend(reach::KEYS);
    let fields = at.fields(&known)?;
    let service = fields.need("service", "shop").and_then(|at| at.reference("service", context.services));
    let known = service.map(|(_, known)| known);
    let interval = fields
        .or("interval", DEFAULT_INTERVAL, |at| at.duration(Duration::from_millis(100)..=LONGEST_INTERVAL));
    let default = interval.unwrap_or(DEFAULT_INTERVAL).min(DEFAULT_TIMEOUT);
    let timeout =
        fields.or("timeout", default, |at| at.duration(Duration::from_millis(10)..=LONGEST_TIMEOUT));
    let budget = fields.maybe("slower_than", |at| budget(at, timeout));
    let measure = kind::read(&fields, known.and_then(|known| known.regions.as_ref()), timeout);
    let from = from(fields.get("from"), context, vantages);
    let to = to(fields.get("to"), known);
    let impact = impact(&fields);
    let kind = measure.as_ref().map(|measure| &measure.kind);
    let reach = reach::read(&fields, kind, to.as_deref(), known)?;
    let kind::Measure { kind, tls, port } = measure?;
    let check = Check {
        service: service?.0.clone(),
        kind,
        tls,
        port,
        from: from?,
        to: to?,
        interval: interval?,
        timeout: timeout?,
        budget: budget?,
        impact: impact?,
        reach: reach.reach,
    };
    Some((check, reach.families))
}

fn budget(at: &At<'_>, timeout: Option<Duration>) -> Option<Duration> {
    let budget = at.duration(Duration::from_millis(1)..=LONGEST_TIMEOUT)?;
    match timeout {
        Some(timeout) if budget >= timeout => {
            let timeout = duration::format(timeout);
            at.problem(format!(
                "a run is cut after the timeout of {timeout}, so it can never be slower than this"
            ));
            None
        }
        _ => Some(budget),
    }
}

/// `all`, or probes and regions.
fn from(at: Option<&At<'_>>, context: &Context<'_>, vantages: &Vantages) -> Option<Vec<ProbeId>> {
    let Some(at) = at.filter(|at| !at.is_word("all")) else {
        return Some(context.probes.keys().cloned().collect());
    };
    let items = at.one_or_many();
    if items.is_empty() {
        return at.expected("`all`, or the ids of probes and regions");
    }
    // A probe whose region is wrong may belong to any, so no region can be said to have none.
    let certain = context.probes.values().all(|probe| probe.region.is_some());
    let mut from = BTreeSet::new();
    let mut well = true;
    for item in items {
        match item.reference("probe or region", vantages) {
            Some((region, probes)) if probes.is_empty() && certain => {
                item.problem(format!("there is no probe in region `{region}`; add one under `probes`"));
                well = false;
            }
            Some((_, probes)) => from.extend(probes.iter().cloned()),
            None => well = false,
        }
    }
    well.then(|| from.into_iter().collect())
}

/// Whether a check measures the public entrance.
fn is_public(at: Option<&At<'_>>) -> bool {
    at.is_some_and(|at| at.one_or_many().iter().any(|item| item.is_word(PUBLIC)))
}

/// `all`, `public`, or regions of the service.
fn to(at: Option<&At<'_>>, service: Option<&services::Known>) -> Option<Vec<Target>> {
    let service = service?;
    if let Some(at) = at.filter(|_| is_public(at)) {
        if at.one_or_many().len() > 1 {
            at.problem("`public` stands alone; measure regions with a check of their own");
            return None;
        }
        if !service.has_public {
            at.problem("the service has no `public` address; add it or measure its regions");
            return None;
        }
        return Some(vec![Target::Public]);
    }
    let regions = service.regions.as_ref()?;
    let Some(at) = at.filter(|at| !at.is_word("all")) else {
        return Some(regions.iter().cloned().map(Target::Region).collect());
    };
    let items = at.one_or_many();
    if items.is_empty() {
        return at.expected("`all`, `public`, or regions of the service");
    }
    let known: BTreeMap<String, RegionId> = regions.iter().map(|id| (id.to_string(), id.clone())).collect();
    let found: Vec<_> = items.iter().map(|item| item.reference("region of the service", &known)).collect();
    let found: BTreeSet<RegionId> =
        found.into_iter().map(|found| Some(found?.1.clone())).collect::<Option<_>>()?;
    Some(found.into_iter().map(Target::Region).collect())
}

fn impact(fields: &Fields<'_>) -> Option<Impact> {
    let public = is_public(fields.get("to"));
    let default = if public { Impact::None } else { Impact::Down };
    let words = [("down", Impact::Down), ("degraded", Impact::Degraded), ("none", Impact::None)];
    let impact = fields.or("impact", default, |at| at.word(&words))?;
    if let Some(at) = fields.get("impact").filter(|_| public && impact != Impact::None) {
        at.problem(
            "what goes wrong at the public entrance is no region's fault: only `none` fits `to: public`",
        );
        return None;
    }
    Some(impact)
}
