//! `services`: what users use, and where it runs.

use super::{Entries, address, request};
use crate::config::{
    model::{EndpointConfig, Receiver, Region, Service},
    read::At,
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Network, ReceiverId, RegionId, ServiceId};

/// What is known of a service, even when something in it is wrong.
pub struct Known {
    /// Nothing when its regions are no mapping, so that nobody can say what they are.
    pub regions: Option<BTreeSet<RegionId>>,
    pub has_public: bool,
    pub whole: Option<Service>,
}

/// Reads the section.
pub fn read(
    section: Option<&At<'_>>,
    regions: &Entries<RegionId, Region>,
    receivers: &Entries<ReceiverId, Receiver>,
) -> BTreeMap<ServiceId, Known> {
    let entries = section.map(At::ids::<ServiceId>).unwrap_or_default();
    entries
        .into_iter()
        .map(|(id, at)| {
            // Of a service that is no mapping nothing is known, and checks of it are not blamed for that.
            let known = service(&id, &at, regions, receivers).unwrap_or(Known {
                regions: None,
                has_public: true,
                whole: None,
            });
            (id, known)
        })
        .collect()
}

fn service(
    id: &ServiceId,
    at: &At<'_>,
    regions: &Entries<RegionId, Region>,
    receivers: &Entries<ReceiverId, Receiver>,
) -> Option<Known> {
    let fields = at.fields(&[
        "name",
        "public",
        "region_header",
        "region_cookie",
        "region_addresses",
        "regions",
        "receivers",
    ])?;
    let name = fields.or("name", id.to_string(), At::label);
    let public_url = fields.maybe("public", address::base);
    let region_header = fields.maybe("region_header", request::header_name);
    let region_cookie = fields.maybe("region_cookie", request::cookie_name);
    let at = fields.need("regions", "{ eu-west-1: https://shop.eu-west-1.example.com }");
    let endpoints = at.and_then(|at| endpoints(at, regions));
    let region_addresses =
        fields.or("region_addresses", BTreeMap::new(), |at| addresses(at, endpoints.as_ref()));
    let receivers = fields.or("receivers", Vec::new(), |at| told(at, receivers));
    let whole = || {
        let endpoints = endpoints.clone()?;
        let endpoints = super::complete(endpoints)?;
        Some(Service {
            name: name?,
            public_url: public_url?,
            region_header: region_header?,
            region_cookie: region_cookie?,
            region_addresses: region_addresses.clone()?,
            endpoints,
            receivers: receivers?,
        })
    };
    Some(Known {
        whole: whole(),
        regions: endpoints.map(|endpoints| endpoints.into_keys().collect()),
        has_public: fields.get("public").is_some(),
    })
}

fn endpoints(at: &At<'_>, regions: &Entries<RegionId, Region>) -> Option<Entries<RegionId, EndpointConfig>> {
    let mut endpoints = Entries::new();
    let mut weights: u32 = 0;
    let entries = at.entries()?;
    let none = entries.is_empty();
    for (name, at) in entries {
        let endpoint = endpoint(&at);
        // A weight that is wrong is reported already; counting it as some weight avoids a second report.
        weights += endpoint.as_ref().map_or(1, |endpoint| u32::from(endpoint.weight));
        if let Some((id, _)) = at.key_reference(name, "region", regions) {
            endpoints.insert(id.clone(), endpoint);
        }
    }
    if none {
        at.problem_with_key("a service needs at least one region with its URL");
    } else if weights == 0 {
        at.problem_with_key("the weights add up to 0, so that nobody could use the service; raise one");
    }
    Some(endpoints)
}

/// Regions of the service to addresses or blocks of them, each in one region only.
fn addresses(
    at: &At<'_>,
    endpoints: Option<&Entries<RegionId, EndpointConfig>>,
) -> Option<BTreeMap<RegionId, Vec<Network>>> {
    let endpoints = endpoints?;
    let mut addresses = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut well = true;
    for (name, at) in at.entries()? {
        let items = at.one_or_many();
        let read: Vec<Option<Network>> = items.iter().map(|item| network(item, &mut seen)).collect();
        let read: Option<Vec<Network>> = read.into_iter().collect();
        match (at.key_reference(name, "region of the service", endpoints), read) {
            (Some((region, _)), Some(networks)) if !networks.is_empty() => {
                addresses.insert(region.clone(), networks);
            }
            (Some(_), Some(_)) => well = at.expected::<()>("an address, or a list of them").is_some(),
            _ => well = false,
        }
    }
    well.then_some(addresses)
}

fn network(at: &At<'_>, seen: &mut BTreeSet<Network>) -> Option<Network> {
    let network: Option<Network> = at.text(64)?.parse().ok();
    let Some(network) = network else {
        return at.expected("an address or a block of them, such as 192.0.2.1 or 192.0.2.0/24");
    };
    if !seen.insert(network) {
        at.problem("stands here already; an address belongs to one region");
        return None;
    }
    Some(network)
}

/// `URL` or `{ url: URL, weight: 0 to 100 }`.
fn endpoint(at: &At<'_>) -> Option<EndpointConfig> {
    if at.is_text() {
        return Some(EndpointConfig { url: address::base(at)?, weight: 100 });
    }
    let fields = at.fields(&["url", "weight"])?;
    let url = fields.need("url", "https://shop.eu-west-1.example.com").and_then(address::base);
    let weight = fields.or("weight", 100, |at| at.whole(0..=100));
    Some(EndpointConfig { url: url?, weight: weight? })
}

fn told(at: &At<'_>, receivers: &Entries<ReceiverId, Receiver>) -> Option<Vec<ReceiverId>> {
    let mut told: Vec<ReceiverId> = Vec::new();
    let mut wrong = false;
    for item in at.list()? {
        match item.reference("receiver", receivers) {
            Some((id, _)) if told.contains(id) => item.problem(format!("`{id}` stands in this list already")),
            Some((id, _)) => told.push(id.clone()),
            None => wrong = true,
        }
    }
    (!wrong).then_some(told)
}
