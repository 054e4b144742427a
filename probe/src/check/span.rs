//! A span for each HTTP request, by OpenTelemetry's conventions for HTTP clients, below the run's span.
//!
//! The request carries this span's own id, so the service's spans hang below it. Where traces are not exported there is
//! no span and no cost.

use super::{Trace, evidence, fault::Fault, prepare::Prepared, record::Record, redirect, way::Way};
use http::{HeaderMap, HeaderValue};
use runtime::trace;
use tracing::{Span, field::Empty, info_span};
use wire::sample::FailClass;

const TRACEPARENT: &str = "traceparent";

/// One request's span; nothing where traces are not exported.
pub(super) struct RequestSpan<'a> {
    span: Span,
    /// What no span may show, whatever the request.
    hidden: &'a [String],
    /// Nothing that the target may have written is shown: neither sentences nor addresses that came from it.
    private: bool,
    redirected: bool,
}

/// Methods that may be the name of a span; others would make too many names.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

impl<'a> RequestSpan<'a> {
    /// Begins a span below the current one; `redirects` were followed before.
    pub(super) fn begin(method: &str, redirects: usize, way: &Way<'a>) -> RequestSpan<'a> {
        let Way { hidden, private, .. } = *way;
        let redirected = redirects > 0;
        if !trace::exported() {
            return RequestSpan { span: Span::none(), hidden, private, redirected };
        }
        let method = method.to_ascii_uppercase();
        let known = METHODS.contains(&method.as_str());
        let span = info_span!(
            "http.request",
            otel.name = if known { &method } else { "HTTP" },
            otel.kind = "client",
            otel.status_code = Empty,
            otel.status_description = Empty,
            http.request.resend_count = Empty,
            http.request.method = if known { &method } else { "_OTHER" },
            http.response.status_code = Empty,
            url.full = Empty,
            server.address = Empty,
            server.port = Empty,
            network.protocol.name = "http",
            network.protocol.version = Empty,
            network.peer.address = Empty,
            network.peer.port = Empty,
            error.type = Empty,
            user_agent.synthetic.type = "test",
        );
        if redirected {
            span.record("http.request.resend_count", i64::try_from(redirects).unwrap_or(i64::MAX));
        }
        RequestSpan { span, hidden, private, redirected }
    }

    /// The `traceparent` that names this span; absent where it is not exported.
    pub(super) fn traceparent(&self) -> Option<String> {
        let (trace_id, span_id) = trace::identity(&self.span)?;
        Some(Trace { trace_id, span_id }.parent(0))
    }

    /// Puts this span's id where `old` is: into a request that follows a redirect. A check's own header stays.
    pub(super) fn replace(&self, old: &str, headers: &mut HeaderMap) {
        let ours = headers.get(TRACEPARENT).is_some_and(|value| value == old);
        // Digits and hyphens only.
        if let Some(value) = self.traceparent().and_then(|text| HeaderValue::try_from(text).ok())
            && ours
        {
            headers.insert(TRACEPARENT, value);
        }
    }

    /// Where the request goes: without the query and without the values that evidence leaves out too.
    pub(super) fn prepared(&self, prepared: &Prepared, secrets: &[String]) {
        if self.span.is_none() {
            return;
        }
        // A path may hold values that were captured from an answer before.
        if !self.private {
            self.span.record("url.full", self.clean(&redirect::told(&prepared.url), secrets));
        }
        if self.private && self.redirected {
            return;
        }
        self.span.record("server.address", prepared.to.host.to_string());
        self.span.record("server.port", i64::from(prepared.to.port));
    }

    /// What came of it.
    pub(super) fn end(self, record: &Record, fault: Option<&Fault>, secrets: &[String]) {
        let span = &self.span;
        if span.is_none() {
            return;
        }
        if let Some(address) = record.address {
            span.record("network.peer.address", address.ip().to_string());
            span.record("network.peer.port", i64::from(address.port()));
        }
        if let Some(status) = record.status {
            span.record("http.response.status_code", i64::from(status));
        }
        if let Some(protocol) = &record.connection.protocol {
            span.record("network.protocol.version", protocol.trim_start_matches("HTTP/"));
        }
        let Some(fault) = fault else { return };
        let kind = match (fault.class, record.status) {
            (FailClass::Status, Some(status)) => status.to_string(),
            (class, _) => class.to_string(),
        };
        span.record("error.type", kind);
        span.record("otel.status_code", "ERROR");
        if !self.private {
            span.record("otel.status_description", self.clean(&fault.summary, secrets));
        }
    }
    fn clean(&self, text: &str, secrets: &[String]) -> String {
        evidence::clean(text, &[secrets, self.hidden].concat())
    }
}
