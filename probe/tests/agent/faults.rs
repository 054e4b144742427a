//! The collector is away, busy, forgetful or strict, and nothing is lost or counted twice.

use super::*;
use collector::Mood;
use target::Target;
use wire::assignment::{Confirm, Directive, Purpose};

async fn scene() -> (Target, TempDir, Collector) {
    let target = Target::start().await;
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    (target, folder(), collector)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_measured_while_the_collector_is_away_arrives_later() {
    let (target, data, mut collector) = scene().await;
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 3, |_| ()).await;
    collector.die();
    target.more(20).await;
    collector.revive().await;
    let came = target.came();
    collector.when(|shown| shown.samples() > came, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();
    assert_no_gaps(&reports, "home", 100_000);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_second_report() {
    let (target, data, mut collector) = scene().await;
    collector.mood(Mood::Mute);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| !shown.stored.is_empty(), |_| ()).await;
    collector.die();
    collector.mood(Mood::Takes);
    collector.revive().await;
    let came = target.came();
    collector.when(|s| s.duplicates > 0 && s.samples() > came, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();
    assert_no_gaps(&reports, "home", 100_000);
}

#[tokio::test]
async fn a_busy_collector_gets_everything_when_it_has_time() {
    let (target, data, collector) = scene().await;
    collector.mood(Mood::Busy);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.posts >= 3, |_| ()).await;
    collector.mood(Mood::Takes);
    let came = target.came();
    collector.when(|shown| shown.samples() > came, |_| ()).await;
    probe.stop().await;
    let reports = collector.reports();
    assert_no_gaps(&reports, "home", 100_000);
}

#[tokio::test]
async fn a_report_that_is_never_accepted_does_not_block_the_others() {
    let (target, data, collector) = scene().await;
    let checks = vec![check("home", 100_000, &target.url()), check("poison", 3_600_000_000, &target.url())];
    collector.assign(assignment(checks));
    collector.mood(Mood::Busy);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    // Good reports are in front of the bad one and behind it, in one batch.
    collector.when(|shown| shown.offered >= 2, |_| ()).await;
    collector.say(&Directive::Confirm(Confirm {
        checks: vec!["poison".parse().expect("an id")],
        target: "a".parse().expect("an id"),
        every_us: 1_000_000,
        runs: 1,
        purpose: Purpose::Suspicion,
    }));
    let offered = collector.when(|shown| shown.offered >= 2, |shown| shown.offered).await;
    collector.when(|shown| shown.offered >= offered + 4, |_| ()).await;
    collector.mood(Mood::Strict);
    let (reports, lost) = collector
        .when(|shown| shown.lost > 0 && shown.samples() > 20, |shown| (shown.reports(), shown.lost))
        .await;
    probe.stop().await;
    assert!(samples(&reports).iter().all(|sample| sample.check.as_str() == "home"));
    // One report is lost, and the collector knows how much was in it.
    let gaps: Vec<i64> =
        reports.windows(2).map(|p| p[1].sequence - p[0].sequence).filter(|gap| *gap > 1).collect();
    assert_eq!(gaps, [2]);
    assert!((1..20).contains(&lost), "{lost} samples");
}

#[tokio::test]
async fn the_next_collector_is_tried_when_one_is_dead() {
    let (_target, data, collector) = scene().await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let probe = Probe::start(settings(data.path(), &[&format!("http://{dead}"), &collector.url()]));
    collector.when(|shown| shown.samples() >= 3, |_| ()).await;
    probe.stop().await;
}

#[tokio::test]
async fn a_refusal_after_the_first_contact_stops_no_measuring() {
    let (target, data, collector) = scene().await;
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    let posts = collector.when(|shown| shown.samples() >= 1, |shown| shown.posts).await;
    collector.mood(Mood::Refuses);
    collector.when(|shown| shown.posts > posts, |_| ()).await;
    target.more(5).await;
    probe.stop().await;
}

#[tokio::test]
async fn what_waited_is_packed_and_a_collector_of_before_gets_it_as_it_is() {
    for dated in [false, true] {
        let (target, data, collector) = scene().await;
        if dated {
            collector.dated();
        }
        collector.mood(Mood::Busy);
        let probe = Probe::start(settings(data.path(), &[&collector.url()]));
        target.more(10).await;
        collector.mood(Mood::Takes);
        let came = target.came();
        let packed = collector.when(|shown| shown.samples() > came, |shown| shown.packed).await;
        probe.stop().await;
        assert!(packed > 0, "a batch of ten samples is worth packing");
        let reports = collector.reports();
        assert_no_gaps(&reports, "home", 100_000);
    }
}
