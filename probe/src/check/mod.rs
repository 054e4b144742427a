//! Running one check once: the stop watch, the HTTP engine, expectations, journeys.
//!
//! [`run`] never fails; what goes wrong is the result. Read in the order of a run: `template` and
//! `content` fill in a request, `prepare` makes it ready to be sent, `dial` makes the connection, `exchange` speaks HTTP on it while
//! `record` keeps the time, `judge` compares the answer with what was expected, `evidence` keeps what a
//! person needs to see. `attempt` puts these together, `journey` repeats them step by step. The other kinds,
//! each in a module of its name, use the same connection, watch and sentences; `outcome` makes the result.
//!
//! `way` is how the run gets to its endpoint: with which addresses, resolvers and connections. `redirect` makes the next
//! request of an answer that asks for it, `each` measures all addresses of a name, `keep` holds connections between
//! runs.
//!
//! What a run does not do, so that it measures what it says: retry, use a proxy, resume TLS sessions, ask for
//! compression, and, unless the check says so, follow redirects or reuse connections. Everything happens inside the
//! caller's task: no task is spawned, so dropping the future closes the socket.

mod attempt;
#[doc(hidden)]
pub mod bench;
mod certificate;
mod content;
mod crew;
mod dial;
mod dns;
mod each;
mod evidence;
mod exchange;
mod fault;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grpc;
mod handshake;
mod icmp;
mod jar;
mod journey;
mod judge;
mod keep;
mod opening;
mod outcome;
mod prepare;
mod record;
mod redact;
mod redirect;
mod secrets;
mod served;
mod span;
mod starttls;
mod tcp;
mod template;
mod tls;
mod trail;
mod way;
mod websocket;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use keep::Kept;
pub use trail::{Assertion, Exchange};

use crate::net::{Net, Trouble};
use attempt::{Attempt, Limit};
use dial::Destination;
use fault::Fault;
use futures_util::future::join_all;
use outcome::{single, unsupported};
use runtime::random::Random;
use secrets::Filled;
use std::{
    borrow::Cow,
    pin::Pin,
    time::{Duration, Instant},
};
use template::Templates;
use way::Way;
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

/// What a run is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub trace: Trace,
    /// When it starts, by the wall clock.
    pub started: Micros,
    /// Keep what is sent and received, for [`Measured::trail`].
    pub explain: bool,
}

impl Run {
    /// What the run draws belongs to its identity alone, so that it can be made again. Each `stream` is another one.
    fn random(&self, stream: u8) -> Random {
        let mut seed = [stream; 32];
        seed[..16].copy_from_slice(&self.trace.trace_id);
        seed[16..24].copy_from_slice(&self.trace.span_id);
        Random::from_seed(seed)
    }

    /// What separates the parts of the `n`th request's multipart body.
    fn boundary(&self, n: u64) -> String {
        let drawn: [u8; 16] = self.random(1).bytes();
        format!("sextant-{}-{n}", words::hex(&drawn))
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
    /// Where a name did not resolve: whether that was its own fault or that of our servers.
    pub resolver: Trouble,
    /// Present exactly when the run failed, was slow, or is not supported.
    pub evidence: Option<Evidence>,
    pub steps: Vec<StepResult>,
    /// The id sent in `traceparent`; absent when none was sent, or the check sends one of its own.
    pub trace_id: Option<String>,
    /// Each request of an `http` or `journey` check, where [`Run::explain`] is set.
    pub trail: Vec<Exchange>,
}

/// How much of a body is read, bytes. What follows is not waited for, and expectations do not see it: a text
/// that is not in this part counts as missing, and JSON that is longer counts as no JSON. Without expectations
/// on the body, a longer one is no fault.
pub const MAX_BODY: usize = 1024 * 1024;

/// Runs one check against one endpoint now, and cuts it at the check's timeout.
///
/// Never fails and never panics on what the network answers: a failure is an [`Outcome`]. The future can be
/// dropped at any time; the connection closes with it. A check whose secrets this probe does not have is
/// `Unsupported`: that says nothing of the target.
pub async fn run(check: &AssignedCheck, endpoint: &Endpoint, net: &Net, run: &Run) -> Measured {
    let filled = match secrets::fill(check, endpoint, net.secrets()).await {
        Ok(filled) => filled,
        Err(lack) => return unsupported(&lack.to_string()),
    };
    let own = match filled.net(net) {
        Ok(own) => own,
        Err(why) => return unsupported(&why),
    };
    let net = own.as_ref().unwrap_or(net);
    filled.clean(measure(&filled, endpoint, net, run).await)
}

/// Measures; the secrets are filled in, but for requests, whose templates do it.
async fn measure(filled: &Filled<'_>, endpoint: &Endpoint, net: &Net, run: &Run) -> Measured {
    let check = &*filled.check;
    net.kept().sweep(Instant::now());
    let limit = Limit::from_now(Duration::from_micros(check.timeout_us.into()));
    let hidden = filled.revealed();
    let way = Way { hidden: &hidden, ..Way::of(check, endpoint, net, limit) };
    match &check.kind {
        CheckKind::Journey(journey) => {
            return rare(journey::run(check, journey, &filled.values, endpoint, way, run)).await;
        }
        CheckKind::Unknown(kind) => {
            let kind = words::quote(kind);
            return unsupported(&format!("this probe does not know checks of kind {kind}: update it"));
        }
        _ => {}
    }
    let every = if check.reach.all_addresses { destination(check, endpoint) } else { None };
    let attempt = match every {
        Some(to) => match each::starts(to, &way).await {
            Ok((starts, found)) => {
                let one = |start| attempt(filled, endpoint, Way { start: Some(start), ..way }, run);
                let attempts = join_all(starts.iter().map(one)).await;
                each::verdict(&starts, attempts, found)
            }
            Err(attempt) => *attempt,
        },
        None => attempt(filled, endpoint, way, run).await,
    };
    let trace_id =
        (attempt.record.phases.send.is_some() && sends_our_trace(&check.kind)).then(|| run.trace.id());
    Measured { trace_id, ..single(attempt, check.budget_us) }
}

/// Makes a run of any kind but a journey.
async fn attempt(filled: &Filled<'_>, endpoint: &Endpoint, way: Way<'_>, run: &Run) -> Attempt {
    let (check, values, trace) = (&*filled.check, &filled.values, &run.trace);
    let way = &way;
    let url = &endpoint.url;
    let watch = || way.watch();
    match &check.kind {
        CheckKind::Http(request) => {
            // Most requests hold no templates, and setting up the language costs more than all the rest of them.
            let filled = match template::are_in(request) {
                false => Cow::Borrowed(request),
                true => match Templates::new(check, endpoint, run, values).fill(request) {
                    Ok(filled) => Cow::Owned(filled),
                    Err(unfilled) => return attempt::lost(unfilled.fault()),
                },
            };
            let order = attempt::Order {
                check,
                request: &filled,
                base: url,
                target: &endpoint.target,
                jar: None,
                traceparent: trace.parent(0),
                boundary: run.boundary(0),
                limit: way.limit,
                now: run.started,
                explain: run.explain,
            };
            attempt::http(order, way).await
        }
        CheckKind::Tcp(tcp) => {
            let recorder = watch();
            rare(attempt::watched(way.limit, &recorder, tcp::check(tcp, url, way, &recorder))).await
        }
        CheckKind::Tls(tls) => {
            let recorder = watch();
            rare(attempt::watched(way.limit, &recorder, tls::check(tls, url, way, &recorder))).await
        }
        CheckKind::Dns(dns) if dns.authoritative => rare(dns::authority::check(dns, way)).await,
        CheckKind::Dns(dns) => {
            let recorder = watch();
            rare(attempt::watched(way.limit, &recorder, dns::check(dns, url, way, trace, &recorder))).await
        }
        CheckKind::Icmp(icmp) => match rare(icmp::check(icmp, url, way, trace)).await {
            Ok(attempt) => attempt,
            Err(icmp::Unsupported(why)) => Attempt { unsupported: Some(why), ..Attempt::default() },
        },
        CheckKind::Grpc(grpc) => {
            let recorder = watch();
            rare(attempt::watched(way.limit, &recorder, grpc::check(grpc, url, trace, way, &recorder))).await
        }
        CheckKind::WebSocket(socket) => {
            let (prepared, secrets) = match websocket::ready(socket, url, &trace.parent(0)) {
                Ok(ready) => ready,
                Err(fault) => {
                    let secrets = socket.headers.values().cloned().collect();
                    return Attempt { secrets, ..attempt::lost(fault) };
                }
            };
            let recorder = watch();
            // The nonce of RFC 6455 (4.1) only has to be random; the trace id is.
            let work = websocket::check(socket, &prepared, trace.trace_id, way, &recorder);
            Attempt { secrets, ..rare(attempt::watched(way.limit, &recorder, work)).await }
        }
        CheckKind::Journey(_) | CheckKind::Unknown(_) => {
            attempt::lost(Fault::request("a check of this kind is no single request"))
        }
    }
}

/// Where a check goes, when it goes to one place by a connection, and can be made at all.
fn destination(check: &AssignedCheck, endpoint: &Endpoint) -> Option<Destination> {
    let url = &endpoint.url;
    match &check.kind {
        CheckKind::Http(request) => Some(prepare::prepare(request, url, "", |_| None).ok()?.to),
        CheckKind::WebSocket(socket) => Some(websocket::ready(socket, url, "").ok()?.0.to),
        CheckKind::Tls(_) => Destination::or_port(&tcp::parse(url).ok()?, tls::PORT).ok(),
        CheckKind::Tcp(_) | CheckKind::Grpc(_) => Destination::of(&tcp::parse(url).ok()?).ok(),
        CheckKind::Dns(_) | CheckKind::Icmp(_) | CheckKind::Journey(_) | CheckKind::Unknown(_) => None,
    }
}

/// Whether a check's requests carry our `traceparent`, and not one of its own.
fn sends_our_trace(kind: &CheckKind) -> bool {
    let headers = match kind {
        CheckKind::Http(request) => &request.headers,
        CheckKind::WebSocket(socket) => &socket.headers,
        CheckKind::Grpc(_) => return true,
        _ => return false,
    };
    !headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent"))
}

/// Puts the state of a kind that is not HTTP behind a pointer. A run's future is as large as its largest branch, and is
/// allocated, moved and freed as a whole for each run.
fn rare<F: Future>(work: F) -> Pin<Box<F>> {
    Box::pin(work)
}
