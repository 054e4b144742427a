//! From an attempt to the result of a run.

use super::{Measured, attempt::Attempt, evidence, record::Record, words};
use std::net::SocketAddr;
use wire::sample::Outcome;

/// The result of a check that cannot be run here; `why` is a sentence.
pub(super) fn unsupported(why: &str) -> Measured {
    let nothing = Attempt {
        record: Record::default(),
        fault: None,
        secrets: Vec::new(),
        served_by: None,
        exchange: None,
    };
    let evidence = Some(evidence::keep(why, None, b"", &[]));
    Measured { outcome: Outcome::Unsupported, evidence, ..single(nothing, None) }
}

/// An address for people; port 0 stands for none.
fn address(address: SocketAddr) -> String {
    if address.port() == 0 { address.ip().to_string() } else { address.to_string() }
}

/// The result of a check that is one attempt.
pub(super) fn single(attempt: Attempt, budget_us: Option<u32>) -> Measured {
    let Attempt { record, fault, secrets, served_by, mut exchange } = attempt;
    if let Some(exchange) = &mut exchange {
        exchange.redact(&secrets);
    }
    let total_us = record.total_us;
    let over = budget_us.filter(|budget| fault.is_none() && total_us > *budget);
    let slow = || over.map(|budget| words::slow(total_us, budget, record.longest_phase()));
    let summary = fault.as_ref().map(|fault| fault.summary.clone()).or_else(slow);
    Measured {
        total_us,
        outcome: fault.map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
        slow: over.is_some(),
        phases: record.phases,
        address: record.address.map(address),
        status: record.status,
        served_by,
        bytes: record.bytes(),
        certificate_expires: record.certificate_expires,
        connection: record.connection,
        hops: Vec::new(),
        addresses: Vec::new(),
        evidence: summary.map(|summary| evidence::keep(&summary, None, &record.body, &secrets)),
        steps: Vec::new(),
        trace_id: None,
        trail: exchange.into_iter().collect(),
    }
}
