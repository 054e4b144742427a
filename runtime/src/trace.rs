//! The identity of a span, for telling others which trace a request belongs to (W3C Trace Context).

use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The trace id and span id under which a span is exported; absent when traces are not exported.
pub fn identity(span: &Span) -> Option<([u8; 16], [u8; 8])> {
    let context = span.context();
    let span = context.span();
    let identity = span.span_context();
    identity.is_valid().then(|| (identity.trace_id().to_bytes(), identity.span_id().to_bytes()))
}
