//! Running one check once: the stop watch, the HTTP engine, expectations, journeys.
//!
//! [`run`] never fails; what goes wrong is the result. Read in the order of a run: `prepare` turns
//! configuration into a request, `dial` makes the connection, `exchange` speaks HTTP on it while
//! `record` keeps the time, `judge` compares the answer with what was expected, `evidence` keeps what a
//! person needs to see. `attempt` puts these together, `journey` repeats them step by step. The other kinds,
//! each in a module of its name, use the same connection, watch and sentences; `outcome` makes the result.
//!
//! What a run does not do, so that it measures what it says: follow redirects, reuse connections, retry, use a
//! proxy, resume TLS sessions, ask for compression. Everything happens inside the caller's task: no task is
//! spawned, so dropping the future closes the socket.

mod attempt;
#[doc(hidden)]
pub mod bench;
mod certificate;
mod crew;
mod dial;
mod dns;
mod evidence;
mod exchange;
mod fault;
mod grpc;
mod icmp;
mod jar;
mod journey;
mod judge;
mod outcome;
mod prepare;
mod record;
mod tcp;
mod template;
mod tls;
mod websocket;
mod words;

#[cfg(test)]
mod tests;

use crate::net::Net;
use attempt::{Attempt, Limit};
use outcome::{single, unsupported};
use record::Recorder;
use std::{pin::Pin, time::Duration};
use wire::{
    Micros,
    assignment::{AssignedCheck, CheckKind, Endpoint},
    sample::{AddressResult, Connection, Evidence, Hop, Outcome, Phases, StepResult},
};

/// The identity of a run for trace context (W3C Trace Context). Neither id may be all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    pub trace_id: [u8; 16],
    /// The first request's span; later requests of a journey count on from it.
    pub span_id: [u8; 8],
}

impl Trace {
    /// The trace id as `traceparent` spells it, 32 hexadecimal digits.
    pub fn id(&self) -> String {
        words::hex(&self.trace_id)
    }

    /// The `traceparent` of the `n`th request of a run, counted from 0. Sampled, so that the service keeps it.
    fn parent(&self, n: u64) -> String {
        // Zero means "no span" and is skipped.
        let span = u64::from_be_bytes(self.span_id).wrapping_add(n).max(1);
        format!("00-{}-{span:016x}-01", self.id())
    }
}

/// What a run found: everything in a [`wire::sample::Sample`] that the run itself determines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Microseconds, monotonic. Equals the sum of the phases, but for journeys, whose phases are in the steps.
    pub total_us: u32,
    /// `Ok`, `Fail`, or `Unsupported` where this probe cannot run the check at all.
    pub outcome: Outcome,
    /// True when the run was good and took longer than the check's budget.
    pub slow: bool,
    pub phases: Phases,
    /// The address and port that was connected to, or tried.
    pub address: Option<String>,
    pub status: Option<u16>,
    pub served_by: Option<String>,
    /// Body bytes read, at most [`MAX_BODY`]; of the last request for a journey.
    pub bytes: Option<u32>,
    /// When the certificate that the server showed stops being valid, trusted or not; of the last request for a
    /// journey.
    pub certificate_expires: Option<Micros>,
    /// What is known of the connection; of the last request for a journey.
    pub connection: Connection,
    /// The redirects that were followed.
    pub hops: Vec<Hop>,
    /// One entry for each address, where all are measured.
    pub addresses: Vec<AddressResult>,
    /// Present exactly when the run failed, was slow, or is not supported.
    pub evidence: Option<Evidence>,
    pub steps: Vec<StepResult>,
    /// The id sent in `traceparent`; absent when none was sent, or the check sends one of its own.
    pub trace_id: Option<String>,
}

/// How much of a body is read, bytes. What follows is not waited for, and expectations do not see it: a text
/// that is not in this part counts as missing, and JSON that is longer counts as no JSON. Without expectations
/// on the body, a longer one is no fault.
pub const MAX_BODY: usize = 1024 * 1024;

/// Runs one check against one endpoint now, and cuts it at the check's timeout.
///
/// Never fails and never panics on what the network answers: a failure is an [`Outcome`]. The future can be
/// dropped at any time; the connection closes with it.
pub async fn run(check: &AssignedCheck, endpoint: &Endpoint, net: &Net, trace: &Trace) -> Measured {
    let limit = Limit::from_now(Duration::from_micros(check.timeout_us.into()));
    match &check.kind {
        CheckKind::Http(request) => {
            let order = attempt::Order {
                request,
                base: &endpoint.url,
                region_header: check.region_header.as_deref(),
                jar: None,
                traceparent: trace.parent(0),
                limit,
            };
            let attempt = attempt::http(order, net).await;
            let own = request.headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent"));
            let trace_id = (attempt.record.phases.send.is_some() && !own).then(|| trace.id());
            Measured { trace_id, ..single(attempt, check.budget_us) }
        }
        CheckKind::Tcp(tcp) => {
            let recorder = Recorder::start();
            let work = tcp::check(tcp, &endpoint.url, net, &recorder);
            single(rare(attempt::watched(limit, &recorder, work)).await, check.budget_us)
        }
        CheckKind::Tls(tls) => {
            let recorder = Recorder::start();
            let work = tls::check(tls, &endpoint.url, net, &recorder);
            single(rare(attempt::watched(limit, &recorder, work)).await, check.budget_us)
        }
        CheckKind::Dns(dns) => {
            let recorder = Recorder::start();
            let work = dns::check(dns, &endpoint.url, net, trace, &recorder);
            single(rare(attempt::watched(limit, &recorder, work)).await, check.budget_us)
        }
        CheckKind::Icmp(icmp) => match rare(icmp::check(icmp, &endpoint.url, limit, net, trace)).await {
            Ok(attempt) => single(attempt, check.budget_us),
            Err(icmp::Unsupported(why)) => unsupported(&why),
        },
        CheckKind::Grpc(grpc) => {
            let recorder = Recorder::start();
            let work = grpc::check(grpc, &endpoint.url, trace, net, &recorder);
            let attempt = rare(attempt::watched(limit, &recorder, work)).await;
            let trace_id = attempt.record.phases.send.is_some().then(|| trace.id());
            Measured { trace_id, ..single(attempt, check.budget_us) }
        }
        CheckKind::WebSocket(socket) => {
            let recorder = Recorder::start();
            let (prepared, secrets) = match websocket::ready(socket, &endpoint.url, &trace.parent(0)) {
                Ok(ready) => ready,
                Err(fault) => {
                    let secrets = socket.headers.values().cloned().collect();
                    return single(Attempt { secrets, ..attempt::lost(fault) }, check.budget_us);
                }
            };
            // The nonce of RFC 6455 (4.1) only has to be random; the trace id is.
            let work = websocket::check(socket, &prepared, trace.trace_id, net, &recorder);
            let attempt = Attempt { secrets, ..rare(attempt::watched(limit, &recorder, work)).await };
            let own = socket.headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent"));
            let trace_id = (attempt.record.phases.send.is_some() && !own).then(|| trace.id());
            Measured { trace_id, ..single(attempt, check.budget_us) }
        }
        CheckKind::Journey(journey) => rare(journey::run(check, journey, endpoint, net, trace, limit)).await,
    }
}

/// Puts the state of a kind that is not HTTP behind a pointer. A run's future is as large as its largest branch, and is
/// allocated, moved and freed as a whole for each run.
fn rare<F: Future>(work: F) -> Pin<Box<F>> {
    Box::pin(work)
}
