//! Is the answer what was expected?

use super::record_type;
use crate::{
    check::{fault::Fault, words},
    net::resolve::question::{name, rcode},
};
use hickory_proto::{
    op::Message,
    rr::{Name, RData, Record},
};
use std::net::IpAddr;
use wire::{
    assignment::{Dns, Ttl},
    sample::FailClass,
};

/// The response code with which there are records.
const FOUND: &str = "NOERROR";
/// How many aliases are followed.
const ALIASES_MOST: usize = 16;
/// How many records a sentence lists.
const LISTED_MOST: usize = 5;

/// Compares the response code, then the answers, then how long they may be kept, then the AD flag; the first that does not hold counts.
///
/// # Errors
/// [`FailClass::Status`] for another response code, else [`FailClass::Assertion`].
pub(super) fn judge(dns: &Dns, answer: &Message) -> Result<(), Fault> {
    let code = rcode(answer.metadata.response_code);
    let question = format!("{:?} {}", dns.record, words::line(&dns.name, 60)).to_ascii_lowercase();
    let answered = list(answer);
    if !code.eq_ignore_ascii_case(dns.rcode.trim()) {
        let wanted = words::line(&dns.rcode, 20);
        let summary = format!("expected {wanted} for {question}, the server answered {code} with {answered}");
        return Err(Fault::new(FailClass::Status, summary));
    }
    let records = relevant(dns, answer);
    if dns.answers.is_empty()
        && code == FOUND
        && !records.iter().any(|record| record.record_type() == record_type(dns.record))
    {
        return Err(Fault::assertion(format!(
            "expected a record of the type that was asked for ({question}), the server answered {answered} ({code})"
        )));
    }
    for wanted in &dns.answers {
        if !records.iter().any(|record| is(&record.data, wanted)) {
            let wanted = words::line(wanted, 80);
            return Err(Fault::assertion(format!(
                "expected {wanted} for {question}, the server answered {answered} ({code})"
            )));
        }
    }
    if let Some(ttl) = dns.ttl {
        bounded(ttl, &question, answer)?;
    }
    if dns.authentic && !answer.metadata.authentic_data {
        let flag = "the AD flag, it is not set: the server does not vouch for DNSSEC";
        return Err(Fault::assertion(format!("expected {flag} ({question}, {code}, {answered})")));
    }
    Ok(())
}

/// The records that answer the question: those of the name, and of the names that it is an alias of.
fn relevant<'m>(dns: &Dns, answer: &'m Message) -> Vec<&'m Record> {
    let Ok(mut owner) = name(&dns.name) else { return Vec::new() };
    let mut found: Vec<&Record> = Vec::new();
    for _ in 0..ALIASES_MOST {
        let own = answer.answers.iter().filter(|record| record.name == owner);
        let mut alias = None;
        for record in own {
            if let RData::CNAME(to) = &record.data {
                alias = Some(to.0.clone());
            }
            found.push(record);
        }
        match alias {
            Some(next) if next != owner => owner = next,
            _ => break,
        }
    }
    found
}

/// Whether every record may be kept for as long as it should.
fn bounded(ttl: Ttl, question: &str, answer: &Message) -> Result<(), Fault> {
    for record in &answer.answers {
        let seen = record.ttl;
        let (least, most) = (ttl.least_s.unwrap_or(0), ttl.most_s.unwrap_or(u32::MAX));
        let wanted = match (seen < least, seen > most) {
            (true, _) => format!("at least {least} s"),
            (_, true) => format!("at most {most} s"),
            _ => continue,
        };
        let record = words::line(&text(&record.data), 60);
        let summary = format!("expected a time to live of {wanted} for {question}, {record} has {seen} s");
        return Err(Fault::assertion(summary));
    }
    Ok(())
}

/// What a server says as a whole, in an order that does not depend on the server.
pub(super) fn said(answer: &Message) -> String {
    let mut texts: Vec<String> = answer.answers.iter().map(|record| text(&record.data)).collect();
    texts.sort_unstable();
    let code = rcode(answer.metadata.response_code);
    if texts.is_empty() { code } else { texts.join(", ") }
}

/// What was answered, for a sentence.
fn list(answer: &Message) -> String {
    let all = &answer.answers;
    if all.is_empty() {
        return "no records".to_owned();
    }
    let mut listed: Vec<String> =
        all.iter().take(LISTED_MOST).map(|record| words::line(&text(&record.data), 60)).collect();
    if all.len() > LISTED_MOST {
        listed.push(format!("{} more", all.len() - LISTED_MOST));
    }
    listed.join(", ")
}

/// Whether a record is the one that is wanted: by its whole text, or by the name that it leads to.
fn is(data: &RData, wanted: &str) -> bool {
    let named = |name: &Name| plain(name).eq_ignore_ascii_case(wanted.trim_end_matches('.'));
    match data {
        RData::A(address) => wanted.parse() == Ok(IpAddr::from(address.0)),
        RData::AAAA(address) => wanted.parse() == Ok(IpAddr::from(address.0)),
        RData::CNAME(name) => named(name),
        RData::NS(name) => named(name),
        RData::MX(mx) => named(&mx.exchange) || text(data).eq_ignore_ascii_case(wanted.trim_end_matches('.')),
        RData::SOA(soa) => named(&soa.mname) || text(data).eq_ignore_ascii_case(wanted),
        _ => text(data) == wanted,
    }
}

/// A record's data as text, names without their last dot.
fn text(data: &RData) -> String {
    match data {
        RData::CNAME(name) => plain(name),
        RData::NS(name) => plain(name),
        RData::MX(mx) => format!("{} {}", mx.preference, plain(&mx.exchange)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            plain(&soa.mname),
            plain(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::TXT(text) => text.to_string(),
        other => format!("a record of type {}", other.record_type()),
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
