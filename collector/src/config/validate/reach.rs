//! How a check gets to its endpoint: families, addresses, resolvers, redirects, connections.

use super::services;
use crate::config::read::{At, Fields};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};
use wire::assignment::{CheckKind, Family, Reach, Target};

/// The keys.
pub const KEYS: [&str; 5] = ["family", "addresses", "resolver", "redirects", "connection"];

/// The port of DNS servers.
const PORT: u16 = 53;
/// The most resolvers, as many as the C library asks.
const RESOLVERS_MOST: usize = 3;
/// The most redirects of one run.
const REDIRECTS_MOST: i64 = 10;

const FAMILIES: [(&str, Family); 2] = [("v4", Family::V4), ("v6", Family::V6)];

/// The families that are measured, each as a check of its own where there are two; and everything else.
pub struct Read {
    /// Empty for a check that does not care.
    pub families: Vec<Family>,
    pub reach: Reach,
}

/// Reads the keys that are there. `kind` and `to` are the check's, when they could be read.
pub fn read(
    fields: &Fields<'_>,
    kind: Option<&CheckKind>,
    to: Option<&[Target]>,
    service: Option<&services::Known>,
) -> Option<Read> {
    let families = fields.or("family", Vec::new(), families);
    let all = fields.or("addresses", false, |at| at.word(&[("first", false), ("all", true)]));
    let resolvers = fields.or("resolver", Vec::new(), resolvers);
    let redirects = fields.or("redirects", 0, |at| at.whole(0..=REDIRECTS_MOST));
    let reuse = fields.or("connection", false, |at| at.word(&[("fresh", false), ("reuse", true)]));
    let mut well = true;
    let mut only = |key: &str, asked: bool, fits: fn(&CheckKind) -> bool, kinds: &str| {
        let Some(at) = fields.get(key).filter(|_| asked) else { return };
        if kind.is_some_and(|kind| !fits(kind)) {
            at.problem(format!("only {kinds} checks can do that"));
            well = false;
        }
    };
    only("addresses", all == Some(true), connects, "http, tcp, tls, grpc and websocket");
    only("redirects", redirects.is_some_and(|n| n > 0), requests, "http and journey");
    only("connection", reuse == Some(true), |kind| matches!(kind, CheckKind::Http(_)), "http");
    let families = families?;
    if let (Some(at), Some(to), Some(service)) = (fields.get("family"), to, service) {
        well &= literals(at, &families, to, service);
    }
    let reach = Reach {
        all_addresses: all?,
        resolvers: resolvers?,
        redirects: redirects?,
        reuse: reuse?,
        ..Reach::default()
    };
    well.then_some(Read { families, reach })
}

/// Goes to one place by a connection.
fn connects(kind: &CheckKind) -> bool {
    !matches!(kind, CheckKind::Dns(_) | CheckKind::Icmp(_) | CheckKind::Journey(_))
}

fn requests(kind: &CheckKind) -> bool {
    matches!(kind, CheckKind::Http(_) | CheckKind::Journey(_))
}

/// `v4`, `v6`, or both as a list.
fn families(at: &At<'_>) -> Option<Vec<Family>> {
    let items = at.one_or_many();
    let mut families: Vec<Family> = Vec::new();
    for item in &items {
        let family = item.word(&FAMILIES)?;
        if families.contains(&family) {
            item.problem("stands in this list already");
            return None;
        }
        families.push(family);
    }
    if families.is_empty() {
        return at.expected("`v4`, `v6` or `[v4, v6]`");
    }
    Some(families)
}

/// Addresses of DNS servers, with a port each.
fn resolvers(at: &At<'_>) -> Option<Vec<String>> {
    let items = at.one_or_many();
    if items.is_empty() || items.len() > RESOLVERS_MOST {
        at.problem(format!("1 to {RESOLVERS_MOST} resolvers can be named, these are {}", items.len()));
        return None;
    }
    let read = |item: &At<'_>| {
        let text = item.text(100)?;
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        let address = bare.or_else(|_| text.parse::<SocketAddr>()).ok().filter(|address| address.port() > 0);
        match address {
            Some(address) => Some(address.to_string()),
            None => item.expected(
                "the IP address of a DNS server, with or without a port, such as 192.0.2.53 or \"[2001:db8::53]:53\"",
            ),
        }
    };
    items.iter().map(read).collect()
}

/// Whether no endpoint is an address of a family that is not asked for.
fn literals(at: &At<'_>, families: &[Family], to: &[Target], service: &services::Known) -> bool {
    let Some(service) = &service.whole else { return true };
    let mut well = true;
    for target in to {
        let url = match target {
            Target::Region(region) => service.endpoints.get(region).map(|endpoint| &endpoint.url),
            Target::Public => service.public_url.as_ref(),
        };
        let url = url.and_then(|url| Url::parse(url).ok());
        let is = match url.as_ref().and_then(Url::host) {
            Some(Host::Ipv4(_)) => Family::V4,
            Some(Host::Ipv6(_)) => Family::V6,
            _ => continue,
        };
        let word = |family| if family == Family::V4 { "an IPv4" } else { "an IPv6" };
        if families.iter().any(|family| *family != is) {
            at.problem(format!("the address of `{target}` is {} address and has no other", word(is)));
            well = false;
        }
    }
    well
}
