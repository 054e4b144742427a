//! What the collector orders while the probe runs.

use super::*;
use target::Target;
use wire::{
    assignment::{Confirm, Directive, Purpose},
    sample::{Outcome, Trigger},
};

const HOUR: u32 = 3_600_000_000;

fn triggers(reports: &[Report], trigger: Trigger) -> usize {
    samples(reports).iter().filter(|sample| sample.trigger == trigger).count()
}

#[tokio::test]
async fn a_suspicion_is_confirmed_and_a_proof_is_made() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("home", HOUR, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    let confirm = |runs, purpose| {
        collector.say(&Directive::Confirm(Confirm {
            checks: vec!["home".parse().expect("an id"), "unknown".parse().expect("an id")],
            target: "a".parse().expect("an id"),
            every_us: 100_000,
            runs,
            purpose,
        }));
    };
    confirm(3, Purpose::Suspicion);
    confirm(2, Purpose::Proof);
    let done = |reports: &[Report]| {
        triggers(reports, Trigger::Confirm) >= 3 && triggers(reports, Trigger::Proof) >= 2
    };
    let reports = collector.when(|shown| done(&shown.reports()), |shown| shown.reports()).await;
    probe.stop().await;
    assert_eq!((triggers(&reports, Trigger::Confirm), triggers(&reports, Trigger::Proof)), (3, 2));
    for (trigger, runs) in [(Trigger::Confirm, 1..=3), (Trigger::Proof, 1..=2)] {
        let mut numbers: Vec<u16> =
            samples(&reports).iter().filter(|s| s.trigger == trigger).map(|s| s.attempt).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, runs.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_new_assignment_replaces_the_old_and_a_bad_one_does_not() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("first", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    let has = |id: &'static str| {
        move |shown: &collector::Shown| {
            samples(&shown.reports()).iter().any(|sample| sample.check.as_str() == id)
        }
    };
    collector.when(has("first"), |_| ()).await;
    collector.assign(assignment(vec![check("bad", 100_000, "not a URL")]));
    collector.assign(assignment(vec![check("second", 100_000, &target.url())]));
    collector.when(has("second"), |_| ()).await;
    // A collector that was restored from a backup counts anew.
    let older = Assignment { revision: 0, ..assignment(vec![check("third", 100_000, &target.url())]) };
    collector.assign(older);
    let reports = collector.when(has("third"), |shown| shown.reports()).await;
    probe.stop().await;
    assert!(samples(&reports).iter().all(|sample| sample.check.as_str() != "bad"));
}

#[tokio::test]
async fn running_checks_survive_a_new_assignment() {
    let (target, data) = (Target::start().await, folder());
    target.set(|shown| shown.holds = true);
    let collector = Collector::start(assignment(vec![check("first", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    target.more(2).await;
    collector.assign(assignment(vec![check("second", 100_000, &target.url())]));
    collector.assign(assignment(vec![]));
    target.set(|shown| shown.holds = false);
    let arrived = |shown: &collector::Shown| shown.samples() >= 2;
    let reports = collector.when(arrived, |shown| shown.reports()).await;
    probe.stop().await;
    assert!(samples(&reports)[..2].iter().all(|sample| sample.check.as_str() == "first"));
}

#[tokio::test]
async fn a_check_of_the_future_is_told_and_the_others_are_measured() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("first", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 1, |_| ()).await;
    let checks = vec![check("second", 100_000, &target.url()), check("new", 100_000, "quic://a.example")];
    let mut line = serde_json::to_value(Directive::Assignment(assignment(checks))).expect("JSON");
    line["assignment"]["checks"][1]["kind"] = serde_json::json!({ "quic": { "streams": 3 } });
    collector.say_line(line.to_string());
    let told = |shown: &collector::Shown, id: &str| {
        samples(&shown.reports()).into_iter().rfind(|s| s.check.as_str() == id).cloned()
    };
    let both = |shown: &collector::Shown| told(shown, "second").is_some() && told(shown, "new").is_some();
    let (second, new) = collector.when(both, |shown| (told(shown, "second"), told(shown, "new"))).await;
    probe.stop().await;
    assert_eq!(second.map(|sample| sample.outcome), Some(Outcome::Ok));
    let new = new.expect("told");
    assert_eq!((new.outcome, new.status), (Outcome::Unsupported, None));
    let summary = new.evidence.expect("the reason").summary;
    assert!(summary.contains("does not know checks of kind") && summary.contains("quic"), "{summary}");
}
