//! What the parameters of questions about history have in common: which series, and which range.

use super::Rejected;
use crate::{
    App,
    config::nearest,
    history::query::selector::{Part, Selector},
};
use serde::Deserialize;
use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, str::FromStr};
use wire::{CheckId, Micros, ProbeId, RegionId, ServiceId, assignment::Target};

/// The range when nothing is said, microseconds.
const DAY_US: i64 = 86_400_000_000;
/// The most values in a list.
const LIST_MOST: usize = 100;
/// The entries on a page when nothing is said.
const PAGE: usize = 50;
/// The most entries on a page.
const PAGE_MOST: usize = 1_000;
/// The longest name of a step, bytes.
const PART_MOST: usize = 200;

/// The longest text of a caller's that a refusal repeats, characters.
const QUOTED_MOST: usize = 80;

/// Which series in which range, as it stands in the query; lists are separated by commas.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    check: Option<String>,
    service: Option<String>,
    probe: Option<String>,
    target: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// A refusal of a query.
pub fn wrong(detail: impl Into<String>) -> Rejected {
    Rejected::new(400, "bad-query", "The query is wrong", detail)
}

/// A text of the caller's, as a refusal repeats it.
pub fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_MOST).collect();
    if short.len() == text.len() { format!("{text:?}") } else { format!("{short:?}…") }
}

/// A number, or what it is when nothing is said.
///
/// # Errors
/// 400 when it is none of the range.
pub fn number<T: FromStr + PartialOrd + Display>(
    name: &str,
    text: Option<&str>,
    range: RangeInclusive<T>,
    usual: T,
) -> Result<T, Rejected> {
    let Some(text) = text else { return Ok(usual) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = range.into_inner();
        wrong(format!("{name} is {}; it must be a whole number from {least} to {most}", quoted(text)))
    })
}

/// The values of a list.
///
/// # Errors
/// 400 when one of them is not what it should be, or there are too many.
pub fn list<T: FromStr<Err: Display>>(name: &str, text: Option<&str>) -> Result<Vec<T>, Rejected> {
    let Some(text) = text else { return Ok(Vec::new()) };
    if text.split(',').count() > LIST_MOST {
        return Err(wrong(format!("{name} has more than {LIST_MOST} values")));
    }
    let values = text.split(',').map(|word| word.trim().parse::<T>());
    values.collect::<Result<_, _>>().map_err(|error| wrong(format!("{name}: {error}")))
}

impl Asked {
    /// Whether a check or a service is named.
    pub fn names_checks(&self) -> bool {
        self.check.is_some() || self.service.is_some()
    }

    /// The range: by default the last 24 h up to now. The end is not in it.
    ///
    /// # Errors
    /// 400 when an instant cannot be read, or the range is empty.
    pub fn range(&self, now: Micros) -> Result<(i64, i64), Rejected> {
        let to = instant("to", self.to.as_deref())?.unwrap_or(now.0);
        let from = instant("from", self.from.as_deref())?.unwrap_or(to.saturating_sub(DAY_US));
        if from >= to {
            return Err(wrong(format!("from, {}, is not before to, {}", Micros(from), Micros(to))));
        }
        Ok((from, to))
    }

    /// The series that are asked for. What is no longer configured is known as long as it has history.
    ///
    /// # Errors
    /// 400 for a name that cannot be one, 404 for one that nothing has, 503 when the database does not answer.
    pub async fn select(&self, app: &App, part: Part) -> Result<Selector, Rejected> {
        let named: BTreeSet<CheckId> = list("check", self.check.as_deref())?.into_iter().collect();
        let probes: Vec<ProbeId> = list("probe", self.probe.as_deref())?;
        let targets: Vec<Target> = list("target", self.target.as_deref())?;
        let checks = checks(app, named, self.service.as_deref())?;
        known(app, &checks, &probes, &targets).await?;
        Ok(Selector {
            checks: checks.into_iter().map(String::from).collect(),
            probes: probes.into_iter().map(String::from).collect(),
            targets: targets.into_iter().map(String::from).collect(),
            part,
        })
    }
}

fn checks(app: &App, named: BTreeSet<CheckId>, service: Option<&str>) -> Result<BTreeSet<CheckId>, Rejected> {
    let config = &app.config;
    let Some(service) = service else {
        let all = || config.checks.keys().cloned().collect();
        return Ok(if named.is_empty() { all() } else { named });
    };
    let known = service.parse::<ServiceId>().ok().filter(|id| config.services.contains_key(id));
    let service = known.ok_or_else(|| Rejected::no_service(service, config.services.keys().cloned()))?;
    let of = |id: &CheckId| config.checks.get(id).is_some_and(|check| check.service == service);
    if let Some(stranger) = named.iter().find(|id| !of(id)) {
        return Err(wrong(format!("check: {stranger} is not a check of the service {service}")));
    }
    let all = || config.checks.keys().filter(|id| of(id)).cloned().collect();
    Ok(if named.is_empty() { all() } else { named })
}

/// Refuses names that are neither configured nor have history.
async fn known(
    app: &App,
    checks: &BTreeSet<CheckId>,
    probes: &[ProbeId],
    targets: &[Target],
) -> Result<(), Rejected> {
    let config = &app.config;
    let region = |target: &Target| match target {
        Target::Region(region) => config.regions.contains_key(region),
        Target::Public => true,
    };
    let check = checks.iter().find(|id| !config.checks.contains_key(*id));
    let probe = probes.iter().find(|id| !config.probes.contains_key(*id));
    let target = targets.iter().find(|target| !region(target));
    if check.is_none() && probe.is_none() && target.is_none() {
        return Ok(());
    }
    let names: Vec<String> = checks.iter().map(CheckId::to_string).collect();
    let mut snapshot = app.store.history().await?;
    let stored = snapshot.series(&names).await?;
    snapshot.end().await?;
    for id in checks.iter().filter(|id| !config.checks.contains_key(*id)) {
        if !stored.iter().any(|series| series.check_id == id.as_str()) {
            let known: Vec<&str> = config.checks.keys().map(CheckId::as_str).collect();
            return Err(nothing("check", id.as_str(), &known));
        }
    }
    for id in probes.iter().filter(|id| !config.probes.contains_key(*id)) {
        if !stored.iter().any(|series| series.probe == id.as_str()) {
            let known: Vec<&str> = config.probes.keys().map(ProbeId::as_str).collect();
            return Err(nothing("probe", id.as_str(), &known));
        }
    }
    for name in targets.iter().filter(|target| !region(target)).map(Target::to_string) {
        if !stored.iter().any(|series| series.target == name) {
            let known: Vec<&str> = config.regions.keys().map(RegionId::as_str).collect();
            return Err(nothing("target", &name, &known));
        }
    }
    Ok(())
}

/// 404 for a name that nothing has.
fn nothing(what: &str, name: &str, known: &[&str]) -> Rejected {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.len() <= 20 => format!("those configured are: {}", known.join(", ")),
        None => format!("there are {} configured", known.len()),
    };
    let detail = format!("there is no {what} {name:?}, and no history of one; {hint}");
    Rejected::new(404, &format!("unknown-{what}"), &format!("There is no such {what}"), detail)
}

/// The step of a journey that is asked for.
///
/// # Errors
/// 400 when the name is too long to be one.
pub fn part(text: Option<&str>, every: bool) -> Result<Part, Rejected> {
    match text {
        None if every => Ok(Part::Every),
        None | Some("") => Ok(Part::Whole),
        Some(name) if name.len() > PART_MOST => {
            Err(wrong(format!("part has {} bytes; at most {PART_MOST} are a step's name", name.len())))
        }
        Some(name) => Ok(Part::Step(name.to_owned())),
    }
}

/// The length of a page.
///
/// # Errors
/// 400 when it is none.
pub fn page(limit: Option<&str>) -> Result<usize, Rejected> {
    number("limit", limit, 1..=PAGE_MOST, PAGE)
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<i64>, Rejected> {
    let Some(text) = text else { return Ok(None) };
    let at: Result<Micros, _> = wire::instant::rfc3339::parse(text);
    at.map(|at| Some(at.0)).map_err(|error| {
        // A + that is not escaped is a blank.
        wrong(format!(
            "{name} is {text:?}; it must be an RFC 3339 instant such as 2026-11-20T23:43:42Z, with + as %2B: {error}"
        ))
    })
}
