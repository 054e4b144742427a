//! A collector is backed up while it works, lost, and restored from a backup that is older than what receivers know.

use crate::harness::{
    LONG, Setup, World, config::secret, ending::proved, entrance::Effect, eventually, process::sextant,
    world::id,
};
use anyhow::ensure;
use std::{collections::BTreeSet, ffi::OsStr, fs, path::Path};
use wire::{
    RegionId,
    plan::Plan,
    view::{Page, TimelineEntry, TimelineKind},
};

/// Runs a command of the binary; what it said on stderr.
async fn run(arguments: &[&dyn AsRef<OsStr>], code: i32) -> anyhow::Result<String> {
    let mut command = sextant();
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(code), "{:?}, {}: {said}", command.as_std(), output.status);
    Ok(said)
}

/// The series of the shop: check, probe and target.
async fn series(world: &World) -> anyhow::Result<BTreeSet<String>> {
    let page: Page<serde_json::Value> = world.api().get("/api/v1/services/shop/series").await?;
    Ok(page
        .items
        .iter()
        .map(|item| format!("{} {} {}", item["check"], item["probe"], item["target"]))
        .collect())
}

async fn plans(world: &World) -> anyhow::Result<Vec<Plan>> {
    let page: Page<Plan> = world.api().get("/api/v1/services/shop/plans").await?;
    Ok(page.items)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_collector_is_restored_from_an_older_backup() -> anyhow::Result<()> {
    let sick: RegionId = id("eu-west-1");
    let mut world = World::start(Setup::default()).await?;
    world.shop(&sick).kill().await?;
    let evacuated = world.wait_until_evacuated(&sick).await;

    // Backed up while everything runs, and while the probes report.
    let (story, old_plans, old_series) = (world.story().await?, plans(&world).await?, series(&world).await?);
    let folder = world.logs();
    let (archive, key) = (folder.join("sextant.bak"), folder.join("backup.key"));
    secret("backup", &key).await?;
    let said =
        run(&[&"backup", &"--data", &world.data(), &"--out", &archive, &"--key-file", &key], 0).await?;
    ensure!(said.contains("encrypted") && said.contains("timeline"), "it said {said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&archive)?.permissions());
    ensure!(mode & 0o777 == 0o600, "others can read it: {mode:o}");
    run(&[&"backup", &"verify", &archive, &"--key-file", &key], 0).await?;
    check_damage_is_seen(&archive, &key).await?;

    // Life goes on: receivers are told more than the backup knows.
    world.shop(&sick).restart().await?;
    let last = world.wait_until_returned(&sick).await;
    ensure!(last.plan.generation > evacuated.plan.generation, "{:?}", last.plan);
    let said = run(&[&"restore", &archive, &"--data", &world.data(), &"--key-file", &key], 1).await?;
    ensure!(said.contains("is in use by another collector"), "it said {said}");

    world.collector().kill().await?;
    let said = run(&[&"restore", &archive, &"--data", &world.data(), &"--key-file", &key], 1).await?;
    ensure!(said.contains("is there already"), "it said {said}");
    fs::remove_dir_all(world.data())?;
    let said = run(&[&"restore", &archive, &"--data", &world.data(), &"--key-file", &key], 0).await?;
    ensure!(said.contains("restored, schema"), "it said {said}");
    let told_before = world.entrance.told().len();
    world.start_collector().await?;

    // What was is there.
    let restored = world.story().await?;
    let old: Vec<&TimelineEntry> = restored.0.iter().take(story.0.len()).collect();
    assert_eq!(old, story.0.iter().collect::<Vec<_>>(), "the timeline begins as it was");
    let own =
        restored.of(TimelineKind::Configuration).filter(|entry| entry.title == "Restored from a backup");
    assert_eq!(own.count(), 1);
    let now_plans = plans(&world).await?;
    assert_eq!(now_plans[now_plans.len() - old_plans.len()..], old_plans, "plans are as they were");
    eventually("every series is heard of again", LONG, async || {
        let found = series(&world).await?;
        ensure!(found == old_series, "{found:?}");
        Ok(())
    })
    .await;

    // Every receiver is brought in line by a plan above all that it has seen; the region gets its users back after that.
    let view = eventually("a new plan is made, told and proved", LONG, async || {
        let view = proved(world.plan().await?)?;
        ensure!(view.plan.term > last.plan.term, "{:?}", view.plan);
        Ok(view)
    })
    .await;
    ensure!(view.plan.generation > evacuated.plan.generation, "{:?}", view.plan);
    world.wait_until_returned(&sick).await;
    let told = world.entrance.told().split_off(told_before);
    let first = told.first().expect("the receiver was told");
    assert_eq!((first.generation, first.effect), (evacuated.plan.generation + 1, Effect::Applied));
    world.check_webhooks()?;
    assert_eq!(world.collector().stop().await?, 0);
    Ok(())
}

/// A changed archive is seen before anybody relies on it.
async fn check_damage_is_seen(archive: &Path, key: &Path) -> anyhow::Result<()> {
    let damaged = archive.with_extension("damaged");
    let mut bytes = fs::read(archive)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, &bytes)?;
    let said = run(&[&"backup", &"verify", &damaged, &"--key-file", &key], 1).await?;
    ensure!(said.contains("the file was changed or cut off"), "it said {said}");
    let said = run(&[&"backup", &"verify", &archive], 1).await?;
    ensure!(said.contains("--key-file"), "it said {said}");
    Ok(())
}
