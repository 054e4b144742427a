//! What is legal in a configuration, but will disappoint somebody.

use super::{Check, Config, Impact, Service, duration, residency};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use url::{Host, Url};
use wire::{
    ProbeId, ServiceId,
    assignment::{CheckKind, Request, Target},
};

/// Votes from fewer domains than this can come from one broken network as well as from a broken region.
const DOMAINS: usize = 3;

/// Evidence that counts for longer than this makes a silent probe look alive.
const LONG: Duration = Duration::from_secs(60);

/// Headers whose values are secrets more often than not.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// What an operator should know about a valid configuration, in sentences that begin with what they speak of.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    residency::warnings(config, |id, message| warnings.push(format!("regions.{id}: {message}")));
    for (id, service) in &config.services {
        service_warnings(config, id, service, &mut warnings);
    }
    for (id, check) in &config.checks {
        let Some(service) = config.services.get(&check.service) else { continue };
        check_warnings(check, service, |message| warnings.push(format!("checks.{id}: {message}")));
    }
    for (id, receiver) in &config.receivers {
        if is_plain_and_far(&receiver.url) {
            warnings.push(format!(
                "receivers.{id}: plans travel over plain HTTP; they are signed, but anybody on the way can read or \
                 drop them; use https"
            ));
        }
    }
    if config.checks.values().any(votes) && config.steering.fresh > LONG {
        warnings.push(format!(
            "steering.fresh: evidence counts for {}, so a silent probe goes unnoticed for that long; shorten the \
             interval of the slowest check, or give it `impact: none`",
            duration::format(config.steering.fresh)
        ));
    }
    warnings
}

fn service_warnings(config: &Config, id: &ServiceId, service: &Service, warnings: &mut Vec<String>) {
    let mut warn = |message: String| warnings.push(format!("services.{id}: {message}"));
    let checks: Vec<&Check> = config.checks.values().filter(|check| check.service == *id).collect();
    let voting: Vec<&Check> = checks.iter().copied().filter(|check| votes(check)).collect();
    if voting.is_empty() {
        warn("no check says whether its regions are well, so none is ever evacuated".to_owned());
    } else {
        for region in service.endpoints.keys() {
            let target = Target::Region(region.clone());
            if !voting.iter().any(|check| check.to.contains(&target)) {
                warn(format!("no check with an impact measures region {region}"));
            }
        }
        let domains = domains(config, voting.iter().flat_map(|check| &check.from));
        if domains < DOMAINS {
            let s = if domains == 1 { "" } else { "s" };
            warn(format!(
                "is seen from {domains} failure domain{s}; with fewer than {DOMAINS} a broken network between \
                 looks like a broken region"
            ));
        }
    }
    if service.receivers.is_empty() {
        warn("nobody is told about plans; add `receivers`".to_owned());
    }
    match (&service.public_url, service.names_regions()) {
        (Some(_), true) => {
            let public =
                checks.iter().filter(|check| check.to.contains(&Target::Public) && check.can_name_region());
            if public.clone().count() == 0 {
                warn(
                    "no `http` or `journey` check measures the public entrance (`to: public`), so no move can be \
                     proved"
                        .to_owned(),
                );
            } else if public.flat_map(|check| &check.from).collect::<BTreeSet<_>>().len() < 2 {
                warn("only one probe measures the public entrance; a proof needs two".to_owned());
            }
        }
        (None, _) => warn("without `public` no move of traffic can be proved".to_owned()),
        (_, false) => {
            warn("without `region_header` nobody can tell which region served a request".to_owned())
        }
    }
    let addresses: BTreeSet<&str> =
        service.endpoints.values().map(|endpoint| endpoint.url.as_str()).collect();
    if addresses.len() < service.endpoints.len() {
        warn("two regions have the same URL, so a fault of one is taken for a fault of both".to_owned());
    }
    let regions = service.endpoints.len();
    if regions > 1 && config.steering.keep_regions.is_some_and(|keep| usize::from(keep) >= regions) {
        warn(
            "`steering.keep_regions` keeps traffic in all of its regions, so none is ever evacuated"
                .to_owned(),
        );
    }
}

fn votes(check: &Check) -> bool {
    check.impact != Impact::None
}

fn domains<'c>(config: &'c Config, probes: impl Iterator<Item = &'c ProbeId>) -> usize {
    let probes = probes.filter_map(|id| config.probes.get(id));
    probes.map(|probe| probe.failure_domain.as_str()).collect::<BTreeSet<_>>().len()
}

fn check_warnings(check: &Check, service: &Service, mut warn: impl FnMut(&str)) {
    let shown = |value: &String| !value.contains("{{");
    if headers(check).any(|headers| SECRET_HEADERS.iter().any(|name| headers.get(*name).is_some_and(shown))) {
        warn(
            "a header that usually holds a secret is stored and shown with the configuration; give the secret to the \
             probes and write `{{ secret.NAME }}` here",
        );
    }
    if check.tls.skip_verify {
        warn(
            "with `skip_verify: true` any certificate is accepted, also that of somebody between; give the authority's \
             certificate as `ca` instead",
        );
    }
    if !service.names_regions() && requests(check).any(|request| request.expect.served_by.is_some()) {
        warn(
            "expects `served_by`, and no answer can say it; add `region_header`, `region_cookie` or \
             `region_addresses` to the service",
        );
    }
    match &check.kind {
        CheckKind::Tls(_) if check.port.is_none() && addresses(check, service).any(is_port_of_plain_http) => {
            warn("speaks TLS to a port of plain HTTP, which will hardly answer; measure https addresses");
        }
        CheckKind::Dns(dns) if dns.server.is_some() && votes(check) && check.to.len() > 1 => {
            warn(
                "asks the same `server` for every region, so a fault of it is taken for a fault of all of them; \
                 write `to: public` or `impact: none`",
            );
        }
        CheckKind::Icmp(icmp) if icmp.max_loss_percent == 100 => {
            warn("with `max_loss: 100%` it succeeds without a single answer");
        }
        _ => {}
    }
}

/// The addresses that a check measures.
fn addresses<'c>(check: &'c Check, service: &'c Service) -> impl Iterator<Item = &'c str> {
    check.to.iter().filter_map(|target| match target {
        Target::Region(region) => service.endpoints.get(region).map(|endpoint| endpoint.url.as_str()),
        Target::Public => service.public_url.as_deref(),
    })
}

/// The HTTP requests that a check makes.
fn requests(check: &Check) -> impl Iterator<Item = &Request> {
    let (single, steps) = match &check.kind {
        CheckKind::Http(request) => (Some(request), None),
        CheckKind::Journey(journey) => (None, Some(&journey.steps)),
        _ => (None, None),
    };
    single.into_iter().chain(steps.into_iter().flatten().map(|step| &step.request))
}

/// The headers that a check sends, request by request.
fn headers(check: &Check) -> impl Iterator<Item = &BTreeMap<String, String>> {
    let socket = match &check.kind {
        CheckKind::WebSocket(websocket) => Some(&websocket.headers),
        _ => None,
    };
    socket.into_iter().chain(requests(check).map(|request| &request.headers))
}

/// Whether a URL is plain HTTP and names its port; without one a handshake goes to port 443.
fn is_port_of_plain_http(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "http" && url.port().is_some())
}

/// Whether a URL is plain HTTP to another machine.
fn is_plain_and_far(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let near = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    };
    url.scheme() == "http" && !near
}
