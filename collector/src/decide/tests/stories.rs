//! One story each: what happens, what the core does, and within which time.

use super::world::{CONFIG, SECOND, World, id, shop};
use crate::decide::{Core, Event, Told, state::Seen, verdict, vote};
use std::sync::Arc;
use wire::{
    plan::Cause,
    sample::Flag,
    view::{ProofState, TimelineKind, VerdictState, Vote},
};

fn calm() -> World {
    let mut world = World::new();
    world.play(15);
    assert_eq!(world.weights(), [100, 100, 100]);
    world
}

fn proof(world: &World) -> ProofState {
    world.core.state.services[&shop()].plan.as_ref().expect("a plan").proof.state
}

#[test]
fn the_first_plan_waits_for_evidence_on_every_region_and_is_proved() {
    let mut world = World::new();
    world.silent.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    world.play(30);
    assert!(world.plans.is_empty());
    world.silent.clear();
    world.play(15);
    assert_eq!(world.plan().cause, Cause::Configured);
    assert_eq!(proof(&world), ProofState::Verified);
}

#[test]
fn an_outage_is_found_moved_proved_and_given_back() {
    let mut world = calm();
    world.break_all("r2");
    let found = world.play_until(12, |w| w.verdict("r2") == VerdictState::Down);
    assert!((6..=9).contains(&found), "{found}");
    assert_eq!(world.weights(), [100, 0, 100]);
    assert_eq!(world.plan().cause, Cause::Evacuate(id("r2")));
    // Five public requests a second, forty needed.
    assert!(world.play_until(15, |w| proof(w) == ProofState::Verified) <= 9);

    world.play(20);
    world.heal();
    world.play_until(5, |w| w.verdict("r2") == VerdictState::Healthy);
    let since = world.plans.len();
    world.play_until(120, |w| w.weights() == [100, 100, 100]);
    world.play_until(20, |w| proof(w) == ProofState::Verified);
    let ramp: Vec<u8> = world.plans[since..].iter().map(|plan| plan.weights[&id("r2")]).collect();
    assert_eq!(ramp, [10, 50, 100]);
    let generations: Vec<i64> = world.plans.iter().map(|plan| plan.generation).collect();
    assert_eq!(generations, [1, 2, 3, 4, 5]);
    assert!(world.core.state.services[&shop()].regions[&id("r2")].evacuation.is_none());
}

#[test]
fn a_blip_of_any_length_below_the_hold_moves_nothing() {
    for seconds in 1..=5 {
        let mut world = calm();
        world.break_all("r1");
        world.play(seconds);
        world.heal();
        world.play(60);
        assert_eq!(world.plans.len(), 1, "{seconds} s");
        let told: Vec<_> = world.noted(TimelineKind::Suspicion).iter().map(|n| n.title.clone()).collect();
        assert_eq!(told.len(), 2, "opened and closed: {told:?}");
    }
}

#[test]
fn silence_is_never_a_vote() {
    let mut world = calm();
    world.silent.extend(["p1", "p2", "p3", "p4"].map(String::from));
    world.broken.insert(("p5".into(), "r1".into()));
    world.play(120);
    assert_eq!(world.plans.len(), 1);
    assert_eq!(world.verdict("r1"), VerdictState::Unknown);
    assert_eq!(world.noted(TimelineKind::Probe).len(), 4);
}

#[test]
fn a_flagged_failure_is_never_a_vote() {
    let mut world = calm();
    world.flags.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    world.break_all("r2");
    world.play(30);
    assert_eq!(world.plans.len(), 1, "nobody who says that he is blind may move users");
    assert!(world.noted(TimelineKind::Suspicion).is_empty());
    assert_eq!(world.verdict("r2"), VerdictState::Unknown, "and nothing good is known either");
    let head = &world.core.state.probes[&"p1".parse().expect("an id")];
    assert_eq!(head.flags(world.now), [Flag::Blind]);
    assert_eq!(head.flags(world.now.plus_us(60 * SECOND)), []);
    // Whoever sees decides, as soon as enough do.
    for probe in ["p1", "p2", "p3"] {
        world.flags.remove(probe);
    }
    world.play_until(12, |w| w.verdict("r2") == VerdictState::Down);
}

#[test]
fn a_minority_that_fails_moves_nothing_and_is_located() {
    let mut world = calm();
    world.broken.insert(("p4".into(), "r1".into()));
    world.play(60);
    assert_eq!(world.plans.len(), 1);
    let located = &world.core.state.services[&shop()].regions[&id("r1")].verdict.located;
    assert_eq!(located, "the path from p4 to r1");
}

#[test]
fn a_vantage_that_fails_everywhere_is_excluded() {
    let mut world = calm();
    for region in ["r1", "r2", "r3"] {
        world.broken.insert(("p4".into(), region.into()));
    }
    world.play(30);
    let config = world.core.config.clone();
    let scene =
        vote::Scene { config: &config, id: &shop(), service: &config.services[&shop()], now: world.now };
    let ballots = vote::ballots(&scene, &world.core.state, &id("r1"));
    let of_p4 = ballots.iter().find(|b| b.probe.as_str() == "p4").expect("it was asked");
    assert_eq!(of_p4.vote, Vote::Excluded);
    assert_eq!(world.plans.len(), 1);
    assert_eq!(verdict::tally(&ballots).eligible, 4);
}

#[test]
fn a_fault_in_all_regions_is_not_chased() {
    let mut world = calm();
    for region in ["r1", "r2", "r3"] {
        world.break_all(region);
    }
    world.play(60);
    assert_eq!(world.plans.len(), 1);
}

#[test]
fn a_second_outage_is_held_and_said_once() {
    let mut world = calm();
    world.break_all("r1");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(10);
    // Two of three regions failing everywhere would look like the vantages' own fault, so only most of them fail.
    for probe in ["p1", "p2", "p3"] {
        world.broken.insert((probe.into(), "r2".into()));
    }
    world.play(60);
    assert_eq!(world.plans.len(), 2, "{:?}", world.plan());
    assert!(world.weights().iter().filter(|w| **w > 0).count() == 2);
}

#[test]
fn slow_is_degraded_and_moves_nothing() {
    let mut world = calm();
    world.slow.insert("r3".into());
    world.play_until(20, |w| w.verdict("r3") == VerdictState::Degraded);
    world.play(30);
    assert_eq!(world.plans.len(), 1);
    world.heal();
    world.play_until(10, |w| w.verdict("r3") == VerdictState::Healthy);
}

#[test]
fn a_receiver_that_says_yes_and_does_nothing_is_found_out() {
    let mut world = calm();
    world.follows = false;
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(70);
    assert_eq!(proof(&world), ProofState::Unverified);
    let noted = world.noted(TimelineKind::Proof);
    assert_eq!(noted.last().map(|n| n.title.as_str()), Some("Traffic does not follow"));
    // It comes to its senses, and is told the same plan again.
    world.follows = true;
    world.play_until(120, |w| proof(w) == ProofState::Verified);
    assert_eq!(world.plans.len(), 2);
}

#[test]
fn no_step_back_without_an_acknowledgement() {
    let mut world = calm();
    world.acknowledges = false;
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(20);
    world.heal();
    world.play(120);
    assert_eq!(world.plans.len(), 2);
    world.acknowledges = true;
    let plan = world.plan().clone();
    world.acknowledge(&plan);
    world.play_until(120, |w| w.weights() == [100, 100, 100]);
}

#[test]
fn a_relapse_during_the_return_empties_the_region_and_doubles_the_wait() {
    let mut world = calm();
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(10);
    world.heal();
    world.play_until(60, |w| w.weights() == [100, 10, 100]);
    world.break_all("r2");
    world.play_until(15, |w| w.weights() == [100, 0, 100]);
    world.play(10);
    world.heal();
    let waited = world.play_until(120, |w| w.weights()[1] > 0);
    assert!(waited >= 20, "{waited}");
}

#[test]
fn observing_plans_nothing_and_says_what_it_would_do() {
    let document = CONFIG.replace("steering:", "steering:\n  automation: observe");
    let mut world = World::with(&document);
    world.play(15);
    world.break_all("r2");
    world.play(30);
    assert!(world.plans.is_empty());
    let held = world.noted(TimelineKind::Held);
    assert_eq!(held.last().map(|n| n.title.as_str()), Some("Not done: shop leaves r2"));
}

#[test]
fn a_clock_that_was_wrong_before_a_restart_does_not_freeze_the_collector() {
    let mut world = calm();
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(10);
    // The collector stops; its clock had been an hour ahead and is set right; it starts again.
    world.now = world.now.plus_us(-3_600 * SECOND);
    world.core.state.fit(world.now);
    world.heal();
    world.play_until(120, |w| w.weights() == [100, 100, 100]);
}

#[test]
fn news_of_an_older_plan_changes_nothing() {
    let mut world = calm();
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    let before = world.core.state.clone();
    world.apply(Event::Told {
        service: shop(),
        term: 7,
        generation: 1,
        receiver: "edge".parse().expect("an id"),
        told: Told::Refused { why: "late".into() },
        at: world.now,
    });
    assert_eq!(world.core.state.services, before.services);
}

#[test]
fn late_samples_do_not_rejuvenate_evidence() {
    let mut world = calm();
    let old = world.core.state.series.clone();
    let head = &old[&"health".parse().expect("an id")][&"p1".parse().expect("an id")];
    let newest = head.values().map(|head| head.sent).max().expect("a head");
    assert!(world.now.since(newest) <= 2 * SECOND);
    let seen: Vec<&Seen> = world.core.state.services[&shop()].public.iter().collect();
    assert!(seen.is_sorted_by_key(|seen| seen.sent));
    world.silent.insert("p1".into());
    world.play(20);
    let state =
        vote::probe_state(&world.core.config, &world.core.state, &"p1".parse().expect("an id"), world.now);
    assert_eq!(state, wire::view::ProbeState::Silent);
}

#[test]
fn a_journey_that_fails_in_a_broken_region_does_not_blame_where_it_began() {
    let document = CONFIG.replace(
        "receivers:\n  edge:",
        "  follows:\n    service: shop\n    impact: degraded\n    interval: 2s\n    timeout: 2s\n    journey:\n      \
         steps:\n        - { name: there, in: other, get: / }\nreceivers:\n  edge:",
    );
    let mut world = World::with(&document);
    world.journeys = true;
    world.play(15);
    world.break_all("r2");
    world.play(40);
    assert_eq!(world.verdict("r2"), VerdictState::Down);
    assert_eq!(world.verdict("r1"), VerdictState::Healthy, "its journeys fail in r2, not in r1");
    world.heal();
    world.play(60);
    // Now r2 answers, but what was written in r1 does not arrive there: that is r1's users' loss.
    world.journeys_fail = true;
    world.play_until(20, |w| w.verdict("r1") == VerdictState::Degraded);
}

#[test]
fn users_who_never_left_need_no_steps_to_return() {
    let mut world = calm();
    world.follows = false;
    world.break_all("r2");
    world.play_until(12, |w| w.plans.len() == 2);
    world.play(10);
    world.heal();
    world.play_until(120, |w| w.weights() == [100, 100, 100]);
    assert_eq!(world.plans.len(), 3, "from nothing to everything, because nothing had moved");
    world.play_until(60, |w| proof(w) == ProofState::Verified);
}

#[test]
fn two_broken_regions_are_not_the_vantages_fault() {
    let mut world = calm();
    world.break_all("r1");
    world.break_all("r2");
    world.play(40);
    assert_eq!((world.verdict("r1"), world.verdict("r2")), (VerdictState::Down, VerdictState::Down));
    assert!(world.noted(TimelineKind::Probe).is_empty(), "nobody is excluded");
    assert_eq!(world.plans.len(), 1, "one region alone must not take everybody");
    let held = world.noted(TimelineKind::Held);
    assert!((1..=2).contains(&held.len()), "said once for each region, not at every tick: {}", held.len());
    assert!(world.noted(TimelineKind::Suspicion).iter().all(|n| !n.title.contains("answers again")));
}

#[test]
fn a_broken_vantage_does_not_spoil_the_proof() {
    let mut world = calm();
    for region in ["r1", "r2", "r3"] {
        world.broken.insert(("p4".into(), region.into()));
    }
    world.blind_entrance.insert("p4".into());
    world.play(10);
    world.break_all("r2");
    world.play_until(15, |w| w.plans.len() == 2);
    world.play_until(30, |w| proof(w) == ProofState::Verified);
}

#[test]
fn evidence_that_was_long_under_way_keeps_its_age() {
    let mut world = calm();
    world.silent.extend(["p1", "p2", "p3"].map(String::from));
    world.play(12);
    // Batches that three vantages sent 40 s ago arrive now: failures that nobody else has seen.
    for probe in ["p1", "p2", "p3"] {
        world.arrive_late(probe, "r1", 40);
    }
    world.play(3);
    assert_eq!(world.plans.len(), 1);
    assert_ne!(world.verdict("r1"), VerdictState::Down);
}

#[test]
fn a_collector_that_stood_still_reads_first_and_decides_then() {
    let mut world = calm();
    world.now = world.now.plus_us(20 * SECOND);
    world.break_all("r1");
    world.apply(Event::Tick);
    let warm_at = world.core.state.warm_at;
    assert!(warm_at > world.now);
    world.play_until(15, |w| w.plans.len() == 2);
    assert!(world.plan().created >= warm_at);
}

#[test]
fn a_new_region_waits_until_something_is_known_of_it() {
    let mut world = calm();
    let document = CONFIG.replace("r3: http://r3.test }", "r3: http://r3.test, r4: http://r4.test }");
    let config = std::sync::Arc::new(crate::config::parse(&document, "test").expect("a good document"));
    world.core = crate::decide::Core::new(config, world.core.state.clone(), 8);
    world.apply(Event::Tick);
    assert_eq!(world.plans.len(), 1, "nothing is known of r4 yet");
    world.break_all("r4");
    world.play(20);
    assert_eq!(world.weights().get(3), Some(&0), "found down before anybody was sent there");
}

#[test]
fn after_a_backup_was_restored_every_receiver_is_told_a_new_plan_once_something_is_known() {
    let mut world = World::new();
    world.play(20);
    world.break_all("r2");
    world.play_until(30, |world| world.plans.len() == 2);
    let mut restored = world.core.state.clone();
    world.heal();
    world.play_until(120, |world| world.plan().generation > 3);
    let last = world.plan().clone();

    // The database is lost; what there was while r2 was evacuated is restored, and r2 is broken again.
    restored.forget_plans();
    world.core = Core::new(Arc::clone(&world.core.config), restored, last.term + 1);
    world.break_all("r2");
    let plans = world.plans.len();
    world.silent.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    world.play(30);
    assert_eq!(world.plans.len(), plans, "nobody is told anything while nothing is known");
    world.silent.clear();
    world.play_until(30, |world| world.plans.len() > plans);
    let plan = world.plan();
    assert_eq!((plan.term, plan.generation), (last.term + 1, 3), "above all that receivers may have seen");
    assert_eq!(world.weights(), [100, 0, 100]);
    world.play(10);
    assert!(!world.noted(TimelineKind::Proof).is_empty());
    assert_eq!(world.plans.len(), plans + 1, "one plan brings everybody in line");
}
