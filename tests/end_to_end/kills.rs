//! The collector is killed under load, at random moments and at the worst ones, all through outages.
//!
//! Meanwhile a [`crate::harness::witness::Witness`] reports and remembers what was acknowledged. In the end everything
//! that was acknowledged is stored once, with the same content; and of decisions none is lost and none repeated.
//!
//! `tests/crash` runs it for long: SEXTANT_CRASH_KILLS says how often each engine's collector is killed,
//! SEXTANT_TEST_SEED makes other moments.

use crate::harness::{Setup, World, database::Engine, witness::Witness, world::id};
use anyhow::ensure;
use runtime::random::Random;
use std::{
    env,
    time::{Duration, Instant},
};
use wire::{RegionId, plan::Plan, view::Page};

/// Kills of each engine's collector, when nobody asks for more.
const FEW: usize = 10;
/// Kills while users leave a region, and as many while they return; then it is awaited that they have.
const PHASE: usize = 12;
/// The longest a collector lives, once it takes reports.
const LONGEST: Duration = Duration::from_millis(1_500);
/// The longest a collector lives that is killed while it starts.
const STARTING: Duration = Duration::from_millis(250);

/// What the killing hit.
#[derive(Debug, Default)]
struct Toll {
    /// After a time by chance.
    by_chance: usize,
    /// Right after an acknowledgement.
    acknowledged: usize,
    /// Right after a webhook took effect.
    told: usize,
    /// Before it took reports.
    starting: usize,
    /// How long starts took until the collector took reports.
    starts: Vec<Duration>,
}

impl Toll {
    fn kills(&self) -> usize {
        self.by_chance + self.acknowledged + self.told + self.starting
    }

    /// Kills the collector once, waits until the next one takes reports, and goes on.
    async fn kill(&mut self, world: &mut World, witness: &Witness, random: &Random) -> anyhow::Result<()> {
        let choice = random.unit();
        let moment = tokio::select! {
            () = tokio::time::sleep(LONGEST.mul_f64(random.unit())) => &mut self.by_chance,
            () = witness.next_acknowledged(), if choice < 0.3 => &mut self.acknowledged,
            _ = world.entrance.next_applied() => &mut self.told,
        };
        *moment += 1;
        world.collector().kill().await?;
        if random.unit() < 0.2 {
            let starting = world.spawn_seat(0)?;
            tokio::time::sleep(STARTING.mul_f64(random.unit())).await;
            starting.kill().await?;
            self.starting += 1;
        }
        let begin = Instant::now();
        world.spawn_seat(0)?;
        world.seat(0).wait_until_alive().await?;
        self.starts.push(begin.elapsed());
        witness.check()
    }
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn kill_under_load(engine: Engine) -> anyhow::Result<()> {
    let kills = number("SEXTANT_CRASH_KILLS", FEW);
    let seed = number("SEXTANT_TEST_SEED", 1) as u64;
    let random = Random::seeded(seed);
    let begin = Instant::now();
    let sick: RegionId = id("eu-west-1");
    let mut world = World::start(Setup { engine, witness: true, ..Setup::default() }).await?;
    let first = world.plan().await?.plan.generation;
    let mut witness = world.witness(seed)?;
    let (mut toll, mut expected) = (Toll::default(), Vec::new());
    while toll.kills() < kills {
        world.shop(&sick).kill().await?;
        let phase = toll.kills() + PHASE.min(kills.div_ceil(2));
        while toll.kills() < phase {
            toll.kill(&mut world, &witness, &random).await?;
        }
        let view = world.wait_until_evacuated(&sick).await;
        world.check_evacuation(&sick, &view).await?;
        world.shop(&sick).restart().await?;
        let phase = toll.kills() + PHASE.min(kills.div_ceil(2));
        while toll.kills() < phase {
            toll.kill(&mut world, &witness, &random).await?;
        }
        world.wait_until_returned(&sick).await;
        let last = first + expected.len() as i64;
        expected.extend([(last + 1, 0), (last + 2, 25), (last + 3, 100)]);
    }
    let counts = witness.finish().await?;
    let last = first + expected.len() as i64;
    check_decisions(&world, &sick, &expected, last).await?;
    world.settle().await;
    world.stop().await?;
    let store = world.database.open().await?;
    let samples = witness.compare(&store).await?;
    store.close().await;
    toll.starts.sort();
    println!(
        "{engine:?}, seed {seed}: {} kills in {:.0?} ({} by chance, {} after an acknowledgement, {} after a webhook, {} \
         while starting); takes reports again after {:.0?} (median), {:.0?} (longest); {} reports with {samples} samples \
         acknowledged and compared, {} requests broken, {} refused; {} plans, {} webhooks",
        toll.kills(),
        begin.elapsed(),
        toll.by_chance,
        toll.acknowledged,
        toll.told,
        toll.starting,
        toll.starts[toll.starts.len() / 2],
        toll.starts[toll.starts.len() - 1],
        counts.acknowledged,
        counts.broken,
        counts.refused,
        last,
        world.entrance.told().len(),
    );
    ensure!(counts.acknowledged > 0 && counts.broken > 0, "there was no load: {counts:?}");
    Ok(())
}

/// Checks that every decision was made once, and every receiver told of it.
async fn check_decisions(
    world: &World,
    sick: &RegionId,
    expected: &[(i64, u8)],
    last: i64,
) -> anyhow::Result<()> {
    world.check_webhooks()?;
    let applied: Vec<_> =
        world.entrance.applied().iter().map(|told| (told.generation, told.weights[sick])).collect();
    ensure!(applied.get(1..) == Some(expected), "the entrance applied {applied:?} and not {expected:?}");
    let plans: Page<Plan> = world.api().get("/api/v1/services/shop/plans?limit=100").await?;
    let mut generations: Vec<i64> = plans.items.iter().map(|plan| plan.generation).collect();
    generations.reverse();
    let all: Vec<i64> = (1..=last).collect();
    ensure!(all.ends_with(&generations) && !generations.is_empty(), "generations {generations:?} of {last}");
    world.story().await?.check_told_once(last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_under_load_on_sqlite() -> anyhow::Result<()> {
    kill_under_load(Engine::Sqlite).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_killed_under_load_on_postgres() -> anyhow::Result<()> {
    kill_under_load(Engine::Postgres).await
}
