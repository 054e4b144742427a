//! The identity of a span, for telling others which trace a request belongs to (W3C Trace Context).

use opentelemetry::trace::TraceContextExt;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Set by [`crate::telemetry::init`].
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// Whether this process exports spans. Where it does not, what happens often need not make any.
pub fn exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

pub(crate) fn set_exported() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// The trace id and span id under which a span is exported; absent when traces are not exported.
pub fn identity(span: &Span) -> Option<([u8; 16], [u8; 8])> {
    let context = span.context();
    let span = context.span();
    let identity = span.span_context();
    identity.is_valid().then(|| (identity.trace_id().to_bytes(), identity.span_id().to_bytes()))
}
