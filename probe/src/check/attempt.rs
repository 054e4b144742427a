//! One request from configuration to judgement, within a time limit.

use super::{
    evidence, exchange,
    fault::Fault,
    jar::Jar,
    judge,
    prepare::{Prepared, prepare},
    record::{Record, Recorder},
    span::RequestSpan,
    words,
};
use crate::net::Net;
use std::time::Duration;
use tokio::time::Instant;
use wire::{assignment::Request, sample::FailClass};

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

    /// The length in words.
    pub(super) fn words(&self) -> String {
        words::span(u32::try_from(self.length.as_micros()).unwrap_or(u32::MAX))
    }
}

/// What to do.
pub(super) struct Order<'a> {
    /// Templates must have been filled in.
    pub(super) request: &'a Request,
    pub(super) base: &'a str,
    pub(super) region_header: Option<&'a str>,
    /// Sends and keeps cookies.
    pub(super) jar: Option<&'a mut Jar>,
    /// What to send where the request has no span of its own.
    pub(super) traceparent: String,
    pub(super) limit: Limit,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) record: Record,
    pub(super) fault: Option<Fault>,
    /// Values that must not appear in evidence.
    pub(super) secrets: Vec<String>,
    pub(super) served_by: Option<String>,
}

/// Sends a request and judges the answer, in a span of its own where traces are exported.
pub(super) async fn http(order: Order<'_>, net: &Net) -> Attempt {
    let span = RequestSpan::begin(order.request);
    let attempt = request(order, net, &span).await;
    span.end(&attempt);
    attempt
}

async fn request(order: Order<'_>, net: &Net, span: &RequestSpan) -> Attempt {
    let Order { request, base, region_header, mut jar, traceparent, limit } = order;
    let traceparent = span.traceparent().unwrap_or(traceparent);
    let recorder = Recorder::start();
    let prepared = prepare(request, base, &traceparent, |url| jar.as_ref().and_then(|jar| jar.header(url)));
    let prepared: Prepared = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            let secrets = request.headers.values().cloned().collect();
            return Attempt { record: recorder.finish(), fault: Some(fault), secrets, served_by: None };
        }
    };
    let mut secrets = evidence::secrets(&prepared);
    span.prepared(&prepared, &secrets);
    let (record, fault) = cut(limit, &recorder, exchange::exchange(&prepared, net, &recorder)).await;
    if let Some(jar) = &mut jar {
        jar.keep(&prepared.url, &record.headers);
        secrets.extend(jar.values());
    }
    let fault = fault.or_else(|| judge::judge(&request.expect, &record).err());
    let served_by = record.served_by(region_header);
    Attempt { record, fault, secrets, served_by }
}

/// Does `work`, which writes down what it learns with `recorder`, until the limit.
pub(super) async fn watched(
    limit: Limit,
    recorder: &Recorder,
    work: impl Future<Output = Result<(), Fault>>,
) -> Attempt {
    let (record, fault) = cut(limit, recorder, work).await;
    Attempt { record, fault, secrets: Vec::new(), served_by: None }
}

/// An attempt that could not even begin.
pub(super) fn lost(fault: Fault) -> Attempt {
    Attempt { record: Record::default(), fault: Some(fault), secrets: Vec::new(), served_by: None }
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
