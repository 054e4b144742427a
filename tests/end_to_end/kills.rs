//! The collector is killed under load, at random moments and at the worst ones, all through outages.
//!
//! Meanwhile a [`crate::harness::witness::Witness`] reports and remembers what was acknowledged. In the end everything
//! that was acknowledged is stored once, with the same content, in the log and in the history; and of decisions none is
//! lost and none repeated. All of the history is sealed every second, so that kills fall into seals and merges too
//! ([`crate::harness::sealing`]).
//!
//! `tests/crash` runs it for long: SEXTANT_CRASH_KILLS says how often each engine's collector is killed,
//! SEXTANT_TEST_SEED makes other moments.

use crate::harness::{
    LONG, Setup, World,
    database::Engine,
    eventually,
    sealing::{self, Tally, Work},
    witness::{Witness, history::Runs},
    world::id,
};
use anyhow::ensure;
use runtime::random::Random;
use std::{
    env,
    time::{Duration, Instant},
};
use wire::{
    RegionId,
    plan::Plan,
    view::{Page, TimelineKind},
};

/// Kills of each engine's collector, when nobody asks for more.
const FEW: usize = 10;
/// Kills while users leave a region, and as many while they return; then it is awaited that they have.
const PHASE: usize = 12;
/// The longest a collector lives, once it takes reports.
const LONGEST: Duration = Duration::from_millis(1_500);
/// The longest a collector lives that is killed while it starts.
const STARTING: Duration = Duration::from_millis(250);

/// How long a seal or merge goes on at most before the collector is killed that has begun it.
const INTO: Duration = Duration::from_millis(10);

/// What is waited for before a kill, unless a webhook takes effect before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    Chance,
    Acknowledged,
    /// A piece of work that has begun.
    At(Work),
}

impl Aim {
    /// Every third kill is at a seal, and so only when the collector has the lease: on PostgreSQL nobody would decide
    /// for the whole phase, because those that are killed sooner never get it.
    fn of(number: usize, random: &Random) -> Aim {
        match (number % 3, random.unit()) {
            (0, _) => Aim::At(Work::Seal),
            (_, ..0.45) => Aim::Acknowledged,
            _ => Aim::Chance,
        }
    }
}

/// What the killing hit.
#[derive(Debug, Default)]
struct Toll {
    /// After a time by chance.
    by_chance: usize,
    /// Right after an acknowledgement.
    acknowledged: usize,
    /// Right after a webhook took effect.
    told: usize,
    /// While it was known to seal or to merge.
    working: usize,
    /// Before it took reports.
    starting: usize,
    /// How long starts took until the collector took reports.
    starts: Vec<Duration>,
    /// What became of the history.
    history: Tally,
}

impl Toll {
    fn kills(&self) -> usize {
        self.by_chance + self.acknowledged + self.told + self.working + self.starting
    }

    /// Kills the collector so many times at least.
    async fn kill_many(
        &mut self,
        world: &mut World,
        witness: &Witness,
        random: &Random,
        kills: usize,
    ) -> anyhow::Result<()> {
        let enough = self.kills() + kills;
        for number in 0.. {
            if self.kills() >= enough {
                break;
            }
            self.kill(world, witness, random, Aim::of(number, random)).await?;
        }
        Ok(())
    }

    /// Kills the collector once, waits until the next one takes reports, and goes on.
    async fn kill(
        &mut self,
        world: &mut World,
        witness: &Witness,
        random: &Random,
        aim: Aim,
    ) -> anyhow::Result<()> {
        let log = world.collector().log();
        let (chance, into) = (LONGEST.mul_f64(random.unit()), INTO.mul_f64(random.unit()));
        let work = async || {
            let Aim::At(work) = aim else { return std::future::pending().await };
            sealing::next_begun(&log, work).await?;
            tokio::time::sleep(into).await;
            anyhow::Ok(())
        };
        let moment = tokio::select! {
            () = tokio::time::sleep(chance), if !matches!(aim, Aim::At(_)) => &mut self.by_chance,
            () = witness.next_acknowledged(), if aim == Aim::Acknowledged => &mut self.acknowledged,
            begun = work() => begun.map(|()| &mut self.working)?,
            _ = world.entrance.next_applied(), if aim != Aim::At(Work::Merge) => &mut self.told,
        };
        *moment += 1;
        world.collector().kill().await?;
        self.history.note(&log, &world.database).await?;
        if random.unit() < 0.2 {
            let starting = world.spawn_seat(0)?;
            let log = starting.log();
            tokio::time::sleep(STARTING.mul_f64(random.unit())).await;
            starting.kill().await?;
            self.starting += 1;
            self.history.note(&log, &world.database).await?;
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
    // Segments are merged when many have piled up, which takes half a minute.
    let merges = kills > FEW;
    let seed = number("SEXTANT_TEST_SEED", 1) as u64;
    let random = Random::seeded(seed);
    let begin = Instant::now();
    let sick: RegionId = id("eu-west-1");
    let mut world = World::start(Setup { engine, witness: true, busy: true, ..Setup::default() }).await?;
    let first = world.plan().await?.plan.generation;
    let mut witness = world.witness(seed)?;
    let (mut toll, mut expected) = (Toll::default(), Vec::new());
    while toll.kills() < kills {
        let suspected = suspicions(&world, &sick).await?;
        world.shop(&sick).kill().await?;
        if engine == Engine::Postgres {
            // A take-over takes as long as the hold: whoever takes over finds the region down at once, and never suspects it.
            eventually("the region is suspected", LONG, async || {
                ensure!(suspicions(&world, &sick).await? > suspected, "not yet");
                Ok(())
            })
            .await;
        }
        toll.kill_many(&mut world, &witness, &random, PHASE.min(kills.div_ceil(2))).await?;
        let view = world.wait_until_evacuated(&sick).await;
        world.check_evacuation(&sick, &view).await?;
        world.shop(&sick).restart().await?;
        toll.kill_many(&mut world, &witness, &random, PHASE.min(kills.div_ceil(2))).await?;
        world.wait_until_returned(&sick).await;
        if merges {
            toll.kill(&mut world, &witness, &random, Aim::At(Work::Merge)).await?;
        }
        let last = first + expected.len() as i64;
        expected.extend([(last + 1, 0), (last + 2, 25), (last + 3, 100)]);
    }
    let log = world.collector().log();
    if merges {
        sealing::next_committed(&log, Work::Merge).await?;
    }
    let counts = witness.finish().await?;
    let last = first + expected.len() as i64;
    check_decisions(&world, &sick, &expected, last).await?;
    world.settle().await;
    // While a part of it is in the log only, and when all of it is sealed.
    let store = world.database.read().await?;
    let runs = Runs::read(&store).await?;
    runs.compare(&store).await?;
    store.close().await;
    runs.compare_answers(world.api()).await?;
    world.stop().await?;
    toll.history.note_stopped(&log);
    let store = world.database.open().await?;
    let samples = witness.compare(&store).await?;
    let told = runs.compare(&store).await?;
    let (segments, merged) = sealing::segments(&store, runs.days()).await?;
    store.close().await;
    ensure!(told == samples, "{samples} samples are in the log, and the history tells {told}");
    ensure!(merged > 0 || !merges, "none of {segments} segments was merged");
    toll.history.check(toll.kills(), merges)?;
    toll.starts.sort();
    let history = &toll.history;
    println!(
        "{engine:?}, seed {seed}: {} kills in {:.0?} ({} by chance, {} after an acknowledgement, {} after a webhook, {} \
         while it sealed or merged, {} while starting); takes reports again after {:.0?} (median), {:.0?} (longest); {} reports with {samples} samples \
         acknowledged and compared, {} requests broken, {} refused; {} plans, {} webhooks; {} seals, {} of them \
         committed and not known when killed, {} cut off before; {} merges, {} cut off; {segments} segments left, {merged} of them merged",
        toll.kills(),
        begin.elapsed(),
        toll.by_chance,
        toll.acknowledged,
        toll.told,
        toll.working,
        toll.starting,
        toll.starts[toll.starts.len() / 2],
        toll.starts[toll.starts.len() - 1],
        counts.acknowledged,
        counts.broken,
        counts.refused,
        last,
        world.entrance.told().len(),
        history.seals,
        history.seals_untold,
        history.seals_cut_off,
        history.merges,
        history.merges_hit,
    );
    ensure!(counts.acknowledged > 0 && counts.broken > 0, "there was no load: {counts:?}");
    Ok(())
}

/// How often the timeline says that a region is suspected, or no more.
async fn suspicions(world: &World, region: &RegionId) -> anyhow::Result<usize> {
    let story = world.story().await?;
    Ok(story.of(TimelineKind::Suspicion).filter(|entry| entry.region.as_ref() == Some(region)).count())
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
