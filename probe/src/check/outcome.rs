//! From an attempt to the result of a run.

use super::{Measured, attempt::Attempt, evidence, words};
use std::net::SocketAddr;
use wire::sample::Outcome;

/// An address for people; port 0 stands for none.
pub(super) fn address(address: SocketAddr) -> String {
    if address.port() == 0 { address.ip().to_string() } else { address.to_string() }
}

/// The result of a check that cannot be run here; `why` is a sentence.
pub(super) fn unsupported(why: &str) -> Measured {
    single(Attempt { unsupported: Some(why.to_owned()), ..Attempt::default() }, None)
}

/// The result of a check that is one attempt.
pub(super) fn single(attempt: Attempt, budget_us: Option<u32>) -> Measured {
    let (total_us, longest) = (attempt.total_us(), attempt.longest());
    let Attempt { record, fault, secrets, served_by, hops, addresses, unsupported, mut exchange } = attempt;
    if let Some(exchange) = &mut exchange {
        exchange.redact(&secrets);
    }
    let outcome = match (&unsupported, &fault) {
        (Some(_), _) => Outcome::Unsupported,
        (None, Some(fault)) => Outcome::Fail(fault.class),
        (None, None) => Outcome::Ok,
    };
    let over = budget_us.filter(|budget| outcome == Outcome::Ok && total_us > *budget);
    let slow = || over.map(|budget| words::slow(total_us, budget, longest));
    let summary = unsupported.or_else(|| fault.as_ref().map(|fault| fault.summary.clone())).or_else(slow);
    Measured {
        total_us,
        outcome,
        slow: over.is_some(),
        phases: record.phases,
        address: record.address.map(address),
        status: record.status,
        served_by,
        bytes: record.bytes(),
        certificate_expires: record.certificate_expires,
        connection: record.connection,
        hops,
        addresses,
        resolver: record.resolver,
        evidence: summary.map(|summary| evidence::keep(&summary, None, &record.body, &secrets)),
        steps: Vec::new(),
        trace_id: None,
        trail: exchange.into_iter().collect(),
    }
}
