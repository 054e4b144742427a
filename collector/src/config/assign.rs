//! What a probe shall do, derived from the configuration.

use super::{Check, Config, Service, nearest, residency::residency};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use url::Url;
use wire::{
    ProbeId, RegionId,
    assignment::{AssignedCheck, Assignment, CheckKind, Endpoint, Places, Reach, Target},
};

/// The checks of one probe with everything it needs to run them; nothing for a probe that is not configured.
pub fn assignment(config: &Config, revision: i64, probe: &ProbeId) -> Option<Assignment> {
    let region = config.probes.get(probe)?.region.clone();
    let checks = config
        .checks
        .iter()
        .filter(|(_, check)| check.from.contains(probe))
        .filter_map(|(id, check)| {
            let service = config.services.get(&check.service)?;
            let endpoints = endpoints(config, &region, check, service);
            let listed = listed(service, &endpoints);
            Some(AssignedCheck {
                id: id.clone(),
                service: check.service.clone(),
                kind: check.kind.clone(),
                interval_us: micros(check.interval),
                timeout_us: micros(check.timeout),
                budget_us: check.budget.map(micros),
                endpoints,
                regions: elsewhere(check, service),
                region_header: service.region_header.clone(),
                places: Places { listed, ..places(config, &region, check, service) },
                reach: Reach { tls: check.tls.clone(), ..check.reach.clone() },
            })
        })
        .collect();
    // Sessions have keys, which are not the configuration's; `crate::mesh` adds them.
    Some(Assignment { revision, probe: probe.clone(), region, checks, mesh: None })
}

/// What else a probe in a region is told of a service's places.
fn places(config: &Config, vantage: &RegionId, check: &Check, service: &Service) -> Places {
    let travels = matches!(check.kind, CheckKind::Journey(_));
    Places {
        vantage: Some(vantage.clone()),
        public: service.public_url.clone().filter(|_| travels),
        nearest: if travels { nearest::to(&config.regions, vantage, service.endpoints.keys()) } else { None },
        region_cookie: service.region_cookie.clone(),
        region_addresses: service.region_addresses.clone(),
        listed: BTreeSet::new(),
    }
}

/// The names that an answer may give, where the probe has to tell them from others.
fn listed(service: &Service, endpoints: &[Endpoint]) -> BTreeSet<RegionId> {
    let told = endpoints.iter().any(|endpoint| !endpoint.evidence.travels());
    if told { service.endpoints.keys().cloned().collect() } else { BTreeSet::new() }
}

/// The addresses that steps of a journey may go to; other kinds stay where they are.
fn elsewhere(check: &Check, service: &Service) -> BTreeMap<RegionId, String> {
    let CheckKind::Journey(_) = check.kind else {
        return BTreeMap::new();
    };
    service.endpoints.iter().map(|(id, at)| (id.clone(), at.url.clone())).collect()
}

fn endpoints(config: &Config, vantage: &RegionId, check: &Check, service: &Service) -> Vec<Endpoint> {
    let address = |target: &Target| match target {
        Target::Region(region) => service.endpoints.get(region).map(|endpoint| endpoint.url.clone()),
        Target::Public => service.public_url.clone(),
    };
    let endpoint = |target: &Target| {
        let url = address(target)?;
        let url = match check.port {
            Some(port) => with_port(&url, port)?,
            None => url,
        };
        let url = if matches!(check.kind, CheckKind::Tcp(_)) { tcp(&url)? } else { url };
        let evidence = residency(config, vantage, check, target).residency;
        Some(Endpoint { target: target.clone(), url, evidence })
    };
    check.to.iter().filter_map(endpoint).collect()
}

/// The same address at another port.
fn with_port(url: &str, port: u16) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_port(Some(port)).ok()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// The host and port of an HTTP URL; every valid one has both, because the scheme implies a port.
fn tcp(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!("tcp://{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Durations of checks end at one hour, which fits.
fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
