//! The load tool against a real collector: what it says is true, and what it leaves behind is what the API tells.

use crate::harness::process::{collector, sextant};
use serde_json::Value;
use std::path::Path;

/// Runs `sextant load` with its last arguments as a list, and returns what it printed.
async fn load(arguments: &[&str]) -> Result<String, String> {
    let output = sextant().arg("load").args(arguments).output().await.expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn history_and_load_are_what_the_collector_tells() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let (config, data) = (text(&path.join("sextant.yaml")), text(&path.join("data")));
    let out = text(path);
    load(&["prepare", "--out", &out, "--checks", "60", "--probes", "3", "--regions", "3", "--targets", "2"])
        .await
        .expect("prepared");
    let filled = ["history", "--config", &config, "--data", &data, "--days", "2", "--interval", "600"];
    let said = load(&filled).await.expect("filled");
    // 60 checks from 3 probes to 2 targets, 144 runs a day.
    assert!(said.starts_with("103,680 runs of 360 series"), "{said}");
    let refused = load(&filled).await.expect_err("there is history already");
    assert!(refused.contains("has history already"), "{refused}");

    let (mut collector, url) = collector(sextant(), path).await;
    // Any process will do for what the kernel tells; this one certainly runs.
    let pid = std::process::id().to_string();
    let asked = ["query", "--config", &config, "--collector", &url, "--days", "2", "--times", "4", "--json"];
    let lines: Vec<Value> = serde_json::from_str(&load(&asked).await.expect("answered")).expect("JSON");
    assert!(lines.len() >= 6);
    assert!(lines.iter().all(|line| line["ours"]["count"] == 4), "{lines:?}");

    let sent = load(&[
        "send",
        "--config",
        &config,
        "--collector",
        &url,
        "--rate",
        "2000",
        "--seconds",
        "2",
        "--samples-per-report",
        "100",
        "--pid",
        &pid,
        "--json",
    ])
    .await;
    let told: Value = serde_json::from_str(&sent.expect("all stored")).expect("JSON");
    assert_eq!(told["acknowledged_samples"], told["samples"]);
    assert!(told["samples"].as_u64().expect("a number") >= 3_000, "{told}");
    assert_eq!(told["stored"]["counted"], told["reports"]);
    assert_eq!(told["stored"]["known"], told["stored"]["resent"]);
    assert!(told["collector_peak_rss_mib"].as_f64().expect("a number") > 1.0);
    assert_eq!(collector.stop().await.expect("it stops"), 0);
}

#[tokio::test]
async fn load_that_is_never_taken_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_str().expect("a plain path").to_owned();
    load(&["prepare", "--out", &path, "--checks", "2", "--probes", "1", "--regions", "1", "--targets", "1"])
        .await
        .expect("prepared");
    let (mut collector, url) = collector(sextant(), folder.path()).await;
    let config = format!("{path}/sextant.yaml");
    // Another token than the collector has.
    std::fs::write(folder.path().join("tokens/probe-000.token"), "not-the-token").expect("written");
    let sent = load(&[
        "send",
        "--config",
        &config,
        "--collector",
        &url,
        "--rate",
        "100",
        "--seconds",
        "1",
        "--samples-per-report",
        "50",
    ])
    .await;
    let refused = sent.expect_err("the collector knows no such token");
    assert!(refused.contains("never acknowledged") && refused.contains("401"), "{refused}");
    assert_eq!(collector.stop().await.expect("it stops"), 0);
}
