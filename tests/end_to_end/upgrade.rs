//! Upgrades without a pause, and back: version N and N+1 beside each other on one PostgreSQL, and what a version says to
//! a schema that it must not touch. N is the program, N+1 and N+2 are [`crate::harness::next`].

use crate::harness::{LONG, Setup, World, config, database::Engine, eventually, next::Next, world::id};
use anyhow::ensure;
use wire::RegionId;

fn sick() -> RegionId {
    id("eu-west-1")
}

/// Waits until the present collectors of both seats have taken reports from the witness.
async fn both_take_reports(world: &mut World) {
    for seat in 0..2 {
        let api = world.seat(seat).api.clone();
        eventually("both versions take reports", LONG, async || {
            let mut taken = 0;
            for probe in (0..crate::harness::witness::PROBES).map(config::witness) {
                taken += api.metric("sextant_ingest_samples_total", &format!("probe=\"{probe}\"")).await?;
            }
            ensure!(taken > 0, "seat {seat} has taken nothing");
            Ok(())
        })
        .await;
    }
}

/// Starts today's version on a schema that it must not touch: it has to end, and to say what to do.
async fn check_refused(world: &mut World) -> anyhow::Result<()> {
    let old = world.spawn_seat(0)?;
    ensure!(old.exit_code().await? == 1, "it ended otherwise");
    let said = old.stderr();
    for part in ["the database has schema version", "newer Sextant", "backup"] {
        ensure!(said.contains(part), "it must say {part:?} and said {said:?}");
    }
    ensure!(old.stdout().is_empty(), "it must not seem to run");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_run_side_by_side_and_back() -> anyhow::Result<()> {
    let setup = Setup { engine: Engine::Postgres, collectors: 2, witness: true, ..Setup::default() };
    let mut world = World::prepare(setup).await?;
    world.start_seat(0).await?;
    world.start_probes().await?;
    let mut witness = world.witness(3)?;
    let first = world.settle().await.plan.generation;

    // N+1 migrates beside N, and both work.
    world.seat(1).next = Some(Next::Expand);
    world.start_seat(1).await?;
    both_take_reports(&mut world).await;
    world.seat(0).process().check_running()?;

    // N dies in an outage; N+1 goes on with what N has begun.
    world.shop(&sick()).kill().await?;
    world.seat(0).process().kill().await?;
    world.ask(1);
    let view = world.wait_until_evacuated(&sick()).await;
    world.check_evacuation(&sick(), &view).await?;
    ensure!(view.plan.generation == first + 1, "decided more than once: {:?}", view.plan);

    // N is accepted on the schema of N+1, and takes over when N+1 is taken away again.
    world.start_seat(0).await?;
    both_take_reports(&mut world).await;
    ensure!(world.seat(1).process().stop().await? == 0, "N+1 did not end well");
    world.seat(1).leave();
    world.ask(0);
    world.shop(&sick()).restart().await?;
    world.wait_until_returned(&sick()).await;
    world.check_webhooks()?;
    world.story().await?.check_told_once(first + 3)?;

    let counts = witness.finish().await?;
    world.settle().await;
    world.stop().await?;
    let store = world.database.open().await?;
    let samples = witness.compare(&store).await?;
    store.close().await;
    println!("{} reports with {samples} samples acknowledged by N and N+1 and compared", counts.acknowledged);

    // N+2 leaves a schema that is none for N.
    world.seat(1).next = Some(Next::Contract);
    world.start_seat(1).await?;
    check_refused(&mut world).await?;
    ensure!(world.seat(1).process().stop().await? == 0, "N+2 did not end well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_schema_is_refused_and_left_alone_on_sqlite() -> anyhow::Result<()> {
    let mut world = World::prepare(Setup::default()).await?;
    for next in [Next::Expand, Next::Contract] {
        world.seat(0).next = Some(next);
        world.start_seat(0).await?;
        ensure!(world.collector().stop().await? == 0, "{next:?} did not end well");
        world.seat(0).next = None;
        if next == Next::Expand {
            world.start_seat(0).await?;
            ensure!(world.collector().stop().await? == 0, "N did not end well on the schema of N+1");
        } else {
            check_refused(&mut world).await?;
        }
    }
    // Being refused has changed nothing.
    world.seat(0).next = Some(Next::Contract);
    world.start_seat(0).await?;
    ensure!(world.collector().stop().await? == 0, "N+2 did not end well");
    Ok(())
}
