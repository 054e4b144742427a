//! Promises that must hold whatever happens: random faults, silences and lying receivers.

use super::world::{World, id};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::{
    plan::Cause,
    view::{TimelineKind, VerdictState},
};

#[derive(Debug, Clone)]
enum Op {
    Break { vantage: u8, region: u8 },
    BreakAll { region: u8 },
    Slow { region: u8 },
    Silence { vantage: u8 },
    Heal,
    Play { seconds: u8 },
    Receiver { acknowledges: bool, follows: bool },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (1u8..=5, 1u8..=3).prop_map(|(vantage, region)| Op::Break { vantage, region }),
        2 => (1u8..=3).prop_map(|region| Op::BreakAll { region }),
        1 => (1u8..=3).prop_map(|region| Op::Slow { region }),
        1 => (1u8..=5).prop_map(|vantage| Op::Silence { vantage }),
        2 => Just(Op::Heal),
        6 => (1u8..40).prop_map(|seconds| Op::Play { seconds }),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(acknowledges, follows)| Op::Receiver { acknowledges, follows }),
    ]
}

fn act(world: &mut World, op: &Op) {
    match op {
        Op::Break { vantage, region } => {
            world.broken.insert((format!("p{vantage}"), format!("r{region}")));
        }
        Op::BreakAll { region } => world.break_all(&format!("r{region}")),
        Op::Slow { region } => {
            world.slow.insert(format!("r{region}"));
        }
        Op::Silence { vantage } => {
            world.silent.insert(format!("p{vantage}"));
        }
        Op::Heal => world.heal(),
        Op::Play { seconds } => world.play(i64::from(*seconds)),
        Op::Receiver { acknowledges, follows } => {
            world.acknowledges = *acknowledges;
            world.follows = *follows;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// No plan is empty, generations only grow, at most one region is evacuated, two regions keep users, and a
    /// region is evacuated only when it failed from somewhere. (The world asserts that every guard passed.)
    #[test]
    fn plans_keep_their_promises(ops in prop::collection::vec(op(), 1..40)) {
        let mut world = World::new();
        world.play(10);
        for op in &ops {
            act(&mut world, op);
        }
        let mut last = 0;
        for plan in &world.plans {
            prop_assert!(plan.generation == last + 1);
            last = plan.generation;
            let on = plan.weights.values().filter(|w| **w > 0).count();
            prop_assert!(on >= 2, "{plan:?}");
            prop_assert!(plan.weights.values().all(|w| *w <= 100));
            if let Cause::Evacuate(region) = &plan.cause {
                prop_assert_eq!(plan.weights[region], 0);
                let faulty = ops.iter().any(|op| matches!(op, Op::Break { .. } | Op::BreakAll { .. }));
                prop_assert!(faulty, "evacuated without a fault");
            }
        }
    }

    /// Whatever happened: once nobody is heard of any more, no region is found well, bad or recovered. It only becomes
    /// unknown, and nobody is moved away.
    #[test]
    fn silence_decides_nothing(ops in prop::collection::vec(op(), 1..30)) {
        let mut world = World::new();
        world.play(10);
        for op in &ops {
            act(&mut world, op);
        }
        world.silent.extend((1..=5).map(|n| format!("p{n}")));
        let (seen, plans) = (world.notes.len(), world.plans.len());
        world.play(60);
        for note in &world.notes[seen..] {
            let allowed = note.kind != TimelineKind::Verdict || note.state == Some(VerdictState::Unknown);
            prop_assert!(allowed && !note.title.contains("again"), "{note:?}");
        }
        let moved = world.plans[plans..].iter().any(|plan| matches!(plan.cause, Cause::Evacuate(_)));
        prop_assert!(!moved, "{:?}", world.plans.last());
    }

    /// Applying the same time again changes nothing: a restart that repeats a tick decides nothing twice.
    #[test]
    fn ticks_are_idempotent(ops in prop::collection::vec(op(), 1..20)) {
        let mut world = World::new();
        for op in &ops {
            act(&mut world, op);
        }
        // The first tick may make a plan, whose acknowledgement the second one answers.
        (0..3).for_each(|_| world.apply(crate::decide::Event::Tick));
        let state = world.core.state.clone();
        let (notes, plans) = (world.notes.len(), world.plans.len());
        world.apply(crate::decide::Event::Tick);
        prop_assert!(world.core.state == state, "a tick changed something");
        prop_assert_eq!((world.notes.len(), world.plans.len()), (notes, plans));
    }

}

proptest! {
    // Fifteen minutes are played in each case, so there are fewer of them.
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever happened, once all is well and the receiver is honest, every region gets its users back.
    #[test]
    fn all_users_return_in_the_end(ops in prop::collection::vec(op(), 1..25)) {
        let mut world = World::new();
        world.play(10);
        for op in &ops {
            act(&mut world, op);
        }
        world.heal();
        (world.acknowledges, world.follows) = (true, true);
        if let Some(plan) = world.plans.last().cloned() {
            world.acknowledge(&plan);
        }
        world.play(900);
        let full: BTreeMap<_, u8> = ["r1", "r2", "r3"].map(|r| (id(r), 100)).into();
        prop_assert_eq!(&world.plan().weights, &full);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The state survives its own snapshot.
    #[test]
    fn snapshots_are_whole(ops in prop::collection::vec(op(), 1..15)) {
        let mut world = World::new();
        for op in &ops {
            act(&mut world, op);
        }
        let text = serde_json::to_string(&world.core.state).expect("the state serialises");
        let back: crate::decide::State = serde_json::from_str(&text).expect("and parses");
        prop_assert!(back == world.core.state, "the snapshot differs");
    }
}
