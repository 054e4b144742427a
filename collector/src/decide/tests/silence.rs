//! Nothing follows from evidence that only grows old: who falls silent last has not won.

use super::world::{CONFIG, World, id};
use wire::view::{TimelineKind, VerdictState};

/// What the timeline says after some moment, except that probes are silent.
fn told_since(world: &World, seen: usize) -> Vec<String> {
    world.notes[seen..].iter().filter(|n| !n.title.ends_with("is silent")).map(|n| n.title.clone()).collect()
}

fn fail(world: &mut World, probes: &[&str], region: &str) {
    world.broken.extend(probes.iter().map(|probe| ((*probe).into(), region.into())));
}

/// Some vantages fall silent, and a second later all do. Returns how many notes there were until then.
fn fall_silent(world: &mut World, first: &[&str]) -> usize {
    world.silent.extend(first.iter().map(|probe| (*probe).into()));
    world.play(1);
    world.silent.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    world.notes.len()
}

#[test]
fn a_region_does_not_recover_because_those_who_doubt_fall_silent_first() {
    let mut world = World::new();
    world.play(15);
    world.break_all("r2");
    world.play_until(12, |w| w.verdict("r2") == VerdictState::Down);
    world.play(10);
    world.heal();
    fail(&mut world, &["p1", "p3", "p5"], "r2");
    world.play(4);
    assert_eq!(world.verdict("r2"), VerdictState::Down, "three still fail");
    let seen = fall_silent(&mut world, &["p1", "p3", "p5"]);
    world.play(60);
    let told = told_since(&world, seen);
    assert!(!told.iter().any(|title| title.contains("healthy") || title.contains("again")), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("shop in r3 is unknown"));
    assert_eq!(world.verdict("r2"), VerdictState::Unknown);
    assert_eq!(world.weights(), [100, 0, 100], "and nobody is sent back there");
}

#[test]
fn a_suspicion_does_not_end_because_those_who_have_it_fall_silent_first() {
    let mut world = World::new();
    world.play(15);
    fail(&mut world, &["p1", "p3"], "r1");
    world.play(4);
    assert_eq!(world.noted(TimelineKind::Suspicion).len(), 1, "it was opened");
    let seen = fall_silent(&mut world, &["p1", "p3"]);
    world.play(60);
    let told = told_since(&world, seen);
    assert!(!told.iter().any(|title| title.contains("answers again")), "{told:?}");
}

#[test]
fn a_region_does_not_fail_because_those_who_see_it_well_fall_silent_first() {
    let mut world = World::new();
    world.play(15);
    fail(&mut world, &["p4", "p5"], "r1");
    world.play(12);
    assert_eq!(world.verdict("r1"), VerdictState::Healthy, "two of five");
    fall_silent(&mut world, &["p1", "p2", "p3"]);
    for _ in 0..60 {
        world.play(1);
        assert_ne!(world.verdict("r1"), VerdictState::Down);
    }
    assert_eq!(world.plans.len(), 1);
}

#[test]
fn those_who_are_left_are_believed_when_they_have_looked_again() {
    let mut world = World::new();
    world.play(15);
    world.break_all("r2");
    world.play_until(12, |w| w.verdict("r2") == VerdictState::Down);
    world.silent.insert("p1".into());
    world.play(2);
    // From p1 it is never heard that the region is well again.
    world.broken.clear();
    let fresh = 15;
    let healthy = world.play_until(60, |w| w.verdict("r2") == VerdictState::Healthy);
    assert!((fresh - 4..=fresh + 3).contains(&healthy), "{healthy}");
    // And the other way: p1 is never heard to fail.
    let mut world = World::new();
    world.play(15);
    world.silent.insert("p1".into());
    world.break_all("r2");
    assert!(world.play_until(20, |w| w.verdict("r2") == VerdictState::Down) <= 9);
}

#[test]
fn a_check_that_failed_last_is_not_well_because_another_check_is() {
    let document = CONFIG.replace(
        "receivers:\n  edge:",
        "  follows:\n    service: shop\n    impact: degraded\n    interval: 2s\n    timeout: 2s\n    journey:\n      \
         steps:\n        - { name: there, in: other, get: / }\nreceivers:\n  edge:",
    );
    let mut world = World::with(&document);
    world.journeys = true;
    world.play(15);
    world.break_all("r1");
    world.play(3);
    // From now on every failure is flagged, and flagged runs are no evidence; the journeys go on, and go well.
    world.flags.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    let seen = world.notes.len();
    world.play(40);
    let told = told_since(&world, seen);
    assert!(!told.iter().any(|title| title.contains("answers again")), "{told:?}");
    assert_eq!(world.verdict("r1"), VerdictState::Unknown, "nothing is known of its health");
    world.heal();
    world.play_until(10, |w| w.verdict("r1") == VerdictState::Healthy);
}

#[test]
fn a_vantage_stays_excluded_when_it_or_others_fall_silent() {
    let mut world = World::new();
    world.play(15);
    for region in ["r1", "r2", "r3"] {
        fail(&mut world, &["p4"], region);
    }
    world.play(15);
    let excluded = |world: &World| world.core.state.probes[&"p4".parse().expect("an id")].excluded;
    assert!(excluded(&world));
    world.silent.extend(["p1", "p2", "p3"].map(String::from));
    world.play(30);
    assert!(excluded(&world), "two are heard of, and one of them fails: that one still does");
    world.silent.insert("p4".into());
    world.play(30);
    assert!(excluded(&world), "it is silent, and has not succeeded since");
    assert_eq!(world.verdict("r1"), VerdictState::Unknown);
    world.heal();
    world.play(5);
    assert!(!excluded(&world), "it succeeds");
    assert!(world.plans.iter().all(|plan| plan.weights.get(&id("r1")) == Some(&100)));
}

#[test]
fn a_vantage_is_not_excluded_because_those_who_fail_as_it_does_fall_silent() {
    let mut world = World::new();
    world.play(10);
    fail(&mut world, &["p2", "p3"], "r1");
    fail(&mut world, &["p1"], "r3");
    world.break_all("r2");
    world.play(19);
    world.silent.extend(["p1", "p2", "p3", "p4", "p5"].map(String::from));
    let seen = world.notes.len();
    // What p2 and p3 have seen grows old a moment before what p1 has.
    world.play(60);
    let told = told_since(&world, seen);
    assert!(!told.iter().any(|title| title.contains("excluded") || title.contains("again")), "{told:?}");
}
