//! Every authoritative server of a name's zone: is each one there and right, and do all of them say the same?
//!
//! Phase `dns` is finding the servers (NS records, with the labels of the name removed one by one until there are
//! some, and the addresses of their names); `wait` is asking all of them at once, each for the check's records and for
//! the zone's serial, without recursion.

use super::{judge, record_type};
use crate::{
    check::{
        attempt::Attempt,
        dial, evidence,
        fault::Fault,
        outcome,
        record::{Phase, Recorder},
        way::Way,
        words,
    },
    net::resolve::{Failure, PORT, Patience, Wanted, question},
};
use futures_util::future::{join, join_all};
use hickory_proto::{
    op::Message,
    rr::{Name, RData, RecordType},
};
use question::Manner;
use std::{collections::BTreeSet, net::SocketAddr, time::Instant};
use wire::{
    assignment::Dns,
    sample::{AddressResult, FailClass, Outcome, Phases},
};

/// The most servers of one run.
const SERVERS_MOST: usize = 16;

/// A server of the zone; one that has no address is wrong already.
struct Server {
    name: String,
    address: Result<SocketAddr, Fault>,
}

/// What a server said, and how long that took.
struct Told {
    us: u32,
    said: Result<Said, Fault>,
}

struct Said {
    answer: String,
    serial: u32,
}

/// Asks all of them.
pub(in crate::check) async fn check(dns: &Dns, way: &Way<'_>) -> Attempt {
    let recorder = way.watch();
    recorder.enter(Phase::Dns);
    let (zone, servers) = match find(dns, way, &recorder).await {
        Ok(found) => found,
        Err(fault) => return Attempt { record: recorder.finish(), fault: Some(fault), ..Attempt::default() },
    };
    recorder.enter(Phase::Wait);
    let mut told = join_all(servers.iter().map(|server| ask(dns, &zone, server, way))).await;
    compare(&servers, &mut told);
    let first = told.iter().position(|told| told.said.is_err());
    let decisive = first.or_else(|| (0..told.len()).max_by_key(|index| told[*index].us)).unwrap_or_default();
    let address = servers.get(decisive).and_then(|server| server.address.as_ref().ok()).copied();
    recorder.note(|record| record.address = address);
    let failed = told.iter().filter(|told| told.said.is_err()).count();
    let fault = told.get(decisive).and_then(|told| told.said.as_ref().err()).map(|fault| {
        let name = &servers[decisive].name;
        let summary = format!("{failed} of {} servers failed: {name}: {}", servers.len(), fault.summary);
        Fault::new(fault.class, summary)
    });
    let addresses = servers.iter().zip(&told).map(|(server, told)| result(server, told)).collect();
    Attempt { record: recorder.finish(), fault, addresses, ..Attempt::default() }
}

fn result(server: &Server, told: &Told) -> AddressResult {
    let fault = told.said.as_ref().err();
    AddressResult {
        address: server.address.as_ref().map_or_else(|_| server.name.clone(), |at| outcome::address(*at)),
        outcome: fault.map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
        total_us: told.us,
        phases: Phases { wait: server.address.is_ok().then_some(told.us), ..Phases::default() },
        status: None,
        summary: fault.map(|fault| {
            let summary = format!("{}: {}", server.name, fault.summary);
            evidence::keep(&summary, None, b"", &[]).summary
        }),
    }
}

/// The zone and its servers.
async fn find(dns: &Dns, way: &Way<'_>, recorder: &Recorder) -> Result<(Name, Vec<Server>), Fault> {
    let resolver = way.net.resolver();
    let failed = |failure: Failure| {
        recorder.note(|record| record.resolver = failure.trouble);
        Fault::new(FailClass::Dns, failure.summary)
    };
    let mut ours = way.servers()?;
    if ours.is_empty() {
        ours = resolver.servers();
    }
    let mut zone = question::name(&dns.name)
        .map_err(|why| Fault::request(format!("{} cannot be asked for: {why}", words::quote(&dns.name))))?;
    let manner = Manner { recursive: true, authentic: false };
    let names = loop {
        if zone.is_root() {
            let name = words::line(&dns.name, 60);
            return Err(Fault::new(FailClass::Dns, format!("no zone is known that {name} belongs to")));
        }
        let patience = Patience::within(way.limit.until);
        let reply = resolver.ask(&zone, RecordType::NS, manner, &ours, patience).await;
        let reply = reply.map_err(|silence| failed(Failure::unanswered(&dns.name, silence)))?;
        let names: BTreeSet<String> = reply
            .message
            .answers
            .iter()
            .filter(|record| record.name == zone)
            .filter_map(|record| match &record.data {
                RData::NS(name) => Some(name.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
                _ => None,
            })
            .take(SERVERS_MOST)
            .collect();
        if !names.is_empty() {
            recorder
                .note(|record| record.connection.lookup = Some(super::lookup(reply.server, &reply.message)));
            break names;
        }
        zone = zone.base_name();
    };
    let found = join_all(names.into_iter().map(|name| addresses(name, &ours, way))).await;
    Ok((zone, found.into_iter().flatten().take(SERVERS_MOST).collect()))
}

/// One entry for each address of a server.
async fn addresses(name: String, ours: &[SocketAddr], way: &Way<'_>) -> Vec<Server> {
    if let Some(address) = way.net.pinned(&name, PORT) {
        return vec![Server { name, address: dial::permit_server(address).map(|()| address) }];
    }
    let host = format!("{name}.");
    let wanted = Wanted { name: &host, family: way.reach.family, all: false, servers: ours };
    match way.net.resolver().lookup(wanted, Patience::within(way.limit.until)).await {
        Ok(found) => found
            .addresses
            .into_iter()
            .map(|ip| SocketAddr::new(ip, PORT))
            .map(|address| Server {
                name: name.clone(),
                address: dial::permit_server(address).map(|()| address),
            })
            .collect(),
        Err(failure) => {
            vec![Server { name, address: Err(Fault::new(FailClass::Dns, failure.summary)) }]
        }
    }
}

/// Asks one server for the records and for the serial.
async fn ask(dns: &Dns, zone: &Name, server: &Server, way: &Way<'_>) -> Told {
    let started = Instant::now();
    let said = match &server.address {
        Ok(address) => question(dns, zone, *address, way).await,
        Err(fault) => Err(fault.clone()),
    };
    Told { us: u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX), said }
}

async fn question(dns: &Dns, zone: &Name, server: SocketAddr, way: &Way<'_>) -> Result<Said, Fault> {
    let name = question::name(&dns.name).map_err(Fault::request)?;
    let manner = Manner { recursive: false, authentic: dns.authentic };
    let patience = Patience::within(way.limit.until);
    let servers = [server];
    let of = |name: Name, record: RecordType| async move {
        let reply = way.net.resolver().ask(&name, record, manner, &servers, patience).await;
        reply.map(|reply| reply.message).map_err(|silence| Fault::new(silence.class(), silence.to_string()))
    };
    let (answer, soa) = join(of(name, record_type(dns.record)), of(zone.clone(), RecordType::SOA)).await;
    let answer = answer?;
    if !answer.metadata.authoritative {
        let why = format!("{server} does not answer with authority: the zone is delegated to it in vain");
        return Err(Fault::assertion(why));
    }
    judge::judge(dns, &answer)?;
    let serial = serial(&*soa?)
        .ok_or_else(|| Fault::assertion(format!("{server} does not tell the serial of {zone} (SOA)")))?;
    Ok(Said { answer: judge::said(&answer), serial })
}

fn serial(message: &Message) -> Option<u32> {
    message.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

/// Those that do not say what most say, and those whose zone is older than that of others, are wrong.
fn compare(servers: &[Server], told: &mut [Told]) {
    let good = || told.iter().enumerate().filter_map(|(at, told)| Some((at, told.said.as_ref().ok()?)));
    let shares = |said: &Said| good().filter(|(_, other)| other.answer == said.answer).count();
    // Of two answers that are as common, the one of the server that comes first.
    let Some((reference, usual)) = good().max_by_key(|(at, said)| (shares(said), std::cmp::Reverse(*at)))
    else {
        return;
    };
    let usual = usual.answer.clone();
    // Serials wrap around (RFC 1982): the newest is the one that no other is ahead of.
    let ahead = |one: u32, other: u32| one != other && one.wrapping_sub(other) < 1 << 31;
    let Some((newest, serial)) = good()
        .map(|(at, said)| (at, said.serial))
        .find(|(_, serial)| !good().any(|(_, other)| ahead(other.serial, *serial)))
        .or_else(|| good().next().map(|(at, said)| (at, said.serial)))
    else {
        return;
    };
    for told in told.iter_mut() {
        let Ok(said) = &told.said else { continue };
        let why = if said.answer != usual {
            let (answer, usual) = (words::line(&said.answer, 80), words::line(&usual, 80));
            format!("the servers differ: it answered {answer}, {} answered {usual}", servers[reference].name)
        } else if said.serial != serial {
            let newest = &servers[newest].name;
            format!("the servers differ: its zone has serial {}, that of {newest} has {serial}", said.serial)
        } else {
            continue;
        };
        told.said = Err(Fault::assertion(why));
    }
}
