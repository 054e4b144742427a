//! Every address of a name: one lookup, then each address as an attempt of its own, all at the same time.

use super::{
    attempt::Attempt,
    dial::{self, Destination},
    evidence,
    fault::Fault,
    outcome,
    record::Recorder,
    way::{Start, Way},
};
use std::net::SocketAddr;
use wire::sample::{AddressResult, Outcome};

/// The most addresses of one run.
const ADDRESSES_MOST: usize = 16;

/// The addresses of a name, each with a watch that has measured the lookup, and how many there are in all.
///
/// # Errors
/// The attempt that the lookup was, when there is no address.
pub(super) async fn starts(to: Destination, way: &Way<'_>) -> Result<(Vec<Start>, usize), Box<Attempt>> {
    let watch = Recorder::start();
    let mut addresses = match dial::addresses(&to, way, true, &watch).await {
        Ok(addresses) => addresses,
        Err(fault) => {
            let record = watch.finish();
            return Err(Box::new(Attempt { record, fault: Some(fault), ..Attempt::default() }));
        }
    };
    // Servers turn their answers round and round; the same addresses come first every time.
    addresses.sort_unstable();
    let found = addresses.len();
    addresses.truncate(ADDRESSES_MOST);
    let start = |address| Start { to: to.clone(), address, watch: watch.fork() };
    Ok((addresses.into_iter().map(start).collect(), found))
}

/// What comes of all of them: the attempt that decides, the first that failed or else the slowest, with the results of
/// each.
pub(super) fn verdict(starts: &[Start], attempts: Vec<Attempt>, found: usize) -> Attempt {
    let results = starts.iter().zip(&attempts).map(|(start, attempt)| result(start.address, attempt));
    let results = results.collect();
    decide(attempts, results, found)
}

fn result(address: SocketAddr, attempt: &Attempt) -> AddressResult {
    let fault = attempt.fault.as_ref();
    AddressResult {
        address: outcome::address(address),
        outcome: fault.map_or(Outcome::Ok, |fault| Outcome::Fail(fault.class)),
        total_us: attempt.total_us(),
        phases: attempt.record.phases,
        status: attempt.record.status,
        summary: fault.map(|fault| evidence::keep(&fault.summary, None, b"", &attempt.secrets).summary),
    }
}

fn decide(attempts: Vec<Attempt>, addresses: Vec<AddressResult>, found: usize) -> Attempt {
    let measured = attempts.len();
    let failed = attempts.iter().filter(|attempt| attempt.fault.is_some()).count();
    let which = (attempts.iter().position(|attempt| attempt.fault.is_some()))
        .or_else(|| (0..measured).max_by_key(|index| attempts[*index].total_us()));
    let Some(mut decisive) = which.and_then(|index| attempts.into_iter().nth(index)) else {
        return super::attempt::lost(Fault::request("the name has no address"));
    };
    let of = match measured {
        1 => "its only address failed".to_owned(),
        _ => format!("{failed} of {measured} addresses failed"),
    };
    let more = if found > measured { format!(" ({found} found)") } else { String::new() };
    let name = addresses.iter().find(|result| result.outcome.is_fail()).map(|result| result.address.clone());
    decisive.fault = decisive.fault.map(|fault| {
        let name = name.unwrap_or_default();
        Fault::new(fault.class, format!("{of}{more}: {name}: {}", fault.summary))
    });
    Attempt { addresses, ..decisive }
}
