//! A region fails in the ways in which a region can fail: users leave it, that is measured, and they come back in
//! steps. A blip moves nobody, and neither does silence.

use crate::harness::{
    LONG, Setup, World, ending::intervals, ending::probe_of, entrance::Told, eventually, throughout,
    world::id,
};
use anyhow::{Context, ensure};
use lab::link::Fault;
use std::{collections::BTreeMap, time::Duration};
use wire::{
    RegionId,
    view::{TimelineKind, VerdictState},
};

fn sick() -> RegionId {
    id("eu-west-1")
}

/// Checks the webhooks of a whole outage: leave, a quarter back, all back, each a generation of its own, each proved.
async fn check_webhooks_of_outage(world: &World, first: i64) -> anyhow::Result<()> {
    world.check_webhooks()?;
    let applied = world.entrance.applied();
    let weights: Vec<(i64, u8)> = applied
        .iter()
        .filter(|told| told.generation > first)
        .map(|told| (told.generation, told.weights[&sick()]))
        .collect();
    ensure!(
        weights == [(first + 1, 0), (first + 2, 25), (first + 3, 100)],
        "the entrance was told {applied:?}"
    );
    let others =
        |told: &Told| told.weights.iter().all(|(region, weight)| *region == sick() || *weight == 100);
    ensure!(applied.iter().all(others), "{applied:?}");
    let story = world.story().await?;
    for generation in first + 1..=first + 3 {
        let proofs = story.of_generation(TimelineKind::Proof, generation);
        ensure!(proofs.len() == 1, "generation {generation} was proved {} times", proofs.len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_region() -> anyhow::Result<()> {
    let mut world = World::start(Setup::default()).await?;
    let first = world.plan().await?.plan.generation;
    world.shop(&sick()).kill().await?;
    let plan = world.wait_until_evacuated(&sick()).await;
    world.check_evacuation(&sick(), &plan).await?;

    world.shop(&sick()).restart().await?;
    let back = world.wait_until_returned(&sick()).await;
    world.settle().await;
    check_webhooks_of_outage(&world, first).await?;
    let returned = world.applied(&back)?;
    let served = eventually("users are served there again", LONG, async || {
        let served = world.entrance.served_since(Some(&returned));
        ensure!(served[&sick()] > 0, "{served:?}");
        Ok(served)
    })
    .await;
    assert!(served.values().all(|requests| *requests > 0), "{served:?}");

    // Everybody stops with 0, everything that was measured is stored, and a collector on the same data goes on.
    let (story, plan) = (world.story().await?, world.plan().await?);
    let ledger = world.stop().await?;
    for region in ledger.reports.keys() {
        ledger.check_schedule(region, &intervals())?;
    }
    world.start_collector().await?;
    let (told, again) = (world.story().await?, world.plan().await?);
    assert_eq!((&again.plan, &again.deliveries), (&plan.plan, &plan.deliveries));
    assert_eq!(told.0[..story.0.len()], story.0[..], "the timeline was changed by a restart");
    assert_eq!(world.collector().stop().await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blackholed_region() -> anyhow::Result<()> {
    let mut world = World::start(Setup { regions: &FIVE, ..Setup::default() }).await?;
    let first = world.plan().await?.plan.generation;
    world.set_fault(&sick(), Fault::Blackhole);
    let plan = world.wait_until_evacuated(&sick()).await;
    world.check_evacuation(&sick(), &plan).await?;
    assert!(
        plan.plan.reason.contains("no answer within"),
        "the reason should name what was seen: {}",
        plan.plan.reason
    );

    world.set_fault(&sick(), Fault::None);
    world.wait_until_returned(&sick()).await;
    check_webhooks_of_outage(&world, first).await?;
    world.stop().await?;
    Ok(())
}

/// Five vantages, so that a quorum is more than two.
const FIVE: [&str; 5] = ["us-east-1", "eu-west-1", "ap-northeast-1", "us-west-2", "sa-east-1"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn region_that_answers_with_errors() -> anyhow::Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.shop(&sick()).set_broken(true).await?;
    let plan = world.wait_until_evacuated(&sick()).await;
    world.check_evacuation(&sick(), &plan).await?;
    assert!(plan.plan.reason.contains("500"), "the reason should name what was seen: {}", plan.plan.reason);
    world.shop(&sick()).set_broken(false).await?;
    world.wait_until_returned(&sick()).await;
    world.check_webhooks()?;
    world.stop().await?;
    Ok(())
}

/// The hold is that of production. Time is the subject here, so this test does let it pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blip() -> anyhow::Result<()> {
    const BLIP: Duration = Duration::from_secs(3);
    const AFTER: Duration = Duration::from_secs(10);
    let mut world = World::start(Setup { hold: None, ..Setup::default() }).await?;
    let before = (world.plan().await?.plan, world.entrance.told());
    for (fault, blips) in [(Fault::Refuse, 1), (Fault::Blackhole, 2)] {
        world.set_fault(&sick(), fault);
        tokio::time::sleep(BLIP).await;
        world.set_fault(&sick(), Fault::None);
        throughout("nobody moves", AFTER, async || {
            ensure!(world.plan().await?.plan == before.0, "{:?}", world.plan().await?.plan);
            ensure!(world.entrance.told() == before.1, "{:?}", world.entrance.told());
            Ok(())
        })
        .await;
        let story = world.story().await?;
        let ended = |text: &str| text.contains("blip");
        let seen = story.of(TimelineKind::Suspicion).filter(|entry| ended(&entry.detail)).count();
        assert_eq!(seen, blips, "blips that were seen and have ended: {story:?}");
        let down = story.of(TimelineKind::Verdict).find(|entry| entry.title.contains("down"));
        assert_eq!(down, None);
    }
    world.settle().await;
    world.stop().await?;
    Ok(())
}

/// All probes but one die: nothing is known any more, so nothing is moved, although the last one sees an outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_probes() -> anyhow::Result<()> {
    let mut world = World::start(Setup::default()).await?;
    let before = world.plan().await?.plan;
    let silenced: [RegionId; 2] = [id("us-east-1"), id("ap-northeast-1")];
    for region in &silenced {
        world.probe(region).kill().await?;
    }
    eventually("the silence is told", LONG, async || {
        let story = world.story().await?;
        for region in &silenced {
            let title = format!("{} is silent", probe_of(region));
            let told = story.of(TimelineKind::Probe).any(|entry| entry.title == title);
            ensure!(told, "no {title:?}");
        }
        Ok(())
    })
    .await;
    for region in world.service().await?.regions {
        world.wait_for_verdict(&region.region, VerdictState::Unknown).await;
    }
    world.shop(&sick()).kill().await?;
    throughout("one vantage alone moves nobody", Duration::from_secs(8), async || {
        let service = world.service().await?;
        let states: BTreeMap<_, _> = service.regions.iter().map(|r| (&r.region, r.verdict.state)).collect();
        ensure!(states.values().all(|state| *state == VerdictState::Unknown), "{states:?}");
        ensure!(service.plan.context("no plan")?.plan == before, "another plan");
        Ok(())
    })
    .await;

    // As soon as the others see it too, it is an outage.
    for region in &silenced {
        world.start_probe(region).await?;
    }
    let plan = world.wait_until_evacuated(&sick()).await;
    world.check_evacuation(&sick(), &plan).await?;
    world.check_webhooks()?;
    world.shop(&sick()).restart().await?;
    world.wait_until_returned(&sick()).await;
    world.stop().await?;
    Ok(())
}
