//! One request from configuration to judgement, within a time limit.

use super::{
    content, evidence, exchange,
    fault::Fault,
    jar::Jar,
    judge::{self, Answer},
    prepare::{Prepared, prepare},
    record::{Record, Recorder},
    served,
    trail::Exchange,
    words,
};
use crate::net::Net;
use std::time::Duration;
use tokio::time::Instant;
use wire::{
    Micros,
    assignment::{AssignedCheck, Request, Target},
    sample::FailClass,
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
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) record: Record,
    pub(super) fault: Option<Fault>,
    /// Values that must not appear in evidence.
    pub(super) secrets: Vec<String>,
    pub(super) served_by: Option<String>,
    /// Where the order asked for it.
    pub(super) exchange: Option<Exchange>,
}

/// Sends a request and judges the answer.
pub(super) async fn http(order: Order<'_>, net: &Net) -> Attempt {
    let Order { check, base, target, mut jar, limit, now, explain, .. } = order;
    let recorder = Recorder::start();
    let mut request = order.request.clone();
    let mut secrets = evidence::written(&request);
    let cookies = |url: &url::Url| jar.as_ref().and_then(|jar| jar.header(url));
    let prepared = content::pack(&mut request, &order.boundary)
        .and_then(|()| prepare(&request, base, &order.traceparent, cookies));
    let prepared: Prepared = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            secrets.extend(request.headers.into_values());
            return Attempt { record: recorder.finish(), secrets, ..lost(fault) };
        }
    };
    secrets.extend(evidence::sent(&prepared));
    let mut exchange = explain.then(|| Exchange::sending(&prepared));
    let (record, fault) = cut(limit, &recorder, exchange::exchange(&prepared, net, &recorder)).await;
    secrets.extend(evidence::received(&record.headers));
    if let Some(jar) = &mut jar {
        jar.keep(&prepared.url, &record.headers);
        secrets.extend(jar.values());
    }
    let served_by = served::by(check, &record);
    // The region's name is no secret, although a cookie may carry it.
    let public = check.places.region_cookie.as_deref().and_then(|name| record.cookie(name));
    secrets.retain(|secret| Some(secret) != public.as_ref());
    let fault = fault.or_else(|| {
        let answer = Answer::new(&record, served_by.as_deref(), target, now);
        let notes = exchange.as_mut().map(|exchange| &mut exchange.assertions);
        judge::judge(&request.expect, &answer, notes).err()
    });
    if let Some(exchange) = &mut exchange {
        exchange.received(&record);
        exchange.served_by.clone_from(&served_by);
        exchange.fault = fault.as_ref().map(|fault| fault.summary.clone());
    }
    Attempt { record, fault, secrets, served_by, exchange }
}

/// Does `work`, which writes down what it learns with `recorder`, until the limit.
pub(super) async fn watched(
    limit: Limit,
    recorder: &Recorder,
    work: impl Future<Output = Result<(), Fault>>,
) -> Attempt {
    let (record, fault) = cut(limit, recorder, work).await;
    Attempt { record, fault, secrets: Vec::new(), served_by: None, exchange: None }
}

/// An attempt that could not even begin.
pub(super) fn lost(fault: Fault) -> Attempt {
    Attempt {
        record: Record::default(),
        fault: Some(fault),
        secrets: Vec::new(),
        served_by: None,
        exchange: None,
    }
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
