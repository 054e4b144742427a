//! Whether names are known, before something is done by them: a typing mistake must not look like a history that is
//! empty.

use super::Selection;
use crate::{
    assigned::Assigned,
    config::nearest,
    store::{self, EvidenceAsked, Store},
};
use std::{collections::BTreeSet, fmt};

/// The most names that a refusal lists.
const LISTED: usize = 20;

/// Why nothing is done by some names.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("no {what} {name:?} is known, neither by the configuration nor in the history; {hint}")]
    Name { what: What, name: String, hint: String },
    #[error(
        "no series is known, neither by the configuration nor in the history, that has all of what was named: {names}; \
         leave one of them out"
    )]
    Series { names: String },
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Check,
    Probe,
    Target,
}

/// Names of series; of each kind, none take everything.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub checks: BTreeSet<String>,
    pub probes: BTreeSet<String>,
    pub targets: BTreeSet<String>,
}

/// Check, probe and target.
type Series = (String, String, String);

/// Refuses names that nothing has had: neither the configuration, now or not long ago, nor anything that is stored.
///
/// # Errors
/// [`Error::Name`] and [`Error::Series`], or when the database fails.
pub async fn require(store: &Store, names: &Names) -> Result<(), Error> {
    let known = known(store).await?;
    let of = |what| known.iter().map(|series| what_of(series, what)).collect::<BTreeSet<&str>>();
    for what in [What::Check, What::Probe, What::Target] {
        let known = of(what);
        for name in names.of(what).iter().filter(|name| !known.contains(name.as_str())) {
            // What was reported and never sealed has evidence at the most.
            if !has_evidence(store, &Names::one(what, name)).await? {
                return Err(Error::Name { what, name: name.clone(), hint: hint(what, name, &known) });
            }
        }
    }
    if !known.iter().any(|series| names.take(series)) && !has_evidence(store, names).await? {
        return Err(Error::Series { names: names.to_string() });
    }
    Ok(())
}

/// All series that are configured, or were, or have a history.
async fn known(store: &Store) -> Result<BTreeSet<Series>, store::Error> {
    let stored = store.series_in(&Selection::default()).await?;
    let mut known: BTreeSet<Series> =
        stored.into_iter().map(|(_, key)| (key.check, key.probe, key.target)).collect();
    let assigned = Assigned::stored(store).await?;
    known.extend(
        assigned.series().map(|(check, probe, to)| (check.to_string(), probe.to_string(), to.to_string())),
    );
    Ok(known)
}

async fn has_evidence(store: &Store, names: &Names) -> Result<bool, store::Error> {
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect();
    let asked = EvidenceAsked {
        checks: list(&names.checks),
        probes: list(&names.probes),
        targets: list(&names.targets),
        at: (i64::MIN, i64::MAX),
        limit: 1,
        ..EvidenceAsked::default()
    };
    Ok(!store.evidence(&asked).await?.is_empty())
}

fn what_of((check, probe, target): &Series, what: What) -> &str {
    match what {
        What::Check => check,
        What::Probe => probe,
        What::Target => target,
    }
}

/// What is near, or else what there is.
fn hint(what: What, name: &str, known: &BTreeSet<&str>) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean {near}?");
    }
    if known.is_empty() {
        return "nothing is configured or stored in this database: is it the right one?".into();
    }
    let listed: Vec<&str> = known.iter().copied().take(LISTED).collect();
    let more = match known.len() - listed.len() {
        0 => String::new(),
        more => format!(", and {more} more that the configuration names"),
    };
    format!("the {what}s are: {}{more}", listed.join(", "))
}

impl Names {
    fn one(what: What, name: &str) -> Names {
        let mut names = Names::default();
        let set = match what {
            What::Check => &mut names.checks,
            What::Probe => &mut names.probes,
            What::Target => &mut names.targets,
        };
        set.insert(name.to_owned());
        names
    }

    fn of(&self, what: What) -> &BTreeSet<String> {
        match what {
            What::Check => &self.checks,
            What::Probe => &self.probes,
            What::Target => &self.targets,
        }
    }

    fn take(&self, series: &Series) -> bool {
        [What::Check, What::Probe, What::Target].into_iter().all(|what| {
            let wanted = self.of(what);
            wanted.is_empty() || wanted.contains(what_of(series, what))
        })
    }
}

impl From<&Selection> for Names {
    fn from(selection: &Selection) -> Names {
        let set = |name: &Option<String>| name.iter().cloned().collect();
        Names {
            checks: set(&selection.check),
            probes: set(&selection.probe),
            targets: set(&selection.target),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            [What::Check, What::Probe, What::Target].into_iter().filter(|what| !self.of(*what).is_empty());
        let one = |what: What| {
            let names: Vec<&str> = self.of(what).iter().map(String::as_str).collect();
            format!("{what} {}", names.join(" or "))
        };
        f.write_str(&named.map(one).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Check => "check",
            What::Probe => "probe",
            What::Target => "target",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::SeriesKey, store::conformance::Engine};
    use wire::Micros;

    const DOCUMENT: &str = "\
version: 1
regions: { north: {}, south: {} }
probes:
  probe-north: { region: north, token: { file: north.token } }
  probe-south: { region: south, token: { file: south.token } }
services:
  shop: { public: http://shop.test, regions: { north: http://n.test, south: http://s.test } }
checks:
  health: { service: shop, http: { path: /health } }
  near: { service: shop, http: { path: /health }, from: [north] }
";

    fn names(check: &str, probe: &str, target: &str) -> Names {
        let set = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let selection =
            Selection { check: set(check), probe: set(probe), target: set(target), ..Selection::default() };
        Names::from(&selection)
    }

    #[tokio::test]
    async fn names_are_known_by_documents_and_by_history() {
        for engine in Engine::both() {
            let store = engine.open().await;
            let said = async |named: Names| match require(&store, &named).await {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            };
            assert!(said(names("health", "", "")).await.contains("is it the right one?"));

            store.revise(DOCUMENT, Micros(1)).await.expect("revised");
            store.revise(&DOCUMENT.replace("near:", "far:"), Micros(2)).await.expect("revised");
            let old = SeriesKey {
                check: "of-old".into(),
                probe: "probe-gone".into(),
                target: "mars".into(),
                part: String::new(),
            };
            store.series_ids(&[old]).await.expect("numbered");
            for known in [
                names("health", "", ""),
                names("", "probe-south", ""),
                names("", "", "south"),
                names("near", "probe-north", "south"),
                names("of-old", "probe-gone", "mars"),
                names("", "", ""),
            ] {
                assert_eq!(said(known).await, "");
            }
            let typo = said(names("helth", "", "")).await;
            assert!(typo.contains("no check \"helth\"") && typo.contains("did you mean health?"), "{typo}");
            let nothing = said(names("", "x", "")).await;
            assert!(nothing.contains("the probes are: probe-gone, probe-north, probe-south"), "{nothing}");
            assert!(said(names("health", "", "public")).await.contains("no target \"public\""));
            let apart = said(names("far", "probe-south", "")).await;
            assert!(apart.contains("check far, probe probe-south; leave one of them out"), "{apart}");
            store.close().await;
        }
    }
}
