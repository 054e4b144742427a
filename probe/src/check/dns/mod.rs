//! The DNS check: one question to one server, on our own sockets, so that no cache and no resolver stands between.
//!
//! Phases: `dns` only where the server is given by name and that name has to be resolved first; `connect` only by
//! TCP; `send` and `wait` for the question and its answer. Where a truncated answer makes the question go out again
//! by TCP, the second `send` and `wait` are added to the first.

mod ask;
pub(super) mod authority;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod judge;

use super::{
    Trace,
    dial::{self, Destination},
    fault::Fault,
    record::Recorder,
    tcp,
    way::Way,
    words,
};
use crate::net::resolve::{
    PORT,
    question::{self, Manner, Question},
};
use hickory_proto::{op::Message, rr::RecordType};
use std::net::SocketAddr;
use url::Url;
use wire::{
    assignment::{Dns, RecordType as Wanted},
    sample::Lookup,
};

/// Asks and compares the answer.
pub(super) async fn check(
    dns: &Dns,
    url: &str,
    way: &Way<'_>,
    trace: &Trace,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let to = server(dns, url)?;
    let question = ask_for(dns, trace)?;
    let server = dial::address(&to, way, recorder).await?;
    let mut answer = None;
    if !dns.tcp {
        answer = Some(ask::by_udp(&question, server, recorder).await?);
    }
    let answer = match answer.filter(|answer| !answer.metadata.truncation) {
        Some(answer) => answer,
        None => ask::by_tcp(&question, server, recorder).await?,
    };
    recorder.note(|record| record.connection.lookup = Some(lookup(server, &answer)));
    judge::judge(dns, &answer)
}

/// The question, with an id from the trace, which is random.
fn ask_for(dns: &Dns, trace: &Trace) -> Result<Question, Fault> {
    let bad = |why: String| Fault::request(format!("{} cannot be asked for: {why}", words::quote(&dns.name)));
    let name = question::name(&dns.name).map_err(bad)?;
    let id = u16::from_be_bytes([trace.trace_id[14], trace.trace_id[15]]);
    let manner = Manner { recursive: true, authentic: dns.authentic };
    Question::new(name, record_type(dns.record), id, manner).map_err(bad)
}

fn record_type(wanted: Wanted) -> RecordType {
    match wanted {
        Wanted::A => RecordType::A,
        Wanted::Aaaa => RecordType::AAAA,
        Wanted::Cname => RecordType::CNAME,
        Wanted::Mx => RecordType::MX,
        Wanted::Ns => RecordType::NS,
        Wanted::Soa => RecordType::SOA,
        Wanted::Txt => RecordType::TXT,
    }
}

/// What is told of an answer: here `found` counts records of any type.
fn lookup(server: SocketAddr, answer: &Message) -> Lookup {
    Lookup {
        server: server.to_string(),
        rcode: question::rcode(answer.metadata.response_code),
        ttl_s: answer.answers.iter().map(|record| record.ttl).min(),
        found: u16::try_from(answer.answers.len()).unwrap_or(u16::MAX),
    }
}

/// Where to ask: the server that is named, or the endpoint's host at the port of name servers.
pub(super) fn server(dns: &Dns, url: &str) -> Result<Destination, Fault> {
    let Some(server) = &dns.server else {
        return Ok(Destination { port: PORT, ..Destination::or_port(&tcp::parse(url)?, PORT)? });
    };
    // An address of version 6 without a port needs no brackets.
    let bare = server.parse::<std::net::Ipv6Addr>().map(|address| format!("dns://[{address}]"));
    let url = Url::parse(&bare.unwrap_or_else(|_| format!("dns://{server}")))
        .map_err(|_| Fault::request(format!("{} is not a server and port", words::quote(server))))?;
    Destination::or_port(&url, PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        let at = |given: Option<&str>| {
            let dns = Dns {
                name: "a.test".into(),
                record: Default::default(),
                server: given.map(str::to_owned),
                tcp: false,
                rcode: "NOERROR".into(),
                answers: Vec::new(),
                authentic: false,
                authoritative: false,
                ttl: None,
            };
            server(&dns, "https://shop.test:8443/x").map(|to| format!("{}:{}", to.host, to.port))
        };
        for (given, read) in [
            (None, "shop.test:53"),
            (Some("ns.test"), "ns.test:53"),
            (Some("10.0.0.1:5353"), "10.0.0.1:5353"),
            (Some("[::1]:5353"), "[::1]:5353"),
            (Some("::1"), "[::1]:53"),
        ] {
            assert_eq!(at(given).as_deref(), Ok(read));
        }
        assert!(at(Some("a b")).is_err() && at(Some("")).is_err());
    }
}
