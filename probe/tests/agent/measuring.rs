//! All is well: what is assigned is measured and arrives.

use super::*;
use axum::http::StatusCode;
use target::Target;
use wire::sample::{FailClass, Outcome, Trigger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_assigned_is_measured_and_arrives() {
    let (target, data) = (Target::start().await, folder());
    let checks = vec![check("home", 100_000, &target.url()), check("cart", 150_000, &target.url())];
    let collector = Collector::start(assignment(checks));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 30, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();

    assert_no_gaps(&reports, "home", 100_000);
    assert_no_gaps(&reports, "cart", 150_000);
    for sample in samples(&reports) {
        assert_eq!((sample.outcome, sample.trigger), (Outcome::Ok, Trigger::Schedule));
        assert!(sample.started >= sample.scheduled, "before its time: {sample:?}");
        assert_eq!(sample.status, Some(200));
        assert_eq!(sample.trace_id.as_ref().map(String::len), Some(32));
    }
}

#[tokio::test]
async fn a_failure_is_reported_with_its_evidence() {
    let (target, data) = (Target::start().await, folder());
    target.set(|shown| shown.status = StatusCode::INTERNAL_SERVER_ERROR);
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 1, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();
    let sample = &reports[0].samples[0];
    assert_eq!((sample.outcome, sample.status), (Outcome::Fail(FailClass::Status), Some(500)));
    assert!(sample.evidence.is_some());
}

#[tokio::test]
async fn a_slow_target_delays_no_run() {
    let (target, data) = (Target::start().await, folder());
    target.set(|shown| shown.holds = true);
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    // None of these has been answered when the last one comes.
    target.more(10).await;
    target.set(|shown| shown.holds = false);
    collector.when(|shown| shown.samples() >= 10, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();
    assert_no_gaps(&reports, "home", 100_000);
}
