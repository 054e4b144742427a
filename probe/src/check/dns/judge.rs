//! Is the answer what was expected?

use crate::check::{fault::Fault, words};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData},
};
use std::net::IpAddr;
use wire::{assignment::Dns, sample::FailClass};

/// How many records a sentence lists.
const LISTED_MOST: usize = 5;

/// Compares the response code, then the answers, then the AD flag; the first that does not hold counts.
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
    for wanted in &dns.answers {
        if !answer.answers.iter().any(|record| is(&record.data, wanted)) {
            let wanted = words::line(wanted, 80);
            return Err(Fault::assertion(format!(
                "expected {wanted} for {question}, the server answered {answered} ({code})"
            )));
        }
    }
    if dns.authentic && !answer.metadata.authentic_data {
        let flag = "the AD flag, it is not set: the server does not vouch for DNSSEC";
        return Err(Fault::assertion(format!("expected {flag} ({question}, {code}, {answered})")));
    }
    Ok(())
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

/// A response code by its name (IANA, DNS RCODEs), or `RCODE` and its number.
fn rcode(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::YXDomain => "YXDOMAIN",
        ResponseCode::YXRRSet => "YXRRSET",
        ResponseCode::NXRRSet => "NXRRSET",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        ResponseCode::BADVERS | ResponseCode::BADSIG => "BADVERS",
        other => return format!("RCODE{}", u16::from(other)),
    };
    name.to_owned()
}
