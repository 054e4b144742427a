//! Exports every trace that failed, and a share of the others.
//!
//! Whether a run fails is known at its end, so the usual sampling at the start would drop failed runs as often as good
//! ones. Here the spans of a trace that is not in the share wait until its first span ends: then they are exported if
//! that one has the status *error*, and dropped otherwise.

use crate::lock::lock;
use opentelemetry::{
    Context,
    trace::{SpanId, Status, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use std::{collections::HashMap, sync::Mutex, time::Duration};

/// The most spans that wait. They wait for as long as a run takes; when there are more, all are dropped.
const WAITING_MOST: usize = 10_000;

/// Decides which spans go on to the processor behind it.
#[derive(Debug)]
pub struct Keep<P> {
    next: P,
    /// The share of good traces that is exported, 0 to 1.
    share: f64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    traces: HashMap<TraceId, Vec<SpanData>>,
    spans: usize,
}

impl<P> Keep<P> {
    /// Exports failed traces and this share of the others by `next`.
    pub fn new(next: P, share: f64) -> Keep<P> {
        Keep { next, share, waiting: Mutex::default() }
    }

    /// Trace ids are random, so each says by itself whether it is in the share.
    fn is_in_share(&self, trace: TraceId) -> bool {
        let bytes = trace.to_bytes();
        let last = bytes[9..].iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        (last as f64) < self.share * (1_u64 << 56) as f64
    }
}

impl<P: SpanProcessor> SpanProcessor for Keep<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let trace = span.span_context.trace_id();
        if self.is_in_share(trace) {
            return self.next.on_end(span);
        }
        let is_first = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        let mut waiting = lock(&self.waiting);
        if !is_first {
            if waiting.spans >= WAITING_MOST {
                *waiting = Waiting::default();
            }
            waiting.spans += 1;
            waiting.traces.entry(trace).or_default().push(span);
            return;
        }
        let below = waiting.traces.remove(&trace).unwrap_or_default();
        waiting.spans -= below.len();
        drop(waiting);
        if matches!(span.status, Status::Error { .. }) {
            below.into_iter().for_each(|span| self.next.on_end(span));
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use std::sync::Arc;

    /// Keeps the names of what would be exported.
    #[derive(Debug, Clone, Default)]
    struct Names(Arc<Mutex<Vec<String>>>);

    impl SpanProcessor for Names {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, span: SpanData) {
            lock(&self.0).push(span.name.into_owned());
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    /// The names of the spans that are exported of `runs` with a request each, of which every tenth fails.
    fn exported(share: f64, runs: usize) -> Vec<String> {
        let names = Names::default();
        let provider =
            SdkTracerProvider::builder().with_span_processor(Keep::new(names.clone(), share)).build();
        let tracer = provider.tracer("test");
        for run in 0..runs {
            let failed = run % 10 == 0;
            let name = |what: &str| format!("{what} {}", if failed { "bad" } else { "good" });
            let above = Context::new().with_span(tracer.start_with_context(name("run"), &Context::new()));
            tracer.start_with_context(name("request"), &above).end();
            if failed {
                above.span().set_status(Status::error("it failed"));
            }
            above.span().end();
        }
        lock(&names.0).clone()
    }

    fn count(names: &[String], name: &str) -> usize {
        names.iter().filter(|is| *is == name).count()
    }

    #[test]
    fn failed_traces_are_exported_whatever_the_share() {
        let names = exported(0.0, 100);
        assert_eq!(names.len(), 20);
        assert_eq!((count(&names, "run bad"), count(&names, "request bad")), (10, 10));
        assert_eq!(exported(1.0, 100).len(), 200);
    }

    #[test]
    fn of_the_others_a_share_is_exported_and_each_as_a_whole() {
        let names = exported(0.25, 2_000);
        let good = count(&names, "run good");
        // 1800 with a chance of a quarter: 450 with a standard deviation of 18.
        assert!((300..600).contains(&good), "{good}");
        assert_eq!(count(&names, "request good"), good);
        assert_eq!(count(&names, "run bad"), 200);
    }
}
