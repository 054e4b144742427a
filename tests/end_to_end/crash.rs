//! Processes die at bad moments. Nothing is lost, nothing is done twice, and nobody is told two things.

use crate::harness::{
    LONG, Process, Setup, World,
    ending::{intervals, probe_of, proved},
    entrance::{Effect, Mood},
    eventually, sextant,
    world::id,
};
use anyhow::ensure;
use runtime::random::Random;
use std::{env, time::Duration};
use wire::{
    RegionId,
    plan::{Cause, Plan},
    view::{Page, PlanView, TimelineKind},
};

fn sick() -> RegionId {
    id("eu-west-1")
}

/// The collector dies with a decision that it could not tell, and the next one tells it: the very same.
async fn check_decision_survives(mood: Mood, heard: usize) -> anyhow::Result<(World, PlanView)> {
    let mut world = World::start(Setup::default()).await?;
    world.entrance.set_mood(mood);
    world.shop(&sick()).kill().await?;
    let decided = world.wait_until_pending(&sick(), heard).await;
    if matches!(mood, Mood::Unavailable | Mood::Refuse) {
        eventually("a failed attempt is written down", LONG, async || {
            let delivery = world.plan().await?.deliveries.remove(0);
            ensure!(delivery.attempts >= 1 && !delivery.last_error.is_empty(), "{delivery:?}");
            Ok(())
        })
        .await;
    }
    world.collector().kill().await?;
    world.entrance.set_mood(Mood::Normal);
    world.start_collector().await?;

    let view =
        eventually("the decision arrives and is proved", LONG, async || proved(world.plan().await?)).await;
    assert_eq!(view.plan, decided.plan, "the next collector must not decide again");
    assert_eq!(view.deliveries[0].id, decided.deliveries[0].id);
    world.check_evacuation(&sick(), &view).await?;
    world.check_webhooks()?;
    let story = world.story().await?;
    let generation = view.plan.generation;
    for kind in [TimelineKind::Plan, TimelineKind::Proof] {
        assert_eq!(story.of_generation(kind, generation).len(), 1, "{kind} is told once: {story:?}");
    }
    Ok((world, view))
}

/// Users come back, by the new collector's own plans, and everything stops well.
async fn check_return(mut world: World) -> anyhow::Result<()> {
    world.shop(&sick()).restart().await?;
    world.wait_until_returned(&sick()).await;
    world.check_webhooks()?;
    world.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_between_verdict_and_webhook() -> anyhow::Result<()> {
    let (world, _) = check_decision_survives(Mood::Unavailable, 1).await?;
    check_return(world).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_while_nobody_listens() -> anyhow::Result<()> {
    check_decision_survives(Mood::Refuse, 0).await?.0.stop().await?;
    Ok(())
}

/// A stop is no crash: it waits for the webhook under way, for as long as one may take, and then ends well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_stopped_while_the_entrance_hangs() -> anyhow::Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.entrance.set_mood(Mood::Hang);
    world.shop(&sick()).kill().await?;
    let decided = world.wait_until_pending(&sick(), 1).await;
    assert_eq!(world.collector().stop().await?, 0);
    world.entrance.set_mood(Mood::Normal);
    world.start_collector().await?;
    let view = world.wait_until_evacuated(&sick()).await;
    assert_eq!(view.plan, decided.plan, "the next collector must not decide again");
    world.check_evacuation(&sick(), &view).await?;
    world.check_webhooks()?;
    world.stop().await?;
    Ok(())
}

/// The webhook took effect, and the collector died before it heard the answer: it is sent twice and works once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_before_it_hears_the_answer() -> anyhow::Result<()> {
    let (world, view) = check_decision_survives(Mood::ApplyAndHang, 1).await?;
    let mut told = world.entrance.told();
    told.retain(|told| told.id == view.deliveries[0].id);
    let effects: Vec<Effect> = told.iter().map(|told| told.effect).collect();
    assert_eq!(effects[0], Effect::Applied);
    assert!(
        effects.len() > 1 && effects[1..].iter().all(|effect| *effect == Effect::Repeated),
        "{effects:?}"
    );
    check_return(world).await
}

/// Kills the collector again and again, after random times and whenever the entrance has just applied a webhook, until
/// the plan in force has this cause and is proved. Says what it hit.
async fn kill_until_proved(world: &mut World, random: &Random, cause: Cause) -> anyhow::Result<Vec<String>> {
    const LEAST: usize = 6;
    const MOST: usize = 40;
    let mut hit = Vec::new();
    while hit.len() < MOST {
        let plan = world.plan().await?;
        if hit.len() >= LEAST && plan.plan.cause == cause && proved(plan).is_ok() {
            break;
        }
        let delay = Duration::from_micros(50_000 + (750_000.0 * random.unit()) as u64);
        let moment = tokio::select! {
            () = tokio::time::sleep(delay) => {
                let plan = world.plan().await?;
                format!("{:?}, {}", plan.plan.cause, plan.proof.state)
            }
            told = world.entrance.next_applied() => format!("webhook of generation {} applied", told.generation),
        };
        world.collector().kill().await?;
        hit.push(moment);
        world.start_collector().await?;
    }
    Ok(hit)
}

/// The collector is killed all through an outage. SEXTANT_TEST_SEED makes other moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_at_random_moments() -> anyhow::Result<()> {
    let seed = env::var("SEXTANT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let random = Random::seeded(seed);
    let mut world = World::start(Setup::default()).await?;
    let first = world.plan().await?.plan.generation;
    world.shop(&sick()).kill().await?;
    let hit = kill_until_proved(&mut world, &random, Cause::Evacuate(sick())).await?;
    println!("seed {seed}, leaving: {hit:#?}");
    let view = world.wait_until_evacuated(&sick()).await;
    assert_eq!(view.plan.generation, first + 1, "more than one decision was made: {:?}", view.plan);
    world.check_evacuation(&sick(), &view).await?;

    world.shop(&sick()).restart().await?;
    let hit =
        kill_until_proved(&mut world, &random, Cause::Failback { region: sick(), percent: 100 }).await?;
    println!("seed {seed}, returning: {hit:#?}");
    let view = world.wait_until_returned(&sick()).await;
    world.check_webhooks()?;
    let applied: Vec<_> =
        world.entrance.applied().iter().map(|told| (told.generation, told.weights[&sick()])).collect();
    assert_eq!(applied[1..], [(first + 1, 0), (first + 2, 25), (first + 3, 100)]);
    assert_eq!(view.plan.generation, first + 3);
    let plans: Page<Plan> = world.api().get("/api/v1/services/shop/plans").await?;
    let generations: Vec<i64> = plans.items.iter().map(|plan| plan.generation).collect();
    assert_eq!(generations, (1..=first + 3).rev().collect::<Vec<_>>());
    let story = world.story().await?;
    for generation in 1..=first + 3 {
        for kind in [TimelineKind::Plan, TimelineKind::Proof] {
            let told = story.of_generation(kind, generation).len();
            assert_eq!(told, 1, "{kind} of generation {generation} is told {told} times: {story:?}");
        }
    }
    let told = world.entrance.told();
    println!("{} webhooks, {} of them repeated", told.len(), told.len() - world.entrance.applied().len());
    world.settle().await;
    check_replay(&world).await?;
    world.stop().await?;
    Ok(())
}

/// All that was decided, over all those terms, follows from the log once more.
async fn check_replay(world: &World) -> anyhow::Result<()> {
    let mut command = sextant();
    command.args(["simulate", "--json", "--data"]).arg(world.data());
    let output = command.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stdout));
    let replay: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    println!("replayed: {} passes, {} terms", replay["passes"], replay["terms"]);
    assert_eq!(replay["differences"], serde_json::json!([]));
    assert!(replay["plans"].as_u64() >= Some(3) && replay["terms"].as_u64() > Some(6), "{replay}");
    let decisions = replay["decisions"].as_array().map(Vec::len);
    assert!(decisions > Some(10), "{decisions:?}");
    Ok(())
}

/// Probes go on without the collector, and over their own death: all that they reported is stored, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_outlive_the_collector_and_themselves() -> anyhow::Result<()> {
    const AWAY: u64 = 40;
    let mut world = World::start(Setup::default()).await?;
    let (first, killed) = (world.plan().await?.plan, id::<RegionId>("us-east-1"));
    world.probe(&killed).kill().await?;
    world.start_probe(&killed).await?;
    eventually("the killed probe reports again", LONG, async || {
        ensure!(world.runs(&killed).await? > 5, "few runs");
        Ok(())
    })
    .await;

    world.collector().kill().await?;
    let mut before = Vec::new();
    for region in ["us-east-1", "eu-west-1", "ap-northeast-1"] {
        before.push((id::<RegionId>(region), world.runs(&id(region)).await?));
    }
    // Killed again, with nobody to tell it what to do: it goes on with what it was told last.
    world.probe(&killed).kill().await?;
    world.start_probe(&killed).await?;
    before[0].1 = 0;
    let mut due = Vec::new();
    for (region, before) in before {
        let runs = eventually("the probe measures without the collector", LONG, async || {
            let runs = world.runs(&region).await? - before;
            ensure!(runs >= AWAY, "{runs} runs");
            Ok(runs)
        })
        .await;
        due.push((region, runs));
    }
    world.start_collector().await?;
    for (region, due) in due {
        eventually("what was measured meanwhile arrives", LONG, async || {
            let ingested = world.ingested(&region).await?;
            ensure!(ingested >= due, "{ingested} of {due} samples");
            Ok(())
        })
        .await;
    }
    let settled = world.settle().await;
    assert_eq!(settled.plan, first, "no traffic moves because the collector was away");
    let ledger = world.stop().await?;
    for region in ["eu-west-1", "ap-northeast-1"] {
        ledger.check_schedule(&probe_of(&id(region)), &intervals())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_collector_on_the_same_data_is_refused() -> anyhow::Result<()> {
    let mut world = World::start(Setup::default()).await?;
    let command = world.collector_command(([127, 0, 0, 1], 0).into());
    let mut second = Process::start("second-collector", &world.logs(), command)?;
    assert_eq!(second.exit_code().await?, 1);
    let said = second.stderr();
    let clear = said.contains("is in use by another collector") && said.contains("--data");
    assert!(clear && said.contains(&*world.data().to_string_lossy()), "it said {said:?}");
    assert_eq!(second.stdout(), "", "it must not seem to run");
    world.collector().check_running()?;
    world.settle().await;
    world.stop().await?;
    Ok(())
}
