//! Several collectors on one PostgreSQL: all take reports and show pages, one decides. It dies, freezes, is cut off, is
//! asked to stop, while users have to be moved: another one goes on, in time, and the old one writes nothing more.

use crate::harness::{LONG, Setup, World, audit, database::Engine, eventually, witness::Witness, world::id};
use anyhow::{Context, ensure};
use lab::link::Fault;
use std::time::{Duration, Instant};
use wire::{
    RegionId,
    view::{PlanView, TimelineKind},
};

/// Within which another collector decides when the decider was killed.
const KILLED: Duration = Duration::from_secs(5);
/// When it was frozen, or its way to the database was cut.
const SILENT: Duration = Duration::from_secs(15);

fn sick() -> RegionId {
    id("eu-west-1")
}

/// What happens to the decider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Killed,
    Stopped,
    Frozen,
    Cut,
}

/// Two collectors under load.
struct Pair {
    world: World,
    witness: Witness,
    generation: i64,
}

/// Who has the lease, as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decider {
    seat: usize,
    pid: u32,
    term: i64,
}

impl Pair {
    async fn begin() -> anyhow::Result<Pair> {
        let setup = Setup { engine: Engine::Postgres, collectors: 2, witness: true, ..Setup::default() };
        let mut world = World::start(setup).await?;
        audit::install(world.database.cluster()?);
        let witness = world.witness(2)?;
        let generation = world.settle().await.plan.generation;
        Ok(Pair { world, witness, generation })
    }

    /// Who decides: has the lease, and has committed with its term.
    fn decider(&mut self) -> anyhow::Result<Decider> {
        let row = self
            .world
            .database
            .cluster()?
            .query("SELECT term, holder FROM lease JOIN decision_state USING (term)");
        let (term, holder) = row.split_once('|').context("nobody decides")?;
        let pids = self.pids();
        let holds = |pid: u32| holder.split([' ', ',']).any(|word| word == pid.to_string());
        let found = |(seat, pid): (usize, &Option<u32>)| pid.filter(|pid| holds(*pid)).map(|pid| (seat, pid));
        let holder_of = pids.iter().enumerate().find_map(found);
        let (seat, pid) = holder_of.with_context(|| format!("who is {holder:?} of {pids:?}?"))?;
        Ok(Decider { seat, pid, term: term.parse()? })
    }

    /// The process in each seat, if one runs there.
    fn pids(&mut self) -> [Option<u32>; 2] {
        [0, 1].map(|seat| self.world.seat(seat).process().id())
    }

    /// Does it to the decider, and waits until the other decides. Returns the old and the new one and how long it took.
    async fn strike(&mut self, fate: Fate) -> anyhow::Result<(Decider, Decider, Duration)> {
        let old = self.decider()?;
        let struck = Instant::now();
        let seat = self.world.seat(old.seat);
        match fate {
            Fate::Killed => seat.process().kill().await?,
            Fate::Stopped => ensure!(seat.process().stop().await? == 0, "the decider did not end well"),
            Fate::Frozen => seat.process().freeze()?,
            Fate::Cut => seat.cut(Fault::Blackhole)?,
        }
        self.world.ask(1 - old.seat);
        let cluster = self.world.database.cluster()?;
        let decided = format!("SELECT term FROM decision_state WHERE term > {}", old.term);
        eventually("the other collector decides", LONG, async || {
            ensure!(!cluster.query(&decided).is_empty(), "nobody yet");
            Ok(())
        })
        .await;
        let took = struck.elapsed();
        let new = self.decider_of(1 - old.seat).await;
        Ok((old, new, took))
    }

    async fn decider_of(&mut self, seat: usize) -> Decider {
        eventually("it decides", LONG, async || {
            let decider = self.decider()?;
            ensure!(decider.seat == seat, "{decider:?}");
            Ok(decider)
        })
        .await
    }

    /// Both show the same plan and the same timeline.
    async fn check_both_show(&mut self, view: &PlanView) -> anyhow::Result<()> {
        for seat in 0..2 {
            let api = self.world.seat(seat).api.clone();
            eventually("both collectors show the same", LONG, async || {
                let shown: PlanView = api.get("/api/v1/services/shop/plan").await?;
                ensure!(shown.plan == view.plan && shown.deliveries == view.deliveries, "{shown:?}");
                api.text("/readyz").await?;
                let page = api.text("/").await?;
                ensure!(page.contains("Shop"), "no overview");
                Ok(())
            })
            .await;
        }
        Ok(())
    }
}

/// An outage begins, and the decider meets its fate while the other would have to see to it.
async fn take_over(fate: Fate, limit: Duration) -> anyhow::Result<()> {
    let mut pair = Pair::begin().await?;
    let both = pair.pids();
    pair.world.shop(&sick()).kill().await?;
    // The old one has seen that something is wrong, and has written that down.
    eventually("a suspicion is told", LONG, async || {
        let story = pair.world.story().await?;
        ensure!(story.of(TimelineKind::Suspicion).count() > 0, "{story:?}");
        Ok(())
    })
    .await;
    let (old, new, took) = pair.strike(fate).await?;
    println!("{fate:?}: the other decides after {took:.2?} (term {} after {})", new.term, old.term);
    ensure!(took <= limit, "it took {took:?}; {limit:?} are promised");

    let view = pair.world.wait_until_evacuated(&sick()).await;
    ensure!(view.plan.generation == pair.generation + 1, "decided more than once: {:?}", view.plan);
    pair.world.check_evacuation(&sick(), &view).await?;

    // The old one comes back: it must not act on anything that it believed.
    let before = audit::newest(pair.world.database.cluster()?)?;
    match fate {
        Fate::Killed | Fate::Stopped => pair.world.start_seat(old.seat).await?,
        Fate::Frozen => pair.world.seat(old.seat).process().thaw()?,
        Fate::Cut => pair.world.seat(old.seat).cut(Fault::None)?,
    }
    pair.check_both_show(&view).await?;
    pair.world.shop(&sick()).restart().await?;
    let view = pair.world.wait_until_returned(&sick()).await;
    pair.check_both_show(&view).await?;
    ensure!(pair.decider()? == new, "{new:?} must go on deciding, not {:?}", pair.decider()?);

    let cluster = pair.world.database.cluster()?;
    let written = audit::since(cluster, before)?;
    let foreign: Vec<_> = written.iter().filter(|row| row.pid != new.pid).collect();
    ensure!(foreign.is_empty() && !written.is_empty(), "written by {foreign:?}, and {new:?} decides");
    let all = audit::since(cluster, 0)?;
    let strangers: Vec<_> = all.iter().filter(|row| !both.contains(&Some(row.pid))).collect();
    ensure!(strangers.is_empty(), "{strangers:?} were written by none of {both:?}");

    pair.world.check_webhooks()?;
    pair.world.story().await?.check_told_once(pair.generation + 3)?;
    let counts = pair.witness.finish().await?;
    pair.world.settle().await;
    pair.world.stop().await?;
    let store = pair.world.database.open().await?;
    let samples = pair.witness.compare(&store).await?;
    store.close().await;
    println!(
        "{fate:?}: {} reports with {samples} samples acknowledged by two collectors and compared, {} requests refused, \
         {} broken; {} rows that only a decider may write, none of them by the old one afterwards",
        counts.acknowledged,
        counts.refused,
        counts.broken,
        all.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decider_killed() -> anyhow::Result<()> {
    take_over(Fate::Killed, KILLED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decider_stopped() -> anyhow::Result<()> {
    take_over(Fate::Stopped, KILLED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decider_frozen() -> anyhow::Result<()> {
    take_over(Fate::Frozen, SILENT).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decider_cut_off() -> anyhow::Result<()> {
    take_over(Fate::Cut, SILENT).await
}
