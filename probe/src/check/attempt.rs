//! One request from configuration to judgement, within a time limit.

use super::{
    content, evidence, exchange,
    fault::Fault,
    jar::Jar,
    judge::{self, Answer},
    outcome,
    prepare::{Prepared, prepare},
    record::{Record, Recorder},
    redirect::{self, Trail},
    served,
    span::RequestSpan,
    trail::Exchange,
    way::Way,
    words,
};
use std::time::Duration;
use tokio::time::Instant;
use wire::{
    Micros,
    assignment::{AssignedCheck, Request, Target},
    sample::{AddressResult, FailClass, Hop},
};

/// When something must be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) until: Instant,
    /// How long that was from the beginning, for messages.
    pub(super) length: Duration,
}

impl Limit {
    pub(super) fn from_now(length: Duration) -> Limit {
        Limit { until: Instant::now() + length, length }
    }

    /// Whether it is over.
    pub(super) fn over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The length in words.
    pub(super) fn words(&self) -> String {
        words::span(u32::try_from(self.length.as_micros()).unwrap_or(u32::MAX))
    }
}

/// What to do.
pub(super) struct Order<'a> {
    pub(super) check: &'a AssignedCheck,
    /// Templates must have been filled in.
    pub(super) request: &'a Request,
    pub(super) base: &'a str,
    /// What the series points at.
    pub(super) target: &'a Target,
    /// Sends and keeps cookies.
    pub(super) jar: Option<&'a mut Jar>,
    /// What to send where the request has no span of its own.
    pub(super) traceparent: String,
    /// Separates the parts of a multipart body.
    pub(super) boundary: String,
    pub(super) limit: Limit,
    /// The time by which certificates are judged.
    pub(super) now: Micros,
    /// Write down what is sent and received.
    pub(super) explain: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Of the request that was the last.
    pub(super) record: Record,
    pub(super) fault: Option<Fault>,
    /// Values that must not appear in evidence.
    pub(super) secrets: Vec<String>,
    pub(super) served_by: Option<String>,
    /// The requests before, which were answered by redirects.
    pub(super) hops: Vec<Hop>,
    /// Each address of the name, where all were measured.
    pub(super) addresses: Vec<AddressResult>,
    /// Why this probe cannot make it at all; a sentence.
    pub(super) unsupported: Option<String>,
    /// The last request and its answer, where the order asked for it.
    pub(super) exchange: Option<Exchange>,
}

impl Attempt {
    /// The time of all requests, microseconds.
    pub(super) fn total_us(&self) -> u32 {
        self.hops.iter().fold(self.record.total_us, |sum, hop| sum.saturating_add(hop.total_us))
    }

    /// What took the longest: a phase of the last request, or a redirect.
    pub(super) fn longest(&self) -> Option<(String, u32)> {
        let hops = self.hops.iter().enumerate().map(|(n, hop)| (format!("redirect {}", n + 1), hop.total_us));
        hops.chain(self.record.longest_phase()).max_by_key(|(_, us)| *us)
    }
}

/// Sends a request, follows redirects where the check wants that, and judges the answer. Each request is a span of its
/// own where traces are exported.
pub(super) async fn http(order: Order<'_>, way: &Way<'_>) -> Attempt {
    let Order { check, base, target, jar, limit, now, explain, .. } = order;
    let way = &Way { limit, ..*way };
    // Redirects that set cookies count on getting them back.
    let mut own_jar = (way.reach.redirects > 0).then(Jar::default);
    let mut jar = jar.or(own_jar.as_mut());
    let mut recorder = way.watch();
    let mut request = order.request.clone();
    let mut secrets = evidence::written(&request);
    let mut span = RequestSpan::begin(&request.method, 0, way);
    let traceparent = span.traceparent().unwrap_or(order.traceparent);
    let cookies = |url: &url::Url| jar.as_ref().and_then(|jar| jar.header(url));
    let prepared = content::pack(&mut request, &order.boundary)
        .and_then(|()| prepare(&request, base, &traceparent, cookies));
    let mut prepared: Prepared = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            secrets.extend(request.headers.into_values());
            let record = recorder.finish();
            span.end(&record, Some(&fault), &secrets);
            return Attempt { record, secrets, ..lost(fault) };
        }
    };
    secrets.extend(evidence::sent(&prepared));
    let jar_speaks = !request.headers.keys().any(|name| name.eq_ignore_ascii_case("cookie"));
    let mut trail = Trail::new(way.reach.redirects, &prepared, jar_speaks);
    let mut hops = Vec::new();
    let mut exchange = explain.then(|| Exchange::sending(&prepared));
    let (record, fault) = loop {
        span.prepared(&prepared, &secrets);
        let (record, fault) = cut(limit, &recorder, exchange::exchange(&prepared, way, &recorder)).await;
        secrets.extend(evidence::received(&record.headers));
        if let Some(jar) = &mut jar {
            jar.keep(&prepared.url, &record.headers);
            secrets.extend(jar.values());
        }
        if let Some(fault) = fault {
            // Where the server has sent us, what cannot be asked for is its fault.
            let its_fault = !hops.is_empty() && fault.class == FailClass::Request;
            let class = if its_fault { FailClass::Protocol } else { fault.class };
            break (record, Some(Fault { class, ..fault }));
        }
        match trail.next(&prepared, &record, jar.as_deref()) {
            Ok(None) => break (record, None),
            Err(fault) => break (record, Some(fault)),
            Ok(Some(next)) if redirect::betrays(&prepared, &next, way.hidden) => {
                let place = words::quote(&redirect::told(&next.url));
                let why = format!(
                    "redirected to {place}, another origin: what would be sent there holds a secret of the probe"
                );
                break (record, Some(Fault::request(why)));
            }
            Ok(Some(mut next)) => {
                span.end(&record, None, &secrets);
                span = RequestSpan::begin(next.method.as_str(), hops.len() + 1, way);
                span.replace(&traceparent, &mut next.headers);
                recorder = record.stopped.map_or_else(Recorder::start, Recorder::start_at);
                hops.push(hop(&prepared, &record));
                prepared = next;
                exchange = explain.then(|| Exchange::sending(&prepared));
            }
        }
    };
    let served_by = served::by(check, &record);
    // The region's name is no secret, although a cookie may carry it.
    let public = check.places.region_cookie.as_deref().and_then(|name| record.cookie(name));
    secrets.retain(|secret| Some(secret) != public.as_ref());
    let fault = fault.or_else(|| {
        let answer = Answer::new(&record, served_by.as_deref(), target, now);
        let notes = exchange.as_mut().map(|exchange| &mut exchange.assertions);
        judge::judge(&request.expect, &answer, notes).err()
    });
    span.end(&record, fault.as_ref(), &secrets);
    if let Some(exchange) = &mut exchange {
        exchange.received(&record);
        exchange.served_by.clone_from(&served_by);
        exchange.fault = fault.as_ref().map(|fault| fault.summary.clone());
    }
    Attempt { record, fault, secrets, served_by, hops, exchange, ..Attempt::default() }
}

fn hop(request: &Prepared, record: &Record) -> Hop {
    Hop {
        url: redirect::told(&request.url),
        status: record.status.unwrap_or_default(),
        address: record.address.map(outcome::address),
        total_us: record.total_us,
        phases: record.phases,
    }
}

/// Does `work`, which writes down what it learns with `recorder`, until the limit.
pub(super) async fn watched(
    limit: Limit,
    recorder: &Recorder,
    work: impl Future<Output = Result<(), Fault>>,
) -> Attempt {
    let (record, fault) = cut(limit, recorder, work).await;
    Attempt { record, fault, ..Attempt::default() }
}

/// An attempt that could not even begin.
pub(super) fn lost(fault: Fault) -> Attempt {
    Attempt { fault: Some(fault), ..Attempt::default() }
}

/// Does `work` until the limit, and closes the record either way.
async fn cut(
    limit: Limit,
    recorder: &Recorder,
    work: impl Future<Output = Result<(), Fault>>,
) -> (Record, Option<Fault>) {
    let done = tokio::time::timeout_at(limit.until, work).await;
    let record = recorder.finish();
    let fault = match done {
        Ok(done) => done.err(),
        Err(_elapsed) => {
            let usual = if record.status.is_some() { "complete answer" } else { "answer" };
            let what = record.awaited.as_deref().unwrap_or(usual);
            let summary = format!("no {what} within {}, in {}", limit.words(), record.ended_in());
            Some(Fault::new(FailClass::Timeout, summary))
        }
    };
    (record, fault)
}
