//! `dns`: one question to one server, and what it must answer.

use super::{boolean, message};
use crate::config::{
    node::Value,
    read::{At, Fields},
    validate::host,
};
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};
use wire::assignment::{Dns, RecordType, Ttl};

/// The port of DNS servers.
const PORT: u16 = 53;

/// The most records that can be expected.
const MOST_ANSWERS: usize = 50;

const RECORDS: [(&str, RecordType); 7] = [
    ("A", RecordType::A),
    ("AAAA", RecordType::Aaaa),
    ("CNAME", RecordType::Cname),
    ("MX", RecordType::Mx),
    ("NS", RecordType::Ns),
    ("SOA", RecordType::Soa),
    ("TXT", RecordType::Txt),
];

/// The longest time to live that can be expected; servers cut longer ones.
const LONGEST_TTL: Duration = Duration::from_secs(7 * 86_400);

/// The response code of an answer that holds what was asked for.
const FOUND: &str = "NOERROR";

/// The response codes of RFC 1035, by their names in the register of IANA.
const RCODES: [(&str, &str); 6] = [
    (FOUND, FOUND),
    ("FORMERR", "FORMERR"),
    ("SERVFAIL", "SERVFAIL"),
    ("NXDOMAIN", "NXDOMAIN"),
    ("NOTIMP", "NOTIMP"),
    ("REFUSED", "REFUSED"),
];

/// Reads the mapping of a `dns` check.
pub fn read(at: &At<'_>) -> Option<Dns> {
    let fields =
        at.fields(&["name", "record", "server", "servers", "tcp", "rcode", "answers", "authentic", "ttl"])?;
    let name = fields.need("name", "www.example.com").and_then(host::name);
    let record = fields.or("record", RecordType::A, |at| at.word_in_any_case(&RECORDS));
    let server = fields.maybe("server", |at| host::server(at, PORT));
    let tcp = fields.or("tcp", false, boolean);
    let rcode = fields.or("rcode", FOUND, |at| at.word_in_any_case(&RCODES));
    let answers = fields.or("answers", Vec::new(), |at| answers(at, record));
    if let (Some(rcode), Some(at)) = (rcode.filter(|rcode| *rcode != FOUND), fields.get("answers")) {
        at.problem_with_key(format!("an answer with {rcode} holds no records; remove `answers` or `rcode`"));
    }
    let authentic = fields.or("authentic", false, boolean);
    let authoritative = fields.or("servers", false, |at| at.word(&[("authoritative", true)]));
    let ttl = fields.maybe("ttl", ttl);
    if authoritative == Some(true) {
        apart(&fields, rcode)?;
    }
    Some(Dns {
        name: name?,
        record: record?,
        server: server?,
        tcp: tcp?,
        rcode: rcode?.to_owned(),
        answers: answers?,
        authentic: authentic?,
        authoritative: authoritative?,
        ttl: ttl?,
    })
}

/// What cannot be said when every authoritative server is asked.
fn apart(fields: &Fields<'_>, rcode: Option<&str>) -> Option<()> {
    if let Some(at) = fields.get("server") {
        at.problem_with_key("`servers: authoritative` finds the servers itself; keep one of the two");
        return None;
    }
    if let Some(at) = fields.get("tcp").filter(|at| matches!(at.value(), Value::Bool(true))) {
        at.problem("`servers: authoritative` asks by UDP, and by TCP when the answer was cut");
        return None;
    }
    if let Some(at) = fields.get("rcode").filter(|_| !matches!(rcode, Some(FOUND | "NXDOMAIN") | None)) {
        at.problem("a server that has the zone answers NOERROR or NXDOMAIN");
        return None;
    }
    Some(())
}

/// Bounds for how long answers may be kept.
fn ttl(at: &At<'_>) -> Option<Ttl> {
    let fields = at.fields(&["least", "most"])?;
    let seconds = |at: &At<'_>| {
        let bound = at.duration(Duration::ZERO..=LONGEST_TTL)?;
        if bound.subsec_nanos() > 0 {
            return at.expected("whole seconds");
        }
        u32::try_from(bound.as_secs()).ok()
    };
    let least = fields.maybe("least", seconds);
    let most = fields.maybe("most", seconds);
    let (least_s, most_s) = (least?, most?);
    match (least_s, most_s) {
        (None, None) => at.expected("`least`, `most` or both, such as { least: 60s, most: 1h }"),
        (Some(least), Some(most)) if least > most => {
            at.problem("`least` is longer than `most`, so no answer fits");
            None
        }
        _ => Some(Ttl { least_s, most_s }),
    }
}

fn answers(at: &At<'_>, record: Option<RecordType>) -> Option<Vec<String>> {
    let items = at.one_or_many();
    if items.is_empty() || items.len() > MOST_ANSWERS {
        at.problem(format!("1 to {MOST_ANSWERS} records can be expected, these are {}", items.len()));
        return None;
    }
    let answers: Vec<Option<String>> = items.iter().map(|item| answer(item, record)).collect();
    answers.into_iter().collect()
}

/// A record as the probe writes it: an address in its usual form, a name without its last dot, a text.
fn answer(at: &At<'_>, record: Option<RecordType>) -> Option<String> {
    let text = message(at)?;
    match record {
        Some(RecordType::A) => match text.parse::<Ipv4Addr>() {
            Ok(ip) => Some(ip.to_string()),
            Err(_) => at.expected("an IPv4 address, which is what an A record holds"),
        },
        Some(RecordType::Aaaa) => match text.parse::<Ipv6Addr>() {
            Ok(ip) => Some(ip.to_string()),
            Err(_) => at.expected("an IPv6 address, which is what an AAAA record holds"),
        },
        Some(RecordType::Cname | RecordType::Mx | RecordType::Ns | RecordType::Soa) => host::name(at),
        // Of a type that is wrong, which is reported already, nothing more can be said.
        Some(RecordType::Txt) | None => Some(text),
    }
}
